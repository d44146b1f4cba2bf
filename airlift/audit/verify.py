"""Q3: is what is served, bit for bit, what was approved.

Releases are signed with the digest of each file, and the store names a blob by its own:
the question is whether the bytes still hash to their names, and when that was seen last.
Asked as part of an audit it reads no blob: it says what the last look at each found, and
that look's age. ``airlift audit verify`` reads them.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from airlift.artifact import Json, ReleaseFile
from airlift.audit.answer import Answer, Options
from airlift.audit.finding import About, Finding, Severity, Subject
from airlift.audit.freshness import REHASH_DAYS
from airlift.audit.site import Site
from airlift.digest import Sha256
from airlift.registry import hashed
from airlift.registry.hashed import Known, State
from airlift.registry.held import Held
from airlift.store.scrub import Look

KIND: Final = "integrity"
"""The family of its findings."""
COLUMNS: Final = (
    *("kind", "target", "file", "expected", "found", "state", "last_hashed", "problem"),
)
_CONTROLS: Final = ("SI-7", "CM-14")
_NONE: Final[Mapping[Sha256, Look]] = MappingProxyType({})
_PROBLEMS: Final = {
    State.CHANGED: "its bytes hash to something else",
    State.MISSING: "it is not in the store",
    State.UNREADABLE: "it could not be read",
}


def ask(site: Site, options: Options) -> Answer:
    """Return what the last look at each blob found, and how long ago that was."""
    # Nothing is read meanwhile: what other questions rest on is asked once.
    known = None if options.items or site.as_of else tuple(site.known.values())
    return assess(site, items=options.items, known=known)


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """How much of what is held was hashed within a time.

    Attributes:
        files: Blobs that releases name.
        size: Their bytes.
        hashed: Of these blobs, those hashed within the time, at their import or since.
        hashed_size: Their bytes.
        again: Those that were looked at since they came, whenever.
        overdue: Blobs of live releases that were not hashed within the time.
        overdue_size: Their bytes.
        oldest: When the one that has waited longest was hashed; empty for none.
        within_days: The time.
    """

    files: int
    size: int
    hashed: int
    hashed_size: int
    again: int
    overdue: int
    overdue_size: int
    oldest: str
    within_days: int


def assess(
    site: Site,
    *,
    items: tuple[str, ...] = (),
    within_days: int = REHASH_DAYS,
    looked: Mapping[Sha256, Look] = _NONE,
    known: tuple[Known, ...] | None = None,
) -> Answer:
    """Return the answer as the registry has it now.

    Args:
        site: Open.
        items: References of releases to which it is narrowed; none for all.
        within_days: Days after which a look counts no more.
        looked: What was just found of blobs, to say more of them than is noted.
        known: What the registry has of the blobs; None to ask it now.
    """
    if site.as_of:
        reason = "only the newest look at each file is kept, not that of another day"
        return Answer(question="Q3", as_of="", columns=COLUMNS, reason=reason)
    known = wanted(site, items) if known is None else known
    absent = site.store.missing(one.blob for one in known)
    bad = {one.blob: one for one in known if _is_bad(one, absent)}
    told = coverage(known, site, within_days)
    places = _places(site, bad)
    return Answer(
        question="Q3",
        as_of=told.oldest,
        columns=COLUMNS,
        rows=tuple(_rows(bad, places, looked, absent)),
        findings=tuple(_findings(bad, places, looked, absent)),
        unknown=(_overdue(told),) if told.overdue else (),
        counts={"files": told.files, "hashed": told.hashed, "bad": len(bad)},
        broken=any(one.live for one in bad.values()),
        coverage=_coverage_table(told),
    )


def _overdue(told: Coverage) -> str:
    return (
        f"{told.overdue} files that are served ({told.overdue_size} bytes) were not"
        f" hashed for {told.within_days} days: `airlift audit verify --rolling 30m` reads"
        " those that have waited longest"
    )


def wanted(site: Site, items: tuple[str, ...] = ()) -> tuple[Known, ...]:
    """Return the blobs that releases name; only those of *items* where any is given.

    Raises:
        RequestError: An item means no release, or several.
    """
    known = hashed.known(site.home)
    if not items:
        return known
    chosen = [site.registry.find(one).id for one in items]
    blobs = dict(site.registry.census().blobs(chosen))
    return tuple(one for one in known if one.blob in blobs)


def coverage(known: Sequence[Known], site: Site, within_days: int) -> Coverage:
    """Return how much of *known* was hashed within *within_days*."""
    today = site.clock.today
    # One look at the calendar for each day, and not for each of 100,000 files.
    days = {time: today.days(time) or 0 for time in {one.since for one in known}}
    fresh = [one for one in known if days[one.since] <= within_days]
    late = [one for one in known if one.live and days[one.since] > within_days]
    return Coverage(
        files=len(known),
        size=sum(one.size for one in known),
        hashed=len(fresh),
        hashed_size=sum(one.size for one in fresh),
        again=sum(1 for one in known if one.state is not None),
        overdue=len(late),
        overdue_size=sum(one.size for one in late),
        oldest=min((one.since for one in known), default=""),
        within_days=within_days,
    )


def statement(answer: Answer) -> str:
    """Return the coverage of *answer* in a sentence that claims no more than is known."""
    told = answer.coverage
    total, fresh = told.get("files_total", 0), told.get("files_hashed", 0)
    if not total:
        return "nothing is held"
    which = f"each of {total} files" if fresh == total else f"{fresh} of {total} files"
    return (
        f"{which} was hashed within {told['within_days']} days,"
        f" {told['files_hashed_again']} again since they came; the oldest look is of"
        f" {told['oldest_hash']}"
    )


def _coverage_table(told: Coverage) -> Mapping[str, Json]:
    return {
        "files_total": told.files,
        "bytes_total": told.size,
        "files_hashed": told.hashed,
        "bytes_hashed": told.hashed_size,
        "files_hashed_again": told.again,
        "files_overdue": told.overdue,
        "within_days": told.within_days,
        "oldest_hash": told.oldest,
    }


def _is_bad(one: Known, absent: Collection[Sha256]) -> bool:
    # What was missing and is there now came anew, through a door that hashes.
    return one.blob in absent or (one.is_bad and one.state is not State.MISSING)


_Place = tuple[Held, ReleaseFile]


def _places(site: Site, bad: Collection[Sha256]) -> Mapping[Sha256, list[_Place]]:
    """Return which files of which releases have the *bad* blobs."""
    found: dict[Sha256, list[_Place]] = defaultdict(list)
    users = {one.id: one for blob in bad for one in site.registry.using(blob)}
    for held in users.values():
        for file in site.files(held):
            if file.sha256 in bad:
                found[file.sha256].append((held, file))
    return found


def _state(one: Known, absent: Collection[Sha256]) -> State:
    if one.blob in absent:
        return State.MISSING
    return one.state or State.MISSING


def _problem(
    one: Known, looked: Mapping[Sha256, Look], absent: Collection[Sha256]
) -> str:
    look = looked.get(one.blob)
    said = hashed.judge(look)[1] if look else ""
    return said or _PROBLEMS[_state(one, absent)]


def _rows(
    bad: Mapping[Sha256, Known],
    places: Mapping[Sha256, list[_Place]],
    looked: Mapping[Sha256, Look],
    absent: Collection[Sha256],
) -> Iterator[Mapping[str, Json]]:
    for blob, one in bad.items():
        look = looked.get(blob)
        for held, file in places.get(blob, ()):
            yield {
                "kind": str(About.FILE),
                "target": "store",
                "file": _label(held, file),
                "expected": blob,
                "found": look.digest if look else "",
                "state": _state(one, absent).value,
                "last_hashed": one.since,
                "problem": _problem(one, looked, absent),
            }


def _label(held: Held, file: ReleaseFile) -> str:
    release = held.release
    return f"{release.kind}:{release.name}@{release.revision[:12]}/{file.path}"


def _findings(
    bad: Mapping[Sha256, Known],
    places: Mapping[Sha256, list[_Place]],
    looked: Mapping[Sha256, Look],
    absent: Collection[Sha256],
) -> Iterator[Finding]:
    for blob, one in bad.items():
        files: list[Json] = [_label(held, file) for held, file in places.get(blob, ())]
        users = [held for held, _ in places.get(blob, ())]
        state = _state(one, absent)
        first = str(files[0]) if files else blob
        evidence: dict[str, Json] = {
            "expected": blob,
            "state": state.value,
            "problem": _problem(one, looked, absent),
            "last_hashed": one.since,
            "files": files,
            "live": one.live,
        }
        yield Finding(
            kind=KIND,
            rule=state.value,
            severity=Severity.CRITICAL if one.live else Severity.HIGH,
            subject=Subject(kind=About.FILE, name=first, digest=blob),
            title=f"{first}: {_problem(one, looked, absent)}",
            evidence=evidence,
            arrived_in=str(min((held.sequence for held in users), default="")),
            controls=_CONTROLS,
        )
