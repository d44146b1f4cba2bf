"""Q2 and Q11: which deliveries came, which never did, and what was refused."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Final

from airlift.artifact import Json
from airlift.audit.answer import Answer, Options
from airlift.audit.finding import About, Finding, Severity, Subject
from airlift.audit.site import Site
from airlift.digest import is_sha256
from airlift.format import receipt
from airlift.registry import dispatches
from airlift.registry.dispatches import Dispatched
from airlift.registry.held import Delivered, Event, Held
from airlift.store.durable import names

KIND: Final = "delivery"
"""The family of its findings."""
_COLUMNS: Final = (
    *("sequence", "result", "issued", "imported", "carries", "items", "held", "live"),
    *("bytes", "reason", "delivery", "signed_by", "operator", "actor", "airlift"),
)
_TAKEN: Final = "taken"


def ask(site: Site, options: Options, *, only_gaps: bool = False) -> Answer:
    """Return a row for each delivery that came, is incomplete, was refused or never came.

    Args:
        site: Open.
        options: As always; an item is a sequence number or the id of a delivery.
        only_gaps: Leave out those that were taken in whole.
    """
    rows = [*_taken(site), *_missed(site), *_refused(site), *_incomplete(site)]
    wanted = [one for one in rows if options.wants(*_names(one))]
    if only_gaps:
        wanted = [one for one in wanted if one["result"] != _TAKEN]
    results = Counter(str(one["result"]) for one in rows)
    return Answer(
        question="Q11",
        as_of=site.deliveries[0].issued if site.deliveries else "",
        columns=_COLUMNS,
        rows=tuple(sorted(wanted, key=_place)),
        findings=(*_gaps(site), *_halves(site), *_refusals(site)),
        unknown=options.absent(map(_names, rows)),
        counts=dict(results),
    )


def _names(row: Mapping[str, Json]) -> tuple[str, ...]:
    return str(row.get("sequence")), str(row.get("delivery"))


def _place(row: Mapping[str, Json]) -> tuple[int, str]:
    sequence = row.get("sequence")
    assert sequence is None or isinstance(sequence, int), row
    return -(sequence or 0), str(row.get("imported"))


def _taken(site: Site) -> Iterator[Mapping[str, Json]]:
    brought: dict[int, list[Held]] = {}
    for one in site.releases:
        brought.setdefault(one.sequence, []).append(one)
    records = dispatches.dispatched(site.home)
    for delivery in site.deliveries:
        number = delivery.sequence
        yield _row(delivery, brought.get(number, []), records[number])


def _carries(told: Dispatched) -> str:
    """Return whether a delivery stands for itself, and whether it was asked for."""
    base = f"builds on {told.needs} blobs held" if told.needs else "all it names"
    return f"{base}, as requested" if told.answers else base


def _row(one: Delivered, brought: list[Held], told: Dispatched) -> Mapping[str, Json]:
    return {
        "sequence": one.sequence,
        "result": _TAKEN,
        "issued": one.issued,
        "imported": one.imported,
        "delivery": one.id,
        "carries": _carries(told),
        # What it named; what came with an earlier delivery is held by that one's row,
        # and what was collected by none.
        "items": len(told.releases),
        "held": len(brought),
        "live": sum(1 for each in brought if each.state == "live"),
        "bytes": sum(each.size for each in brought),
        "signed_by": tuple(
            sorted({each.name or each.key_id for each in one.signed_by})
        ),
        "operator": one.operator,
        "actor": one.actor,
        "airlift": one.version,
    }


def _numbers_missed(site: Site) -> Iterator[int]:
    taken = tuple(sorted(one.sequence for one in site.deliveries))
    for gap in receipt.gaps(taken):
        yield from range(gap.first, gap.last + 1)


def _missed(site: Site) -> Iterator[Mapping[str, Json]]:
    for sequence in _numbers_missed(site):
        yield {"sequence": sequence, "result": "never came"}


def _events(site: Site) -> Iterator[Event]:
    for one in site.events("import"):
        if one.outcome == "refused":
            yield one


def _claimed(refusal: Event) -> int | None:
    """Return its number as its volumes claim it: what was refused proves nothing."""
    sequence = refusal.detail.get("sequence")
    return sequence if isinstance(sequence, int) and sequence else None


def _refused(site: Site) -> Iterator[Mapping[str, Json]]:
    for one in _events(site):
        yield {
            "sequence": _claimed(one),
            "result": "refused",
            "imported": one.time,
            "actor": one.actor,
            "reason": _reason(one),
        }


def _reason(refusal: Event) -> str:
    return str(refusal.detail.get("problem", refusal.detail.get("reason", "")))


def _waiting(site: Site) -> list[str]:
    folder = site.home / "incoming"
    found = names(folder) if folder.is_dir() and not site.as_of else []
    return [one for one in found if is_sha256(one)]


def _incomplete(site: Site) -> Iterator[Mapping[str, Json]]:
    for digest in _waiting(site):
        yield {
            "sequence": None,
            "result": "incomplete",
            "delivery": digest,
            "reason": "volumes have yet to come",
        }


def _gaps(site: Site) -> Iterator[Finding]:
    taken = tuple(sorted(one.sequence for one in site.deliveries))
    for gap in receipt.gaps(taken):
        several = gap.last > gap.first
        label = f"{gap.first} to {gap.last}" if several else f"{gap.first}"
        yield Finding(
            kind=KIND,
            rule="never-came",
            severity=Severity.MEDIUM,
            subject=Subject(kind=About.DELIVERY, name=label),
            title=(
                f"deliver{'ies' if several else 'y'} {label} never came: where"
                f" {'are the media' if several else 'is the medium'}"
            ),
            evidence={"first": gap.first, "last": gap.last},
            controls=("MP-5", "AU-12"),
        )


def _halves(site: Site) -> Iterator[Finding]:
    for digest in _waiting(site):
        yield Finding(
            kind=KIND,
            rule="incomplete",
            severity=Severity.LOW,
            subject=Subject(kind=About.DELIVERY, name=digest[:12], digest=digest),
            title=f"of delivery {digest[:12]} volumes have yet to come",
            controls=("MP-5",),
        )


def _refusals(site: Site) -> Iterator[Finding]:
    """Yield refusals that no later import of that number has made good."""
    # By place in the log: a second copy may be tried within the same second.
    taken = {
        str(one.detail.get("delivery")): one.number
        for one in site.events("import")
        if one.outcome == "done"
    }
    good = {one.sequence: taken.get(one.id, 0) for one in site.deliveries}
    for one in _events(site):
        sequence = _claimed(one)
        if sequence is None or good.get(sequence, 0) < one.number:
            label = str(sequence or "of unknown number")
            yield Finding(
                kind=KIND,
                # With its day: a waiver of one refusal must not cover the next.
                rule=f"refused/{one.time}",
                severity=Severity.LOW,
                subject=Subject(kind=About.DELIVERY, name=label, version=one.time),
                title=f"delivery {label} was refused on {one.time}: {_reason(one)}",
                evidence={"reason": _reason(one), "actor": one.actor},
                controls=("CM-14", "SR-4"),
            )
