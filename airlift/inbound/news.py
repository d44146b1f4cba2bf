"""What the newest catalogue means for what is held here.

Pure: a catalogue, what is held and what was withdrawn go in, findings come out, with no
opinion on what to do. What a catalogue does not watch is unknown, never current.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from packaging.version import Version as Number

from airlift.artifact import Kind, Release
from airlift.digest import Sha256
from airlift.format import advisory, withdrawal
from airlift.format.catalogue import Catalogue
from airlift.format.catalogue_entries import Item, KnownFile, Package
from airlift.format.withdrawal import Withdrawal
from airlift.payload import wheel_names


class News(StrEnum):
    """What a finding is about."""

    CURRENT = "current"
    """What is held is the newest."""
    NEWER = "newer"
    """Upstream has a newer one."""
    AHEAD = "ahead"
    """What is held came after this was known."""
    NOT_HELD = "not held"
    """It is watched, and not here."""
    UNKNOWN = "unknown"
    """It is not watched, or its source never answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Owned:
    """An artifact that is held here.

    Attributes:
        id: Of the release.
        release: With its files.
        issued: When the delivery that brought it was made.
        live: Whether it may be served.
    """

    id: Sha256
    release: Release
    issued: str
    live: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """An advisory about something held.

    Attributes:
        id: Of the record.
        summary: In its words.
        fixed_in: The lowest version that is fixed; empty where none is.
    """

    id: str
    summary: str
    fixed_in: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What is known about one artifact or package.

    Attributes:
        number: Of the entry in the catalogue, to ask for it by; None where it has none.
        kind: A kind of artifact, or ``package``.
        name: Of the artifact or package.
        asked: The name upstream has it under; empty where it is not watched.
        news: What the catalogue means for it.
        held: Revision or version held; empty where none is.
        newest: Revision or version upstream; empty where none is known.
        behind: How many newer ones catalogues have seen; 0 where that is not known.
        bytes: Of the files of the newest that are not held here.
        moved_to: Its new name upstream; else empty.
        withdrawn: What upstream took back of what is held, or of the whole.
        advice: Advisories about the version held.
        advised: As of when advisories about it are complete; empty for never, and
            for what has none.
        as_of: When its source last answered; empty for never.
        problem: Why it did not answer since; empty where it did.
    """

    number: int | None
    kind: str
    name: str
    asked: str = ""
    news: News
    held: str = ""
    newest: str = ""
    behind: int = 0
    bytes: int = 0
    moved_to: str = ""
    withdrawn: tuple[Withdrawal, ...] = ()
    advice: tuple[Advice, ...] = ()
    advised: str = ""
    as_of: str = ""
    problem: str = ""

    @property
    def matters(self) -> bool:
        """Whether somebody should look at it: not where all is as it should be."""
        quiet = self.news in (News.CURRENT, News.AHEAD, News.NOT_HELD)
        told = self.withdrawn or self.advice or self.problem or self.moved_to
        return not quiet or bool(told)


def find(
    made: Catalogue, owned: Sequence[Owned], standing: Iterable[Withdrawal]
) -> tuple[Finding, ...]:
    """Return what *made* and earlier catalogues mean for what is held.

    Args:
        made: The newest catalogue.
        owned: What is held, of each name the highest counter first.
        standing: What is withdrawn, by this or an earlier catalogue.

    Returns:
        One finding for each item, for each held artifact that is not watched, for
        each package, and for each held one that is not watched, in that order.
    """
    taken: dict[tuple[str, str], list[Withdrawal]] = {}
    for one in standing:
        taken.setdefault((one.kind, one.name), []).append(one)
    held = frozenset(file.sha256 for one in owned for file in one.release.files)
    oids = frozenset(file.git_oid for one in owned for file in one.release.files)
    findings = [
        _of_item(number, item, owned, taken, held | oids)
        for number, item in enumerate(made.items)
    ]
    findings += _unwatched(made, owned)
    findings += _packages(made, owned, taken)
    return tuple(findings)


def _matches(item: Item, release: Release) -> bool:
    """Say whether *release* is of what *item* watches: a name may have many tags."""
    if (item.kind, item.name) != (release.kind, release.name):
        return False
    if item.kind in (Kind.OLLAMA, Kind.OCI):
        return bool(set(item.refs) & set(release.refs)) or _tag(item) in release.refs
    if item.kind is Kind.GGUF:
        said = release.upstream.get("quantisation")
        return said in (item.options.get("quant", said), item.facts.get("quantisation"))
    return True


def _tag(item: Item) -> str:
    return item.asked.rpartition("/")[2].partition(":")[2] or "latest"


def _of_item(
    number: int,
    item: Item,
    owned: Sequence[Owned],
    taken: Mapping[tuple[str, str], list[Withdrawal]],
    held: frozenset[str | None],
) -> Finding:
    ours = [one for one in owned if _matches(item, one.release)]
    best = next((one for one in ours if one.live), ours[0] if ours else None)
    withdrawn = tuple(
        one
        for one in taken.get((item.kind.value, item.name), ())
        if one.subject == item.asked
    )
    news, behind = _compare(item, best)
    return Finding(
        number=number,
        kind=item.kind.value,
        name=item.name,
        asked=item.asked,
        news=news,
        held=best.release.revision if best else "",
        newest=item.revision,
        behind=behind,
        bytes=sum(file.size or 0 for file in item.files if not _has(file, held)),
        moved_to=item.moved_to,
        withdrawn=withdrawn,
        as_of=item.as_of,
        problem=item.problem,
    )


def _has(file: KnownFile, held: frozenset[str | None]) -> bool:
    known = file.sha256 or file.git_oid
    return known is not None and known in held


def _compare(item: Item, best: Owned | None) -> tuple[News, int]:
    earlier = [one.revision for one in item.earlier]
    if best is None:
        return News.NOT_HELD, 0
    if not item.revision:
        # Gated or gone, or never answered for: nobody knows of a newer one.
        return News.UNKNOWN, 0
    if best.release.revision == item.revision:
        return News.CURRENT, 0
    if best.release.revision in earlier:
        return News.NEWER, earlier.index(best.release.revision) + 1
    return (News.AHEAD if best.issued > item.as_of else News.NEWER), 0


def _unwatched(made: Catalogue, owned: Sequence[Owned]) -> Iterator[Finding]:
    seen = set()
    for one in owned:
        release = one.release
        key = (release.kind, release.name)
        if key in seen or any(_matches(item, release) for item in made.items):
            continue
        seen.add(key)
        yield Finding(
            number=None,
            kind=release.kind.value,
            name=release.name,
            news=News.UNKNOWN,
            held=release.revision,
            problem="the catalogue does not watch it",
        )


def _packages(
    made: Catalogue,
    owned: Sequence[Owned],
    taken: Mapping[tuple[str, str], list[Withdrawal]],
) -> Iterator[Finding]:
    live = _held_packages(one for one in owned if one.live)
    held = live or _held_packages(owned)
    first = len(made.items)
    for number, package in enumerate(made.packages, first):
        versions = held.pop(package.name, {})
        if not versions:
            yield _package(number, package, "", (), made)
        for version in sorted(versions, key=Number, reverse=True):
            of = taken.get((withdrawal.PACKAGE, package.name), [])
            withdrawn = tuple(
                one for one in of if one.subject in ("", version, *versions[version])
            )
            yield _package(number, package, version, withdrawn, made)
    for name in sorted(held):
        for version in sorted(held[name], key=Number, reverse=True):
            yield Finding(
                number=None,
                kind=withdrawal.PACKAGE,
                name=name,
                news=News.UNKNOWN,
                held=version,
                problem="the catalogue does not watch it",
            )


def _held_packages(owned: Iterable[Owned]) -> dict[str, dict[str, set[str]]]:
    """Return the files of wheel sets by package and version."""
    found: dict[str, dict[str, set[str]]] = {}
    for one in owned:
        if one.release.kind is Kind.WHEELS:
            for file in one.release.files:
                if (parsed := wheel_names.parse(file.path)) is not None:
                    name, version = str(parsed[0]), str(parsed[1])
                    found.setdefault(name, {}).setdefault(version, set()).add(file.path)
    return found


def _package(
    number: int,
    package: Package,
    version: str,
    withdrawn: tuple[Withdrawal, ...],
    made: Catalogue,
) -> Finding:
    news = News.NOT_HELD
    if version:
        news = News.UNKNOWN if not package.newest else News.CURRENT
        if package.newest and _is_older(version, package.newest):
            news = News.NEWER
    newest = next((v for v in package.versions if v.version == package.newest), None)
    return Finding(
        number=number,
        kind=withdrawal.PACKAGE,
        name=package.name,
        asked=package.name,
        news=news,
        held=version,
        newest=package.newest,
        bytes=sum(file.size or 0 for file in newest.files)
        if newest and news is not News.CURRENT
        else 0,
        withdrawn=withdrawn,
        advice=tuple(_advice(package.name, version, made)) if version else (),
        advised=package.advised,
        as_of=package.as_of,
        problem=package.problem,
    )


def _is_older(version: str, newest: str) -> bool:
    return Number(version) < Number(newest)


def _advice(name: str, version: str, made: Catalogue) -> Iterator[Advice]:
    for one in made.advisories:
        if "withdrawn" not in one.record and advisory.affects(
            one.record, name, version
        ):
            yield Advice(
                id=one.id,
                summary=str(one.record.get("summary", "")),
                fixed_in=advisory.fixed_in(one.record, name, version),
            )
