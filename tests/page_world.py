"""A site with something of everything, its page, and readers of what it shows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

from airlift.artifact import ContentClass, Json, Kind, Release, ReleaseFile
from airlift.digest import Sha256, sha256
from airlift.format import release
from airlift.registry.overview import Overview
from airlift.registry.shelf import Shelf
from airlift.serve.dialect import ANYONE, Answer, Caller, Request
from airlift.serve.dialect import Shelf as AnyShelf
from airlift.serve.page.dialect import Page
from airlift.serve.records import Records
from sites import Site

NOW = "2026-03-20T12:00:00Z"
BASE = "http://models:8484"
LLM, GGUF, DATA, WHEELS = "org/llm", "org/llm-gguf", "org/texts", "tools"
WHEEL = "foo_bar-1.0-py3-none-any.whl"
PICKLE = "pytorch_model.bin"


def document(
    kind: Kind,
    name: str,
    files: Mapping[str, bytes],
    *,
    counter: int = 1,
    refs: Sequence[str] = ("main",),
    upstream: Mapping[str, Json] | None = None,
    base_models: Sequence[str] = (),
    licence: str = "mit",
    revision: str = "",
) -> bytes:
    """Return a release document; files named like pickles are said to be some."""
    listed = tuple(
        ReleaseFile(
            path=path,
            size=len(data),
            sha256=sha256(data),
            format=path.rpartition(".")[2],
            content_class=ContentClass.PICKLE if path == PICKLE else ContentClass.DATA,
        )
        for path, data in sorted(files.items())
    )
    return release.encode(
        Release(
            kind=kind,
            name=name,
            revision=revision or sha256(repr((kind, name, counter)).encode())[:40],
            counter=counter,
            files=listed,
            refs=tuple(refs),
            upstream=upstream or {},
            base_models=tuple(base_models),
            licence=licence,
        )
    )


@dataclass(kw_only=True)
class World:
    """A site and the page over it.

    Attributes:
        clock: What the page takes for now.
        ids: Of releases, by any name the test gave them.
    """

    site: Site
    records: Records
    shelf: Shelf
    page: Page
    clock: list[str]
    ids: dict[str, Sha256] = field(default_factory=dict)

    def bring(self, *documents: bytes, live: bool = True) -> None:
        """Bring a delivery of *documents*."""
        self.site.bring(*documents, live=live)

    def get(
        self,
        target: str,
        *,
        base: str = BASE,
        caller: Caller = ANYONE,
        shelf: AnyShelf | None = None,
    ) -> Answer:
        """Return the answer to a GET of *target*, which must be the page's own."""
        path, _, query = target.partition("?")
        pairs = tuple(
            (key, value.replace("+", " "))
            for key, _, value in (one.partition("=") for one in query.split("&") if one)
        )
        request = Request(
            method="GET", path=path, query=pairs, base_url=base, caller=caller
        )
        answer = self.page.answer(request, shelf or self.shelf)
        assert answer is not None
        return answer

    def read(self, target: str, *, base: str = BASE) -> "Reader":
        """Return what a reader finds at *target*."""
        answer = self.get(target, base=base)
        assert answer.status == 200, answer
        return read(answer)

    def release(self, name: str) -> str:
        """Return the path of the page of a release."""
        return f"/-/releases/{self.ids[name]}"


def small_site(folder: Path) -> World:
    """Return a site with one release of each kind, two of one name, one that waits."""
    site = Site(folder)
    contents = {
        LLM: {"config.json": b"{}", "model.safetensors": b"w" * 3000},
        f"{LLM} 2": {"config.json": b"{}", "model.safetensors": b"v" * 4000},
        GGUF: {"llm-Q4_K_M.gguf": b"q4", "llm-Q8_0.gguf": b"q8" * 700},
        DATA: {"data/train.parquet": b"rows"},
        WHEELS: {
            WHEEL: b"wheel",
            f"{WHEEL}.metadata": b"Name: foo\n",
            "foo_bar-2.0rc1-py3-none-any.whl": b"preview",
        },
        "ns/chat": {"manifest.json": b"{}", "blobs/sha256-" + "a" * 64: b"layer"},
        "org/waits": {PICKLE: b"pickle"},
    }
    site.hold(*(data for files in contents.values() for data in files.values()))
    asked: dict[str, Json] = {
        "endpoint": "https://index.example/simple",
        "requested": ["foo_bar==1.0", "--extra-index-url=x", "foo_bar @ https://x/y"],
    }
    documents = {
        LLM: document(Kind.MODEL, LLM, contents[LLM], refs=["main", "v1"]),
        GGUF: document(Kind.GGUF, GGUF, contents[GGUF], base_models=[LLM, "far/away"]),
        DATA: document(Kind.DATASET, DATA, contents[DATA], licence=""),
        WHEELS: document(Kind.WHEELS, WHEELS, contents[WHEELS], upstream=asked),
        "ns/chat": document(Kind.OLLAMA, "ns/chat", contents["ns/chat"], refs=["7b"]),
    }
    later = document(Kind.MODEL, LLM, contents[f"{LLM} 2"], counter=2)
    waits = document(Kind.MODEL, "org/waits", contents["org/waits"])
    site.bring(*documents.values())
    site.bring(later)
    site.bring(waits, live=False)
    documents |= {f"{LLM} 2": later, "org/waits": waits}
    clock = [NOW]
    records = Overview.open(site.home)
    return World(
        site=site,
        records=records,
        shelf=site.registry.shelf(site.store),
        page=Page(records, lambda: clock[0]),
        clock=clock,
        ids={name: release.identify(one) for name, one in documents.items()},
    )


def targets(one: World) -> list[str]:
    """Return the path of every page there is."""
    return [
        *("/", "/-/models", "/-/wheels", "/-/wheels/foo-bar", "/-/imports"),
        *("/-/imports/1", "/-/storage", "/-/audit"),
        *(f"/-/releases/{release}" for release in one.ids.values()),
    ]


class Reader(HTMLParser):
    """Reads a page: its elements, links, and the text of some elements."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: list[tuple[str, tuple[str, ...]]] = []
        self.links: list[str] = []
        self.values: list[str] = []
        self.text = ""
        self.by_tag: dict[str, list[str]] = {}
        self._open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, tuple(name for name, _ in attrs)))
        for name, value in attrs:
            self.values.append(value or "")
            if name in ("href", "src", "action"):
                self.links.append(value or "")
        if tag not in ("meta", "link", "input", "img", "rect"):
            self._open.append(tag)
            self.by_tag.setdefault(tag, []).append("")

    def handle_endtag(self, tag: str) -> None:
        if tag not in ("meta", "link", "input", "img", "rect"):
            assert self._open.pop() == tag, "elements are not closed in order"
        if tag in ("td", "th"):
            self.handle_data(" ")

    def handle_data(self, data: str) -> None:
        self.text += data
        for tag in set(self._open):
            self.by_tag[tag][-1] += data

    def said(self, tag: str) -> list[str]:
        """Return the texts of the elements *tag*, white space made single."""
        return [" ".join(one.split()) for one in self.by_tag.get(tag, [])]


def read(answer: Answer) -> Reader:
    """Read the page of *answer* to its end."""
    assert isinstance(answer.body, bytes)
    found = Reader()
    found.feed(answer.body.decode())
    found.close()
    return found
