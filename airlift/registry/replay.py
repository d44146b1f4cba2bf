"""The tables again, from nothing but the log and the signed records (docs/log.md).

A registry is a function of its log: each line says what was done, deliveries and
catalogues lie beside it as they came, and the code that did it first does it again, by
the rules that were in force then. So a release that is live, and that no line made live
or that the policy of the day kept back, does not come out of it.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path

from sqlalchemy import Connection

from airlift.digest import Sha256, sha256
from airlift.errors import RegistryError
from airlift.registry import (
    clearance,
    denying,
    intake,
    log,
    migration,
    moves,
    rows,
    upstream,
)
from airlift.registry.held import Event
from airlift.registry.intake import Stamp
from airlift.registry.records import Kept, Records
from airlift.registry.verifying import Verify
from airlift.trust.delivery import TrustState, VerifiedDelivery

_HINT = "the log or `records` was changed: run `airlift log verify`"
_TOOL = "airlift "


class Replay:
    """Does again, in an empty database, what the lines of a log say was done.

    Args:
        connection: Of a transaction in an empty database.
        home: Where the records are; nothing is changed there.
        verify: Judges each delivery.

    Attributes:
        connection: As it was given.
    """

    def __init__(self, connection: Connection, home: Path, verify: Verify) -> None:
        self.connection, self._home = connection, home
        self._records, self._verify = Records(home), verify
        self._state: TrustState | None = None
        migration.upgrade(connection)

    def take(self, event: Event) -> None:
        """Do what the next line says, and add it to the log.

        Raises:
            RegistryError: A record that it names is missing, or is another.
            TrustError: A delivery is not believed, or the policy kept a release back.
            RequestError: It cannot have been done as it says.
        """
        act = _ACTS.get(event.action)
        if act and event.outcome == "done":
            act(self, event)
        log.extend(self.connection, [event])

    # --- what lines say was done ------------------------------------------------

    def create(self, event: Event) -> None:
        """Begin with the root that was accepted."""
        anchor = self._records.anchor()
        if sha256(anchor) != event.detail.get("anchor"):
            problem = "records/anchor.json is not the root that the log names"
            raise RegistryError(problem, hint=_HINT)
        site, least = (event.detail.get(one) for one in ("site", "least"))
        self._state = TrustState(
            site=str(site), anchor=anchor, least=least if isinstance(least, int) else 0
        )
        intake.put_state(self.connection, self._state)

    def bring(self, event: Event) -> None:
        """Record a delivery, and make live what did not have to wait."""
        wanted = Sha256(str(event.detail.get("delivery")))
        kept = next((one for one in self._kept() if wanted[:12] == one.prefix), None)
        if kept is None:
            problem = f"the records of {event.subject} are missing"
            raise RegistryError(problem, hint=_HINT)
        verified, denied = self._delivery(kept, event)
        if verified.id != wanted:
            problem = f"the records of {event.subject} are not what the log names"
            raise RegistryError(problem, hint=_HINT)
        waiting = set(_waiting(event))
        live = sorted({one.id for one in verified.releases} - waiting)
        moves.join(self.connection, live, _stamp(event), always=denied)

    def rebuild(self, event: Event) -> None:
        """Record what a rebuild found that the power had kept out of the log."""
        unlisted = event.detail.get("unlisted")
        for kept in self._kept():
            if isinstance(unlisted, list | tuple) and kept.sequence in unlisted:
                self._delivery(kept, None)
        missed = event.detail.get("catalogues")
        for one in missed if isinstance(missed, list | tuple) else ():
            upstream.again(self.connection, self._home, Sha256(str(one)), None)

    def catalogue(self, event: Event) -> None:
        """Record a catalogue."""
        found = Sha256(str(event.detail.get("id")))
        upstream.again(self.connection, self._home, found, event)

    def activate(self, event: Event) -> None:
        """Make releases live."""
        moves.activate(self.connection, _ids(event), _stamp(event))

    def leave(self, event: Event) -> None:
        """Take releases out of the live set."""
        moves.leave(self.connection, _ids(event), _stamp(event))

    def rollback(self, event: Event) -> None:
        """Make an earlier live set live again."""
        to = event.detail.get("to")
        stamp = _stamp(event)
        moves.rollback(self.connection, to if isinstance(to, int) else None, stamp)

    def deny(self, event: Event) -> None:
        """Deny releases and blobs; what a signed list denies came with its delivery."""
        if "denied" not in event.detail:
            moves.deny(self.connection, _ids(event), _stamp(event))

    def pin(self, event: Event) -> None:
        """Pin releases."""
        moves.pin(self.connection, _ids(event), _stamp(event))

    def unpin(self, event: Event) -> None:
        """Unpin releases."""
        moves.unpin(self.connection, _ids(event))

    def collect(self, event: Event) -> None:
        """Forget what was collected."""
        numbers = rows.numbers(self.connection, _ids(event))
        intake.drop_releases(self.connection, numbers.values())

    # --- deliveries -------------------------------------------------------------

    def _kept(self) -> Iterable[Kept]:
        return self._records.deliveries()

    def _delivery(
        self, kept: Kept, event: Event | None
    ) -> tuple[VerifiedDelivery, bool]:
        """Verify and record one delivery, and say whether it denies more than before.

        *event* says who did so first, and when.
        """
        if self._state is None:
            problem = "the log does not begin with the root that was accepted"
            raise RegistryError(problem, hint=_HINT)
        offered, facts = self._records.read(kept)
        when = event.time if event else facts.text("imported")
        # What was taken late was so by approvals that are in the log by now.
        given = clearance.approvals(self.connection)
        verified = self._verify(offered, self._state, now=when, approvals=given)
        tool = event.tool.removeprefix(_TOOL) if event else ""
        told = intake.delivered(
            verified,
            now=when,
            actor=event.actor if event else facts.text("actor"),
            version=tool or facts.text("version"),
        )
        connection = self.connection
        fresh = denying.events(connection, verified, now=when, actor=told.actor)
        intake.add_delivery(connection, verified, told, verified.releases)
        self._state = verified.state
        intake.put_state(self.connection, self._state)
        return verified, bool(fresh)


_ACTS: Mapping[str, Callable[[Replay, Event], None]] = {
    "create": Replay.create,
    "import": Replay.bring,
    "rebuild": Replay.rebuild,
    "catalogue": Replay.catalogue,
    "activate": Replay.activate,
    "remove": Replay.leave,
    "rollback": Replay.rollback,
    "deny": Replay.deny,
    "pin": Replay.pin,
    "unpin": Replay.unpin,
    "gc": Replay.collect,
}
"""Lines of other actions change no table but the log."""


def _stamp(event: Event) -> Stamp:
    return Stamp(
        now=event.time, actor=event.actor, reason=event.action, note=event.subject
    )


def _waiting(event: Event) -> Collection[str]:
    """Return the releases of a delivery that did not go live at once."""
    if "waiting" in event.detail:
        return _ids(event, "waiting")
    held = event.detail.get("held")  # all that an older airlift said of them
    listed = held if isinstance(held, list) else []
    return [str(one.get("id")) for one in listed if isinstance(one, Mapping)]


def _ids(event: Event, key: str = "ids") -> Collection[Sha256]:
    listed = event.detail.get(key)
    return [Sha256(str(one)) for one in listed] if isinstance(listed, list) else []
