"""Q2 for one thing: where it came from, who vouched for it, who let it in.

A release, a delivery, a digest, or a path as a runtime has it: the path is hashed, and
what its bytes are decides, not what it is called.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from airlift.artifact import Json, ReleaseFile
from airlift.audit.answer import Answer
from airlift.audit.finding import About, Finding, Severity, Subject
from airlift.audit.origin import Origin
from airlift.audit.site import Site
from airlift.digest import Sha256
from airlift.registry import finding, observations, scans
from airlift.registry.held import Delivered, Event, Generation, Held
from airlift.trust import approval

QUESTION: Final = "Q2"
COLUMNS: Final = ("step", "time", "actor", "key", "object", "digest", "recorded")
_IMPORT: Final = "import"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing that happened to what is traced.

    Attributes:
        step: What, in a word or two.
        time: When; empty where nothing tells.
        actor: Who; empty where nothing tells.
        key: Whose signature vouches for it; empty for nobody's.
        object: To what.
        digest: Of that.
        recorded: Where it can be looked up.
    """

    step: str
    object: str
    recorded: str
    time: str = ""
    actor: str = ""
    key: str = ""
    digest: str = ""

    @property
    def row(self) -> Mapping[str, Json]:
        """It, as a row of the table."""
        return {name: getattr(self, name) for name in COLUMNS}


def trace(site: Site, origins: Sequence[Origin]) -> Answer:
    """Return every step on record of what *origins* mean.

    Args:
        site: Open.
        origins: What was asked about, as ``origin`` found it.
    """
    past = _Past(site)
    steps = [step for one in origins for step in _steps(past, one)]
    foreign = tuple(_foreign(one) for one in origins if one.is_foreign)
    times = [one.time for one in steps if one.time]
    return Answer(
        question=QUESTION,
        as_of=max(times, default=""),
        columns=COLUMNS,
        rows=tuple(one.row for one in steps),
        findings=foreign,
        unknown=tuple(line for one in origins for line in one.unread),
        counts={
            "traced": sum(1 for one in origins if not one.is_foreign),
            "foreign": len(foreign),
        },
    )


def _foreign(one: Origin) -> Finding:
    return Finding(
        kind="origin",
        rule="not-ours",
        severity=Severity.HIGH,
        subject=Subject(kind=About.FILE, name=one.asked, digest=one.digest),
        title=f"{one.asked}: not ours, {one.why}",
        evidence={"digest": one.digest, "why": one.why},
        controls=("SR-4", "CM-14"),
    )


def _steps(past: "_Past", one: Origin) -> Iterator[Step]:
    if one.is_foreign:
        yield Step(
            step="not ours", object=one.asked, digest=one.digest, recorded=one.why
        )
        return
    if one.how:
        yield Step(step="found", object=one.asked, digest=one.digest, recorded=one.how)
    if one.delivery:
        yield from past.delivery(one.delivery)
    for held, file in one.releases:
        yield from past.release(held, file)


class _Past:
    """What the registry has on record, read once for everything that is traced."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._events = site.events()
        self._generations: Sequence[Generation] = tuple(reversed(site.generations))
        self._deliveries = {one.sequence: one for one in site.deliveries}
        self._dispatches = {one.sequence: one.id for one in site.deliveries}
        self._scans = scans.told_by(self._events)
        self._approvals = site.registry.custody().approvals()

    def delivery(self, one: Delivered) -> Iterator[Step]:
        """Yield how a delivery was signed and taken in."""
        place = f"records/{one.sequence:06d}-{one.id[:12]}"
        for signed in one.signed_by:
            yield Step(
                step=f"signed as {signed.role}",
                time=one.issued,
                actor=signed.name or one.operator,
                key=signed.key_id,
                object=f"delivery {one.sequence}",
                digest=one.id,
                recorded=place,
            )
        told = [
            event
            for event in self._events
            if event.action == _IMPORT and event.detail.get("delivery") == one.id
        ]
        yield Step(
            step="imported",
            time=one.imported,
            actor=one.actor,
            object=f"delivery {one.sequence}, by airlift {one.version}",
            digest=one.id,
            recorded=_line(told[0]) if told else place,
        )

    def release(self, held: Held, file: ReleaseFile | None) -> Iterator[Step]:
        """Yield what happened to a release, the way it went."""
        yield from _upstream(held)
        if file is not None:
            yield Step(
                step="named",
                object=f"{finding.label(held)}/{file.path}",
                digest=file.sha256,
                recorded="the signed document of the release",
            )
        if delivery := self._deliveries.get(held.sequence):
            yield from self.delivery(delivery)
        later = [*self._judged(held), *self._moved(held), *self._told(held)]
        yield from sorted(later, key=lambda step: step.time)
        yield from self._hashed(held, file)
        yield from self._observed(held, file)

    def _judged(self, held: Held) -> Iterator[Step]:
        for event in self._events:
            if event.action == _IMPORT and (why := _kept_back(event, held.id)):
                yield _step(f"kept back: {why}", event, held)
        for one in scans.of(self._scans, held, self._dispatches):
            yield Step(
                step=f"scanned: {one.words}",
                time=one.scan.at,
                actor=one.scan.by,
                object=finding.label(held),
                digest=one.scan.report,
                recorded=f"records/scans/{one.scan.report}.txt",
            )
        for given in self._approvals:
            if (given.subject.what, given.subject.digest) == (
                approval.RELEASE,
                held.id,
            ):
                yield Step(
                    step="approved",
                    time=given.at,
                    actor=given.by,
                    key=given.key_id,
                    object=finding.label(held),
                    digest=held.id,
                    recorded="the log",
                )

    def _moved(self, held: Held) -> Iterator[Step]:
        """Yield when it went live and when it stopped to be."""
        before = frozenset[Sha256]()
        for one in self._generations:
            now = frozenset(one.releases)
            if (held.id in before) is not (held.id in now):
                yield Step(
                    step="went live" if held.id in now else "left the live set",
                    time=one.created,
                    actor=one.actor,
                    object=f"{finding.label(held)} ({one.reason})",
                    digest=held.id,
                    recorded=f"generation {one.number}",
                )
            before = now

    def _told(self, held: Held) -> Iterator[Step]:
        """Yield what else the log says of it: pinned, denied, collected."""
        for event in self._events:
            ids = event.detail.get("ids")
            named = isinstance(ids, list | tuple) and held.id in ids
            # Those are told by the live sets they made.
            if named and event.action not in ("activate", "remove"):
                yield _step(event.action, event, held)

    def _hashed(self, held: Held, file: ReleaseFile | None) -> Iterator[Step]:
        known = self._site.known
        files = (file,) if file else self._site.files(held)
        looks = [known[one.sha256] for one in files if one.sha256 in known]
        if not looks:
            return
        oldest = min(looks, key=lambda one: one.since)
        bad = sum(1 for one in looks if one.is_bad)
        again = sum(1 for one in looks if one.state is not None)
        yield Step(
            step="last hashed",
            time=oldest.since,
            object=f"{len(looks)} files, {again} again since they came, {bad} bad",
            digest=oldest.blob if file else "",
            recorded="the registry: the look that is longest ago",
        )

    def _observed(self, held: Held, file: ReleaseFile | None) -> Iterator[Step]:
        wanted = {one.sha256 for one in ((file,) if file else self._site.files(held))}
        for kept in observations.newest(self._events):
            seen = observations.read(self._site.home, kept)
            here = {one.sha256 for model in seen.models for one in model.files}
            if found := len(wanted & here):
                yield Step(
                    step="observed",
                    time=kept.time,
                    actor=kept.actor,
                    object=f"host {kept.host}: {found} of {len(wanted)} files",
                    digest=kept.id,
                    recorded=f"records/observations/{kept.id}.json",
                )


def _upstream(held: Held) -> Iterator[Step]:
    told = held.release.upstream
    said = (str(told.get(key) or "") for key in ("endpoint", "repository"))
    place = " ".join(one for one in said if one)
    yield Step(
        step="fetched",
        time=str(told.get("modified") or ""),
        actor=place,
        object=finding.label(held),
        digest=held.release.revision,
        recorded="the signed document of the release",
    )
    yield Step(
        step="released",
        object=f"{finding.label(held)}, release {held.release.counter} of it",
        digest=held.id,
        recorded="the signed document of the release",
    )


def _step(step: str, event: Event, held: Held) -> Step:
    return Step(
        step=step,
        time=event.time,
        actor=event.actor,
        object=finding.label(held),
        digest=held.id,
        recorded=_line(event),
    )


def _line(event: Event) -> str:
    return f"event {event.number}"


def _kept_back(event: Event, release: Sha256) -> str:
    held = event.detail.get("held")
    for one in held if isinstance(held, list | tuple) else ():
        if isinstance(one, Mapping) and one.get("id") == release:
            return str(one.get("why") or "no reason given")
    return ""
