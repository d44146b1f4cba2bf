"""The watch: each turn looks at the folder, reads what rests, and says what is missing.

    look -> read what rests -> repair from spares -> what is late -> what is given up

A file is taken for what its bytes say, never for its name, its size or a marker beside
it. Nothing is deleted that is not durable elsewhere, and nothing goes live that an
import would not let go live.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from airlift import naming
from airlift.errors import (
    AirliftError,
    FormatError,
    IncompleteError,
    RegistryError,
    RequestError,
    StoreError,
    TrustError,
)
from airlift.format.volume import SIDECARS
from airlift.inbound import media, piecemeal
from airlift.inbound.arrival import Desk, Gate
from airlift.inbound.landing import Landed
from airlift.inbound.media import Candidate
from airlift.inbound.piecemeal import Piece
from airlift.watch import aside
from airlift.watch.aside import Consume
from airlift.watch.deliveries import Deliveries, Delivery, State
from airlift.watch.folder import OVER, Folder, Item, Mark, Verdict
from airlift.watch.mending import Mending
from airlift.watch.telling import Teller

_PAUSE_S: Final = 30.0
"""Seconds without a try after the disk or the registry refused."""
_PUBLISH_S: Final = 15.0
"""Seconds between two writings of the numbers for a monitor when nothing happens."""
_WAITED: Final = (State.WAITING,)
"""States of an older delivery that a newer one waits for: recorded first, the newer
one would shut the older one out for ever."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """How patient a watch is.

    Attributes:
        give_up_s: Seconds after which a file that is no good is moved aside.
        stale_s: Seconds without anything new after which a delivery is stale.
        deadline_s: Seconds after which one that is not complete is overdue; shorter
            than files live in the link's own software.
        consume: When volumes are deleted.
    """

    give_up_s: float
    stale_s: float
    deadline_s: float
    consume: Consume = Consume.NEVER


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """What time it is: on a clock that only rises, since 1970, and in words."""

    clock: float
    epoch: int
    now: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """What a watch works with.

    Attributes:
        gate: Opens where deliveries go; called anew for every turn that reads, so
            that what others collected meanwhile is not taken for held.
        desk: Who says what may go live.
        teller: Who is told.
        home: Folder for what the watch itself keeps.
    """

    gate: Callable[[], Gate]
    desk: Desk
    teller: Teller
    home: Path


class Watch:
    """Watches one folder.

    Attributes:
        folder: The folder.
        deliveries: What is known of what arrives.
    """

    def __init__(self, folder: Folder, post: Post, rules: Rules) -> None:
        self.folder, self._rules = folder, rules
        self._open, self._desk, self._teller = post.gate, post.desk, post.teller
        self._gate = post.gate()
        self.deliveries = Deliveries(post.home / "deliveries.json")
        self.deliveries.load()
        self._mending = Mending(post.home / "rebuilt")
        self._not_before, self._published = float("-inf"), float("-inf")
        self._trouble = ""

    def turn(self, moment: Moment) -> None:
        """Do what can be done now.

        Raises:
            StoreError: What the watch itself keeps cannot be written.
        """
        try:
            self.folder.look(moment.clock)
            if moment.clock >= self._not_before:
                self._read(moment)
                self._mend(moment)
                self._trouble = ""
        except (StoreError, RegistryError) as error:
            self._refused(error, moment)
        self._late(moment)
        self._give_up(moment)
        changed = self.deliveries.save()
        if changed or moment.clock - self._published >= _PUBLISH_S:
            self._published = moment.clock
            files = self.folder.items.values()
            self._teller.publish(self.deliveries, files, now=moment.epoch)

    def resting(self) -> bool:
        """Say whether nothing can be done before something new comes."""
        return not self.folder.stirring()

    def _refused(self, error: AirliftError, moment: Moment) -> None:
        """Tell of a refusal of this host once, and try again later."""
        self._not_before = moment.clock + _PAUSE_S
        if self._trouble != error.problem:
            self._trouble = error.problem
            self._teller.call("trouble", error.problem, hint=error.hint)

    def _read(self, moment: Moment) -> None:
        found = [
            (item, candidate)
            for item in self.folder.rested(moment.clock)
            if (candidate := self._look(item))
        ]
        if found:
            self._gate = self._open()
        found.sort(key=lambda one: (one[1].label.sequence, one[1].label.ordinal))
        for item, candidate in found:
            self._take(item, candidate, moment)

    def _look(self, item: Item) -> Candidate | None:
        """Return the volume that a file begins like; note what else it is."""
        if why := item.unreadable():
            # Not a stray: it may be what everybody waits for.
            self._spurn(item, Verdict.FAULTY, why)
            return None
        try:
            found = media.find([item.path], self._gate.keys)
        except RequestError:
            return None  # it was taken away; the next look tells
        if found.candidates:
            one = found.candidates[0]
            item.delivery, item.ordinal = one.label.dispatch, one.label.ordinal
            self.folder.inside[one.outside.dispatch] = one.label.dispatch
            return one
        if found.spares:
            item.judge(Verdict.SPARE)
            label = found.spares[0].label
            item.delivery, item.protects = label.dispatch, len(label.volumes)
            self._teller.say("spare", f"{item.name}: a spare", file=item.name)
            self._tidy(item)
        elif found.faults:
            self._spurn(item, Verdict.FAULTY, found.faults[0].problem)
        else:
            item.judge(Verdict.STRAY)
        return None

    def _tidy(self, item: Item) -> None:
        """Delete what came after its delivery was complete."""
        known = self.deliveries.get(item.delivery)
        over = known is not None and known.state is State.COMPLETE
        if over and self._rules.consume is not Consume.NEVER and item.ours:
            aside.delete(item)

    def _spurn(self, item: Item, verdict: Verdict, reason: str) -> None:
        """Note that a file is no good, and tell when that is news."""
        news = item.reason != reason
        item.judge(verdict, reason)
        if news:
            tell = self._teller.call if verdict is Verdict.REFUSED else self._teller.say
            tell(verdict.value, f"{item.name}: {reason}", file=item.name)

    def _take(self, item: Item, candidate: Candidate, moment: Moment) -> None:
        """Take a volume in, and note what came of it."""
        label, hold = candidate.label, self._held_up(candidate)
        try:
            piece = piecemeal.take(
                candidate, self._gate, self._desk, now=moment.now, hold=hold
            )
        except FormatError as error:
            self._spurn(item, Verdict.FAULTY, error.problem)
            return
        except (TrustError, IncompleteError) as error:
            self._spurn(item, Verdict.REFUSED, error.problem)
            return
        for line in piece.warnings:
            self._teller.say("unstable", line, file=item.name)
        delivery = self._known(piece, moment)
        if landed := piece.landed:
            self._complete(delivery, landed)
            return
        if piece.gone:
            # Nothing is known of it: it is read again when it is there and rests.
            item.since = moment.clock
            return
        _update(delivery, piece, moment)
        if piece.fault:
            self._spurn(item, Verdict.FAULTY, piece.fault)
        else:
            held = delivery.state is State.HELD
            item.judge(Verdict.HELD if held else Verdict.GOOD)
        text = f"{item.name}: volume {label.ordinal} of {label.count}; {delivery}"
        self._teller.say("volume", text, file=item.name, wanted=delivery.wanted)
        durable = item.verdict is Verdict.GOOD and item.ours
        if durable and self._rules.consume is Consume.VOLUME:
            aside.delete(item)

    def _held_up(self, candidate: Candidate) -> bool:
        """Say whether older deliveries are still arriving, which must come first."""
        label = candidate.label
        return any(
            one.site == label.site and one.sequence < label.sequence
            for one in self.deliveries.pending()
            if one.state is State.WAITING
            or (one.state is State.HELD and self.folder.of(one.id))
        )

    def _known(self, piece: Piece, moment: Moment) -> Delivery:
        """Return what is known of a delivery."""
        known = self.deliveries.get(piece.delivery.id)
        if known is None:
            record, model = piece.delivery.dispatch, piece.model
            known = Delivery(
                id=piece.delivery.id,
                site=record.site,
                sequence=record.sequence,
                first=moment.epoch,
                newest=moment.epoch,
                missing=tuple(range(1, model.count + 1)),
                cutting=model.cutting,
                count=model.count,
            )
            self.deliveries.add(known)
        return known

    def _complete(self, delivery: Delivery, landed: Landed) -> None:
        """A delivery is recorded: tell, clear up, and look again at what waited."""
        news = delivery.state is not State.COMPLETE
        delivery.state, delivery.missing = State.COMPLETE, ()
        self._mending.done(self.folder.names_of(delivery.id))
        for item in self.folder.of(delivery.id):
            # Nobody needs a bad copy any more; it is no reason for an alarm.
            item.judge(Verdict.GOOD)
            if self._rules.consume is not Consume.NEVER and item.ours:
                aside.delete(item)
        if not landed.repeat:
            # What built on it, or waited for its turn, may be welcome now.
            self.folder.reconsider(Verdict.HELD, Verdict.REFUSED)
        if news or landed.restored:
            text = _landed(delivery, landed)
            self._teller.say("complete", text, sequence=delivery.sequence)
        for one in landed.arrival.delivery.releases:
            if why := landed.held.get(one.id):
                name = naming.show(one.release.name)
                text = f"{delivery.name}: {name} waits in quarantine: {why}"
                self._teller.call("waits", text, release=one.id)
        for gone in landed.struck:
            name = naming.show(gone.release.name)
            text = f"{delivery.name}: {name} is denied and not served any more"
            self._teller.call("denied", text, release=gone.id)

    def _mend(self, moment: Moment) -> None:
        """Rebuild what is missing of a delivery once everything that came was read."""
        if self.folder.stirring():
            return
        for name, protects in self.folder.spared().items():
            known = self.deliveries.get(name)
            if known and not known.missing:
                continue
            faulty = {one.ordinal for one in self.folder.of(name, Verdict.FAULTY)}
            # Of a delivery that nothing came of but spares, all is lost so far.
            lost = len(set(known.missing) - faulty) if known else protects
            if self._mending.worth_it(name, lost, self.folder):
                self._rebuild(name, moment)

    def _rebuild(self, name: str, moment: Moment) -> None:
        """Take what can be rebuilt of a delivery from its spares."""
        found = self._mending.attempt(
            name, self.folder, self._gate.keys, self._desk.progress
        )
        for candidate in found:
            self.folder.inside[candidate.outside.dispatch] = candidate.label.dispatch
            text = f"{candidate.path.name}: rebuilt from spares"
            self._teller.say("rebuilt", text, file=candidate.path.name)
            nobody = Item(candidate.path, Mark(0, 0, 0, 0), moment.clock)
            self._take(nobody, candidate, moment)
            known = self.deliveries.get(candidate.label.dispatch)
            if known and known.state is State.COMPLETE:
                return

    def _late(self, moment: Moment) -> None:
        """Tell of deliveries of which nothing came for long, or not everything."""
        for one in self.deliveries.pending():
            if one.state is State.HELD and self.folder.of(one.id):
                continue
            state = one.state
            if moment.epoch - one.first > self._rules.deadline_s:
                state = State.OVERDUE
            elif moment.epoch - one.newest > self._rules.stale_s:
                state = State.STALE
            if state is not one.state:
                self._tell_late(one, state)
        waiting = [one for one in self.deliveries.pending() if one.state in _WAITED]
        if not waiting:
            self.folder.reconsider(Verdict.HELD)

    def _tell_late(self, one: Delivery, state: State) -> None:
        """Tell that a delivery is late, unless it was imported by other means."""
        imported = self._gate.registry.trust_state().deliveries
        if one.id in {earlier.sha256 for earlier in imported}:
            one.state, one.missing = State.COMPLETE, ()
            return
        if any(earlier.sequence > one.sequence for earlier in imported):
            state = State.SUPERSEDED
        one.state = state
        self._teller.call(
            state.value, str(one), sequence=one.sequence, wanted=one.wanted
        )

    def _give_up(self, moment: Moment) -> None:
        """Read once more what was no good for long; move it aside if it still is."""
        for item in list(self.folder.items.values()):
            late = moment.clock - item.since >= self._rules.give_up_s
            if late and self._rules.consume is not Consume.NEVER and _is_beside(item):
                aside.delete(item)
            if not (late and item.ours and item.verdict in OVER):
                continue
            if not item.again:
                item.again, item.verdict = True, Verdict.UNREAD
                continue
            try:
                target = aside.move(item, now=moment.now)
            except StoreError as error:
                item.judge(Verdict.STRAY, error.problem)
                self._teller.call("trouble", error.problem, hint=error.hint)
                continue
            text = (
                f"{item.name}: given up, moved to {target.parent.name}: {item.reason}"
            )
            self._teller.call("given-up", text, file=item.name)


def _is_beside(item: Item) -> bool:
    """Say whether a file is one of the small ones beside volumes, which nothing needs."""
    name, endings = item.path.name.upper(), tuple(map(str.upper, SIDECARS))
    ours = name.startswith("AIRLIFT-") and name.endswith(endings)
    return item.verdict is Verdict.STRAY and ours


def _update(known: Delivery, piece: Piece, moment: Moment) -> None:
    """Bring what is known of a delivery up to date."""
    # Of two cuttings the one that is nearer to its end counts.
    if known.cutting == piece.model.cutting or len(piece.missing) < len(known.missing):
        known.cutting, known.count = piece.model.cutting, piece.model.count
        known.missing = piece.missing
    known.newest = moment.epoch
    if not piece.missing:
        known.state = State.HELD
    elif known.state is not State.OVERDUE:
        known.state = State.WAITING


def _landed(delivery: Delivery, landed: Landed) -> str:
    if landed.restored:
        return f"{delivery.name} was recorded before; lost blobs are back"
    if landed.repeat:
        return f"{delivery.name} was imported before; nothing changed"
    return f"{delivery.name}: complete; live set {landed.generation}"
