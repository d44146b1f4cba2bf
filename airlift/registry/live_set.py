"""What people do to a registry: moves of the live set, pins, denials; all in the log.

Whatever is refused here is in the log too: who tried what, and why it was refused.
"""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

from sqlalchemy import Connection

from airlift.artifact import NOTHING, Json
from airlift.digest import Sha256
from airlift.errors import RequestError, TrustError
from airlift.registry import intake, moves, rows
from airlift.registry.held import Event
from airlift.registry.home import Home
from airlift.registry.intake import Stamp
from airlift.trust.site_key import SiteKey


class LiveSet:
    """The part of ``Registry`` that moves the live set, and the log of it.

    Args:
        home: The folder of the registry, open.
    """

    def __init__(self, home: Home) -> None:
        self._home = home
        self._database = home.database

    # --- the log ----------------------------------------------------------------

    @contextmanager
    def refusals(self, told: Event) -> Iterator[None]:
        """Log *told* as refused, and why, where what is done in the block is refused.

        Raises:
            RegistryError: The database cannot record.
            StoreError: The disk refused to take it down beside the database.
        """
        try:
            yield
        except (TrustError, RequestError) as error:
            detail = {**told.detail, "problem": error.problem}
            self.log(replace(told, outcome="refused", detail=detail))
            raise

    def seal(self, key: SiteKey) -> None:
        """Sign the log as it is now, unless that is done.

        Raises:
            TrustError: The key is another site's.
            RegistryError: The registry is busy or cannot record.
            StoreError: The disk refused.
        """
        self._home.seal(key)

    def log(self, told: Event) -> None:
        """Add a line to the log; it is numbered there.

        Raises:
            RegistryError: The database cannot record.
            StoreError: The disk refused to take it down beside the database.
        """
        with self._home.recording() as connection:
            intake.add_event(connection, told)
        self._home.catch_up()

    # --- move the live set ------------------------------------------------------

    def activate(self, ids: Collection[Sha256], *, now: str, actor: str) -> int:
        """Make releases live, beside what is; return the live set's number.

        Raises:
            RequestError: One is not held, or is denied.
            RegistryError: The registry is busy or cannot record.
        """
        stamp = Stamp(now=now, actor=actor, reason="activate")
        with self._moving(stamp, ids) as connection:
            return moves.activate(connection, ids, stamp)

    def deactivate(self, ids: Collection[Sha256], *, now: str, actor: str) -> int:
        """Take releases out of the live set; return its number.

        Raises:
            RequestError: One is not held.
            RegistryError: The registry is busy or cannot record.
        """
        stamp = Stamp(now=now, actor=actor, reason="remove")
        with self._moving(stamp, ids) as connection:
            return moves.leave(connection, ids, stamp)

    def rollback(self, to: int | None = None, *, now: str, actor: str) -> int:
        """Make an earlier live set live again, as a new one; return its number.

        Args:
            to: Which; None for the one before the current one.
            now: ``YYYY-MM-DDThh:mm:ssZ``.
            actor: Who does it.

        Raises:
            RequestError: There is no such set, or some of it was collected.
            RegistryError: The registry is busy or cannot record.
        """
        note = "to the one before" if to is None else f"to {to}"
        stamp = Stamp(now=now, actor=actor, reason="rollback", note=note)
        with self._moving(stamp, (), {"to": to}) as connection:
            return moves.rollback(connection, to, stamp)

    def deny(
        self, digests: Collection[Sha256], *, why: str, now: str, actor: str
    ) -> int:
        """Never serve these releases, nor any with one of these blobs.

        Args:
            digests: Ids of releases, or digests of blobs; held or not.
            why: For whoever asks.
            now: ``YYYY-MM-DDThh:mm:ssZ``.
            actor: Who does it.

        Returns:
            The number of the live set afterwards.

        Raises:
            RegistryError: The registry is busy or cannot record.
        """
        stamp = Stamp(now=now, actor=actor, reason="deny", note=why)
        with self._moving(stamp, digests) as connection:
            return moves.deny(connection, digests, stamp)

    def pin(self, ids: Collection[Sha256], *, why: str, now: str, actor: str) -> None:
        """Keep releases from being collected until they are unpinned.

        Raises:
            RequestError: One is not held.
            RegistryError: The registry is busy or cannot record.
        """
        stamp = Stamp(now=now, actor=actor, reason="pin", note=why)
        with self._moving(stamp, ids) as connection:
            moves.pin(connection, ids, stamp)

    def unpin(self, ids: Collection[Sha256], *, now: str, actor: str) -> None:
        """Let releases be collected once nothing else keeps them.

        Raises:
            RequestError: One is not held.
            RegistryError: The registry is busy or cannot record.
        """
        stamp = Stamp(now=now, actor=actor, reason="unpin")
        with self._moving(stamp, ids) as connection:
            moves.unpin(connection, ids)

    @contextmanager
    def _moving(
        self, stamp: Stamp, ids: Collection[Sha256], more: Mapping[str, Json] = NOTHING
    ) -> Iterator[Connection]:
        detail: dict[str, Json] = {**more}
        if ids:
            detail["ids"] = tuple(sorted(ids))
        told = intake.stamped(stamp, stamp.note, detail)
        with self.refusals(told), self._home.changing(stamp.reason) as connection:
            yield connection
            after: dict[str, Json] = {"generation": rows.current(connection)}
            intake.add_event(connection, replace(told, detail={**detail, **after}))
