"""Whatever stands in a record, a page shows it and nothing acts on its reader."""

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from markupsafe import escape

from airlift import naming
from airlift.artifact import Json, Kind, Release, ReleaseFile
from airlift.digest import Sha256, sha256
from airlift.format.scan import Result, Scan
from airlift.format.statement import Statement
from airlift.registry.held import Delivered, Event, Generation, Held, State
from airlift.registry.overview import Knowledge, Stored
from airlift.registry.scans import Attached
from airlift.serve.dialect import Answer, Caller, Request
from airlift.serve.page.dialect import Page
from airlift.trust.attestation import Judged
from airlift.trust.delivery import SignedBy
from page_world import NOW, Reader, read
from shelves import MemoryShelf, cargo

NASTY = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "`onfocus=alert(1) autofocus=`",
    "</title><script>alert(1)</script>",
    "</pre></code><svg/onload=alert(1)>",
    "<!--", "-->", "<![CDATA[", "]]>", "<?php", "&lt;b&gt;", "&#60;script&#62;",
    "javascript:alert(1)", "data:text/html,<script>alert(1)</script>",
    "//evil.example/x", 'https://evil.example/"onclick="x',
    "{{ 7 * 7 }}", "{% include '/etc/passwd' %}", "{# gone #}", "${7*7}", "%(x)s",
    "\u202egnp.exe", "\u2066a\u2069", "\u200b", "\ufeff", "\u2028", "\u0000", "\x1b[31m",
    "\u05d0\u05d1\u05d2", "\u0639\u0631\u0628", "\ud83d", "\U000e0041", "e\u0301" * 40,
    "a" * 4096, " ", "-", "..", "../../etc/passwd", "%2e%2e%2f", "%00", "?a=b&c=d", "#x",
    "\r\nSet-Cookie: a=b", "\t", "NULL", "undefined", "-1", "\u00e5\u00e4\u00f6", "\uff1cscript\uff1e",
    "expression(alert(1))", "@import 'x'", "--index-url=x", "$(reboot)", "; rm -rf ~",
)  # fmt: skip
PLAIN = "plain"


@dataclass(frozen=True, kw_only=True)
class OneOfEach:
    """Records with one text in every field that is somebody's own words."""

    text: str

    def mark(self) -> tuple[int, int]:
        """Return always the same: nothing changes here."""
        return (1, 1)

    def site(self) -> str:
        """Return a site of that name."""
        return self.text

    def release(self) -> Release:
        """Return a release that says *text* everywhere."""
        upstream: Mapping[str, Json] = {
            "endpoint": self.text,
            "requested": [self.text, self.text],
            "notice": self.text,
            self.text: {self.text: self.text},
        }
        return Release(
            kind=Kind.MODEL,
            name=self.text,
            revision=self.text,
            counter=1,
            files=(),
            refs=(self.text,),
            upstream=upstream,
            licence=self.text,
            base_models=(self.text, f"{self.text}x"),
        )

    def releases(self) -> tuple[Held, ...]:
        """Return it in every state, denied and pinned."""
        states = (State.LIVE, State.QUARANTINE, State.RETIRED)
        return tuple(
            Held(
                id=sha256(b"%d" % number),
                release=self.release(),
                state=state,
                size=7,
                files=1,
                imported=NOW,
                sequence=1,
                pinned=self.text if state is State.RETIRED else "",
                denied=self.text if state is State.RETIRED else "",
            )
            for number, state in enumerate(states)
        )

    def files(self, release: Sha256) -> tuple[ReleaseFile, ...]:
        """Return one file."""
        digest = sha256(b"x")
        return (ReleaseFile(path=self.text, size=1, sha256=digest, format=self.text),)

    def deliveries(self) -> tuple[Delivered, ...]:
        """Return one delivery."""
        key = SignedBy(
            role=self.text, key_id=self.text, name=self.text, scheme=self.text
        )
        one = Delivered(
            id=sha256(b"d"),
            sequence=1,
            issued=NOW,
            imported=NOW,
            operator=self.text,
            actor=self.text,
            version=self.text,
            signed_by=(key,),
        )
        return (one,)

    def waiting(self, found: Iterable[Held]) -> Mapping[Sha256, str]:
        """Return a reason for each."""
        return {one.id: self.text for one in found}

    def attestations(self, release: Sha256) -> tuple[Judged, ...]:
        """Return one that is valid, and one that is not."""
        told = Statement(subjects=(), predicate_type=self.text, predicate={})
        good = Judged(
            sha256=sha256(b"a"),
            size=1,
            at=NOW,
            by=(self.text,),
            words=(self.text,),
            statement=told,
        )
        return (good, replace(good, problem=self.text))

    def scans(self) -> tuple[Attached, ...]:
        """Return one scan of the one delivery, carried."""
        told = Scan(
            site="plant7",
            dispatch=sha256(b"d"),
            releases=(),
            report=sha256(b"r"),
            report_size=1,
            by=self.text,
            scanner=self.text,
            version=self.text,
            result=Result.FOUND,
            scanned=1,
            found=1,
            skipped=0,
            at=NOW,
            note=self.text,
        )
        one = Attached(scan=told, carried=True, actor=self.text, time=NOW)
        return (one,)

    def generations(self, newest: int) -> tuple[Generation, ...]:
        """Return one live set."""
        one = Generation(
            number=1,
            created=NOW,
            reason=self.text,
            actor=self.text,
            note=self.text,
            members=1,
            releases=(),
        )
        return (one,)

    def events(self, newest: int) -> tuple[Event, ...]:
        """Return a refused import and a failed verification."""
        detail: Mapping[str, Json] = {"problem": self.text, self.text: [self.text]}
        told = Event(
            time=NOW,
            actor=self.text,
            action="import",
            subject=self.text,
            outcome="refused",
            detail=detail,
        )
        return (told, replace(told, action=self.text, outcome=self.text))

    def stored(self) -> tuple[Stored, ...]:
        """Return one kind of blobs."""
        return (Stored(kind=Kind.MODEL, state=State.LIVE, blobs=1, size=7),)

    def knowledge(self) -> Knowledge:
        """Return a role of that name."""
        return Knowledge(floor=NOW, expires={"root": NOW, self.text: NOW})


def pages(text: str, folder: Path) -> dict[str, Answer]:
    """Return every page of a site where everything is called *text*."""
    records = OneOfEach(text=text)
    page = Page(records, lambda: NOW)
    wheel = "foo-1.0-py3-none-any.whl"
    said = text.encode("utf-8", "replace").decode()  # as a document can hold it
    facts: dict[str, dict[str, Json]] = {
        wheel: {"yanked": said, "requires-python": said, "upload-time": said}
    }
    shelf = MemoryShelf(folder, [cargo(Kind.WHEELS, "set", {wheel: b"w"}, facts=facts)])
    caller = Caller(name=text, powers=frozenset({"*"}))
    targets = {
        "overview": ("/", ()),
        "models": ("/-/models", ()),
        "search": ("/-/models", (("q", text), ("kind", text), ("sort", text))),
        "wheels": ("/-/wheels", (("q", text),)),
        "project": ("/-/wheels/foo", ()),
        "imports": ("/-/imports", (("page", text),)),
        "delivery": ("/-/imports/1", ()),
        "storage": ("/-/storage", ()),
        "nothing": ("/-/wheels/a" + text.replace("/", ""), ()),
        **{
            f"release {held.state}": (f"/-/releases/{held.id}", (("path", text[:3]),))
            for held in records.releases()
        },
    }
    found = {}
    for name, (path, query) in targets.items():
        request = Request(
            method="GET", path=path, query=query, base_url="http://h", caller=caller
        )
        answer = page.answer(request, shelf)
        assert answer is not None
        found[name] = answer
    return found


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Reader]:
    """The pages of a site where everything has a harmless name."""
    made = pages(PLAIN, tmp_path_factory.mktemp("plain"))
    return {name: read(answer) for name, answer in made.items()}


@pytest.mark.parametrize("text", NASTY, ids=lambda text: ascii(text)[:30])
def test_no_text_of_a_record_becomes_part_of_a_page(
    text: str, tmp_path: Path, plain: dict[str, Reader]
) -> None:
    """A page has the elements and attributes it has for any other name, and no more."""
    every = {one for page in plain.values() for one in page.elements}
    for name, answer in pages(text, tmp_path).items():
        page = read(answer)
        assert set(page.elements) - every == set(), name
        for link in page.links:
            assert link.startswith(("/", "#")), (name, link)
            assert not link.startswith("//"), (name, link)
        for header, value in answer.headers:
            assert value.isascii(), header
            assert value.isprintable(), header


@pytest.mark.parametrize("text", NASTY, ids=lambda text: ascii(text)[:30])
def test_what_a_record_says_is_shown_as_it_is(text: str, tmp_path: Path) -> None:
    """Escaped, bounded, and nowhere with what reorders or hides the rest."""
    for name, answer in pages(text, tmp_path).items():
        assert isinstance(answer.body, bytes)
        body = answer.body.decode()
        odd = {
            f"U+{ord(c):04X}"
            for c in body
            if c != "\n" and unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp")
        }
        assert odd == set(), name
        assert len(body) < 60_000, name
        if name.startswith("release"):
            # What is cut off is cut after 299 characters.
            assert str(escape(naming.show(text)[:299])) in body
