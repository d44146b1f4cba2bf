"""Q4a: what upstream has newer, how far behind that is, and what catching up takes."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Final

from packaging.version import Version as Number

from airlift.artifact import Json, Pinned, PinnedFile
from airlift.audit import risk, upstreams
from airlift.audit.answer import Answer, Options
from airlift.audit.finding import Finding, Fix, Severity
from airlift.audit.site import Site
from airlift.audit.urgency import Urgency
from airlift.format import advisory, osv
from airlift.format.catalogue_entries import Item, Package
from airlift.inbound.news import Finding as Piece
from airlift.inbound.news import News
from airlift.payload import changes, portrait
from airlift.payload.changes import Extent

KIND: Final = "outdated"
"""The family of its findings."""
_COLUMNS: Final = (
    *("number", "name", "have", "newest", "delta_bytes", "behind", "days", "class"),
    *("closes", "licence", "full_bytes", "risk", "kind", "as_of"),
)
_CLASSES: Final = {
    # Told from names and digests alone: tensors are read once both are here.
    Extent.WEIGHTS: "weights",
    Extent.BEHAVIOUR: "behaviour without weights",
}


def ask(site: Site, options: Options) -> Answer:
    """Return a row for each held thing of which upstream has a newer one.

    What is most pressing comes first.
    """
    pieces = list(upstreams.held(site))
    wanted = [one for one in pieces if options.wants(*names(one))]
    late = [one for one in wanted if one.news is News.NEWER]
    ranked = sorted(_ranked(site, late), key=lambda each: -sum(each[2].values()))
    return Answer(
        question="Q4a",
        as_of=site.made.issued if site.made else "",
        columns=_COLUMNS,
        rows=tuple({**row, "risk": risk.shown(parts)} for _, row, parts in ranked),
        findings=tuple(_finding(site, *each) for each in ranked),
        unknown=(
            *options.absent(map(names, pieces)),
            *upstreams.unknown(site, wanted),
        ),
        reason=site.ignorance,
        counts={"looked at": len(wanted), "behind": len(late)},
    )


def names(one: Piece) -> tuple[str, ...]:
    """Return what a piece of news may be asked for as."""
    kind = one.kind
    return (
        *(one.name, one.asked, f"{kind}:{one.name}", f"{kind}:{one.asked}"),
        *(f"{one.name}=={one.held}", f"{one.name}@{one.held}", str(one.number)),
    )


_Ranked = tuple[Piece, Mapping[str, Json], Mapping[str, int]]
"""What is late, its row without its rank, and the parts of that."""


def _ranked(site: Site, late: Iterable[Piece]) -> Iterator[_Ranked]:
    urgency = Urgency(site)
    for one in late:
        entry = _entry(site, one)
        row = _row(site, one, entry)
        since = _since(one, entry)
        yield one, row, urgency.parts(one, extent=str(row["class"]), since=since)


def _entry(site: Site, one: Piece) -> Item | Package:
    assert site.made is not None
    assert one.number is not None, one
    return site.made.entry(one.number)


def _row(site: Site, one: Piece, entry: Item | Package) -> Mapping[str, Json]:
    return {
        "number": one.number,
        "kind": str(upstreams.subject(site, one).kind),
        "name": one.asked or one.name,
        "have": one.held,
        "newest": one.newest,
        "behind": _behind(one, entry),
        "days": site.clock.today.days(_since(one, entry)),
        "class": _class(site, one, entry),
        "full_bytes": _size(entry),
        "delta_bytes": one.bytes,
        "closes": _closes(site, one),
        "licence": _licence(site, one, entry),
        "as_of": one.as_of,
    }


def _behind(one: Piece, entry: Item | Package) -> int | None:
    """Return how many newer ones are known; None where only that there are some."""
    if isinstance(entry, Package):
        have = Number(one.held)
        return sum(1 for each in entry.versions if Number(each.version) > have)
    return one.behind or None


def _since(one: Piece, entry: Item | Package) -> str:
    """Return since when it is behind, at the latest; empty where nobody knows."""
    if isinstance(entry, Package):
        have = Number(one.held)
        # As the index spells it, which is with fractions of a second.
        newer = [
            osv.moment(each.uploaded)
            for each in entry.versions
            if Number(each.version) > have
        ]
        return min((each for each in newer if each), default="")
    return next(
        (seen.as_of for seen in entry.earlier if seen.revision == one.held),
        osv.moment(entry.modified),
    )


def _size(entry: Item | Package) -> int:
    if isinstance(entry, Item):
        return entry.size
    newest = (one for one in entry.versions if one.version == entry.newest)
    return sum(file.size or 0 for one in newest for file in one.files)


def _class(site: Site, one: Piece, entry: Item | Package) -> str:
    """Return how far the change goes, as far as names and digests tell."""
    found = upstreams.release(site, one)
    if isinstance(entry, Package) or found is None:
        return Extent.PACKAGES.value
    # What is the same at the same path tells nothing, and is most of thousands of files.
    held = {file.path: file for file in site.files(found)}
    same = {
        file.path
        for file in entry.files
        if (own := held.get(file.path))
        and (own.sha256 == file.sha256 or own.git_oid == (file.git_oid or ""))
    }
    left = tuple(file for path, file in held.items() if path not in same)
    have = replace(found.release, files=left)
    files = tuple(
        PinnedFile(
            path=file.path, size=file.size, sha256=file.sha256, git_oid=file.git_oid
        )
        for file in entry.files
        if file.path not in same
    )
    newest = Pinned(
        kind=entry.kind,
        name=have.name,
        revision=entry.revision,
        files=files,
        # What a catalogue says of the whole it says in other words than a release.
        refs=have.refs,
        upstream=have.upstream,
        licence=entry.licence,
        base_models=entry.base_models,
    )
    extent = changes.between(portrait.of(have, {}), portrait.of(newest, {})).extent
    return _CLASSES.get(extent, extent.value)


def _closes(site: Site, one: Piece) -> list[Json]:
    """Return the advisories about what is held that the newest is not affected by."""
    if site.made is None or not upstreams.is_package(one):
        return []
    about = {each.id for each in one.advice}
    return [
        each.id
        for each in site.made.advisories
        if each.id in about and not advisory.affects(each.record, one.name, one.newest)
    ]


def _licence(site: Site, one: Piece, entry: Item | Package) -> str:
    """Return what becomes of the licence; empty where it stays."""
    found = upstreams.release(site, one)
    if isinstance(entry, Package) or found is None:
        return ""
    have, comes = found.release.licence, entry.licence
    return "" if have == comes else f"{have or 'none'} -> {comes or 'none'}"


def _finding(
    site: Site, one: Piece, row: Mapping[str, Json], parts: Mapping[str, int]
) -> Finding:
    closes = row["closes"]
    label = one.asked or one.name
    steps = f"{row['behind']} behind" if row["behind"] else "behind"
    days = f" for {row['days']} days" if row["days"] else ""
    title = f"{label} is {steps}{days}: {row['class']}"
    if isinstance(closes, list) and closes:
        what = "an advisory" if len(closes) == 1 else f"{len(closes)} advisories"
        title += f"; the newest closes {what}"
    return Finding(
        kind=KIND,
        rule="newer",
        severity=Severity.MEDIUM if closes or row["licence"] else Severity.LOW,
        subject=upstreams.subject(site, one),
        title=title,
        evidence={
            **{key: row[key] for key in ("class", "closes", "licence", "as_of")},
            "risk": dict(parts),
        },
        fix=Fix(to=one.newest, delta_bytes=one.bytes, in_catalogue=True),
        arrived_in=upstreams.arrived_in(site, one),
        controls=("SI-2",),
    )


def numbers(answer: Answer) -> Iterator[int]:
    """Yield the catalogue's number of each row, to ask for it by."""
    for row in answer.rows:
        number = row["number"]
        assert isinstance(number, int), row
        yield number
