"""A site that was sent things and told things, to be asked questions."""

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import informed
from airlift.artifact import ContentClass, Json, Kind, Release, ReleaseFile
from airlift.audit import report
from airlift.audit.answer import Answer, Options
from airlift.audit.clock import Bounds
from airlift.audit.questions import find
from airlift.audit.report import Report
from airlift.audit.site import Site, open_site
from airlift.digest import sha256
from airlift.format import release
from airlift.format.catalogue import Catalogue
from airlift.registry.registry import Registry
from airlift.registry.upstream import Upstream
from airlift.store.blobs import BlobStore
from airlift.trust.delivery import VerifiedDelivery
from airlift.trust.quorum import quorum
from authority import NOW, Authority, land

TODAY = "2026-03-05T06:00:00Z"
"""A few days after ``authority.NOW``, when these sites are set up."""
ROLE = quorum([informed.CAT.public], 1)


def model(
    name: str = "org/model",
    files: Mapping[str, bytes] | None = None,
    *,
    revision: str = "a" * 40,
    counter: int = 1,
    **changes: object,
) -> tuple[Release, tuple[bytes, ...]]:
    """Return a model release and the bytes of its files."""
    contents = files if files is not None else {"config.json": b"{}"}
    made = Release(
        kind=Kind.MODEL,
        name=name,
        revision=revision,
        counter=counter,
        files=tuple(_file(path, data) for path, data in sorted(contents.items())),
        refs=("main",),
        upstream={"endpoint": "https://hub.example", "repository": name},
        licence="mit",
    )
    return replace(made, **changes), tuple(contents.values())  # type: ignore[arg-type]


def wheels(
    *paths: str, name: str = "tools", counter: int = 1, **upstream: Json
) -> tuple[Release, tuple[bytes, ...]]:
    """Return a wheel set of files whose bytes are their names."""
    return wheel_set({path: path.encode() for path in paths}, name, counter, **upstream)


def wheel_set(
    files: Mapping[str, bytes], name: str = "tools", counter: int = 1, **upstream: Json
) -> tuple[Release, tuple[bytes, ...]]:
    """Return a wheel set of *files*, and their bytes."""
    contents = dict(sorted(files.items()))
    made = Release(
        kind=Kind.WHEELS,
        name=name,
        revision=sha256(repr(sorted(contents)).encode()),
        counter=counter,
        files=tuple(_file(path, data) for path, data in contents.items()),
        upstream=upstream,
    )
    return made, tuple(contents.values())


def _file(path: str, data: bytes) -> ReleaseFile:
    package = path.endswith((".whl", ".tar.gz"))
    return ReleaseFile(
        path=path,
        size=len(data),
        sha256=sha256(data),
        format="wheel" if package else "json",
        content_class=ContentClass.PACKAGE if package else ContentClass.DATA,
    )


class World:
    """A signing side, a site, and what was carried between them.

    Args:
        folder: Where everything of it goes.
    """

    def __init__(self, folder: Path) -> None:
        self.side = Authority(folder / "side")
        self.side.publisher.set_catalogue(ROLE, self.side.signers, NOW)
        self.home = folder / "home"
        state = self.side.state()
        Registry.create(self.home, state=state, now=NOW, actor="ann").close()
        self.store = BlobStore(self.home / "store")
        self.bring()  # who signs catalogues comes with a delivery, of nothing here

    @contextmanager
    def registry(self) -> Iterator[Registry]:
        """Open the registry."""
        with closing(Registry.open(self.home)) as registry:
            yield registry

    def bring(
        self,
        *made: tuple[Release, tuple[bytes, ...]],
        now: str = NOW,
        live: bool = True,
    ) -> VerifiedDelivery:
        """Deliver releases with their bytes, and import them at *now*."""
        for _, contents in made:
            self.store.add_small((sha256(data), data) for data in contents)
        documents = [release.encode(one) for one, _ in made]
        with self.registry() as registry:
            offered = self.side.deliver(*documents, now=now)
            verified = land(offered, registry.trust_state())
            ids = [one.id for one in verified.releases] if live else []
            registry.record(verified, self.store, live=ids, now=now, actor="ann")
        return verified

    def hear(self, made: Catalogue) -> None:
        """Carry a catalogue over, and take it in on the day it was issued."""
        with closing(Upstream.open(self.home)) as upstream:
            informed.take(upstream, made)

    @contextmanager
    def site(
        self, now: str = TODAY, *, as_of: str = "", block: int | None = None
    ) -> Iterator[Site]:
        """Open the site for questions at *now*."""
        bounds = Bounds(block=block)
        with open_site(self.home, now=now, bounds=bounds, as_of=as_of) as site:
            yield site

    def ask(self, name: str, *items: str, now: str = TODAY, as_of: str = "") -> Answer:
        """Ask one question, as a report does."""
        with self.site(now, as_of=as_of) as site:
            found = report.run(site, [find(name)], Options(items=items))
            return found.answers[0][1]

    @contextmanager
    def report(self, *names: str, now: str = TODAY) -> Iterator[Report]:
        """Ask several questions; the site stays open meanwhile."""
        with self.site(now) as site:
            yield report.run(site, [find(name) for name in names], Options())


def rows(answer: Answer, *columns: str) -> list[tuple[Json, ...]]:
    """Return some columns of the table of *answer*."""
    return [tuple(row.get(key) for key in columns) for row in answer.rows]


def told(answer: Answer) -> list[tuple[str, str, str]]:
    """Return rule, severity and title of each finding of *answer*."""
    return [(one.rule, one.severity.value, one.title) for one in answer.findings]


__all__ = [
    "NOW",
    "TODAY",
    "World",
    "model",
    "rows",
    "told",
    "wheel_set",
    "wheels",
]
