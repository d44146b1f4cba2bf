"""The registry: records deliveries, says what is held, moves the live set.

Every change is one transaction under the writer lock. A row names only blobs that are
durably in the store; the live set is the members of the newest generation, and each
change of it is a new generation, so that the one before can be gone back to.
"""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Self

from airlift.artifact import Json, Kind, ReleaseFile
from airlift.digest import Sha256
from airlift.registry import (
    beliefs,
    clearance,
    denying,
    finding,
    gc,
    intake,
    moves,
    rows,
)
from airlift.registry.census import Census
from airlift.registry.custody import Custody
from airlift.registry.gc import GcPlan
from airlift.registry.held import Delivered, Event, Generation, Held, Hold, State
from airlift.registry.home import Home
from airlift.registry.intake import Stamp
from airlift.registry.live_set import LiveSet
from airlift.registry.shelf import Shelf
from airlift.store.store import Store
from airlift.trust.delivery import TrustState, VerifiedDelivery

NONE: Mapping[Sha256, Hold] = MappingProxyType({})


class Registry(LiveSet):
    """The registry of one site; made by ``create`` or ``open``.

    Args:
        home: Its folder, open.
    """

    @classmethod
    def create(cls, home: Path, *, state: TrustState, now: str, actor: str) -> Self:
        """Begin the registry of a site.

        Args:
            home: Its folder; made if it is not there.
            state: What the site believes at first: its name and the root accepted.
            now: ``YYYY-MM-DDThh:mm:ssZ``.
            actor: Who accepted the root.

        Raises:
            RegistryError: There is one already, or the folder cannot hold one.
            StoreError: The disk refused.
        """
        return cls(Home.create(home, state, now=now, actor=actor))

    @classmethod
    def open(cls, home: Path, *, readonly: bool = False) -> Self:
        """Open the registry of a site.

        Args:
            home: Its folder.
            readonly: Change nothing; for a server that may only read.

        Raises:
            RegistryError: There is none, it is of another release of airlift, it is
                damaged, or it is older than its own records.
        """
        return cls(Home.open(home, readonly=readonly))

    def close(self) -> None:
        """Close the database."""
        self._database.close()

    @contextmanager
    def exclusive(self, purpose: str) -> Iterator[None]:
        """Be the only writer of this registry and the only deleter of its store.

        An import holds it from its first blob to its record, so that no collection
        takes blobs that no record names yet. May be held again inside.

        Args:
            purpose: The command, as another writer is told.

        Raises:
            RegistryError: Another process holds it; the message says which.
        """
        with self._home.exclusive(purpose):
            yield

    # --- take in ----------------------------------------------------------------

    def trust_state(self) -> TrustState:
        """Return what the site believes.

        Raises:
            RegistryError: The database cannot answer.
        """
        with self._database.read() as connection:
            return rows.trust_state(connection)

    def record(  # noqa: PLR0913 - what an import states, all by name
        self,
        verified: VerifiedDelivery,
        store: Store,
        *,
        live: Collection[Sha256],
        now: str,
        actor: str,
        held: Mapping[Sha256, Hold] = NONE,
    ) -> int:
        """Record a delivery and everything it brings, in one transaction.

        A delivery that is recorded already changes nothing.

        Args:
            verified: The proof that the site believes it.
            store: Where all its blobs are.
            live: Ids of its releases that go live; others, and denied ones, wait.
            now: ``YYYY-MM-DDThh:mm:ssZ``.
            actor: Who imports it.
            held: Why those that wait do, for the log.

        Returns:
            The number of the live set afterwards.

        Raises:
            StoreError: A blob is not in the store, or the disk refused; nothing was
                recorded, unless it was only the summary beside the database.
            RegistryError: The registry is busy, or has changed since the verification.
        """
        with self.exclusive("import"):
            with self._database.read() as connection:
                if intake.is_recorded(connection, verified):
                    return rows.current(connection)
                intake.check_follows(connection, verified)
            intake.check_blobs(verified, store)
            told = intake.delivered(verified, now=now, actor=actor)
            self._home.keep(verified, told)
            note = f"delivery {told.sequence}"
            stamp = Stamp(now=now, actor=actor, reason="import", note=note)
            with self._home.changing("import") as connection:
                before = rows.trust_state(connection)
                fresh = denying.events(connection, verified, now=now, actor=actor)
                intake.add_delivery(connection, verified, told, verified.releases)
                intake.put_state(connection, verified.state)
                number = moves.join(connection, sorted(live), stamp, always=bool(fresh))
                detail: dict[str, Json] = {
                    "delivery": told.id,
                    "releases": len(verified.releases),
                    "live": len(live),
                    "waiting": tuple(
                        sorted({one.id for one in verified.releases} - {*live})
                    ),
                    "generation": number,
                    "held": clearance.as_detail(held),
                }
                intake.add_event(connection, intake.stamped(stamp, note, detail))
                changes = beliefs.changed(before, verified.state, stamp)
                for one in (*fresh, *changes):
                    intake.add_event(connection, one)
        return number

    # --- ask --------------------------------------------------------------------

    def releases(
        self,
        *,
        state: State | None = None,
        kind: Kind | None = None,
        name: str | None = None,
    ) -> tuple[Held, ...]:
        """Return what is held, by kind, name and falling counter.

        Args:
            state: Only those in this state.
            kind: Only those of this kind.
            name: Only those of exactly this name.

        Raises:
            RegistryError: The database cannot answer.
        """
        wanted = rows.wanted(state=state, kind=kind, name=name)
        with self._database.read() as connection:
            return rows.held(connection, *wanted)

    def find(self, reference: str) -> Held:
        """Return the one release that *reference* means.

        Args:
            reference: ``[KIND:]NAME[@REVISION]`` with a revision's first digits or
                one of its refs (``NAME:TAG`` does too), or a release id's first four
                digits or more.

        Raises:
            RequestError: None is meant, or several; they are listed.
            RegistryError: The database cannot answer.
        """
        with self._database.read() as connection:
            return finding.find(connection, reference)

    def files(self, release_id: Sha256) -> tuple[ReleaseFile, ...]:
        """Return the files of a release, sorted by path; empty where it is not held.

        Raises:
            RegistryError: The database cannot answer.
        """
        with self._database.read() as connection:
            return rows.files(connection, release_id)

    def document(self, release_id: Sha256) -> bytes:
        """Return the signed document of a release.

        Raises:
            RequestError: It is not held.
            RegistryError: The database cannot answer.
        """
        with self._database.read() as connection:
            return finding.document(connection, release_id)

    def using(self, blob: Sha256) -> tuple[Held, ...]:
        """Return the releases that have *blob* among their files.

        Raises:
            RegistryError: The database cannot answer.
        """
        with self._database.read() as connection:
            return rows.held(connection, rows.names(blob))

    def deliveries(self, *, newest: int | None = None) -> tuple[Delivered, ...]:
        """Return recorded deliveries, newest first.

        Raises:
            RegistryError: The database cannot answer.
        """
        with self._database.read() as connection:
            return rows.deliveries(connection, newest)

    def generations(
        self, *, newest: int | None = None, only: int | None = None
    ) -> tuple[Generation, ...]:
        """Return generations, newest first; at most *newest*, or *only* that number.

        Raises:
            RegistryError: The database cannot answer.
        """
        with self._database.read() as connection:
            return rows.generations(connection, newest=newest, only=only)

    def events(
        self, *, newest: int | None = None, action: str | None = None
    ) -> tuple[Event, ...]:
        """Return the log, or its newest lines, in the order things happened.

        Raises:
            RegistryError: The database cannot answer.
        """
        with self._database.read() as connection:
            return rows.events(connection, newest=newest, action=action)

    def census(self) -> Census:
        """Return what all releases name, for whoever goes through all of it."""
        return Census(self._database)

    def custody(self) -> Custody:
        """Return who may approve what here, and what waits for it."""
        return Custody(self._database)

    def shelf(self, store: Store) -> Shelf:
        """Return what is live, as a server looks things up."""
        return Shelf(self._database, store)

    # --- collect ----------------------------------------------------------------

    def doomed(self, store: Store) -> GcPlan:
        """Return what a collection would delete; see ``registry.gc`` for what it keeps.

        Raises:
            RegistryError: The database cannot answer.
            StoreError: The store cannot be listed.
        """
        with self._database.read() as connection:
            return gc.doomed(connection, store)

    def collect(
        self,
        plan: GcPlan,
        store: Store,
        *,
        now: str,
        actor: str,
        given_up: Collection[str] = (),
    ) -> int:
        """Delete what is in *plan* and is still not needed; return the bytes freed.

        Args:
            plan: As ``doomed`` made it, or a part of that.
            store: Where the blobs are.
            now: ``YYYY-MM-DDThh:mm:ssZ``.
            actor: Who does it.
            given_up: Ids of deliveries that never became complete and are gone now.

        Raises:
            RegistryError: The registry is busy or cannot record.
            StoreError: The disk refused; another collection finds what is left.
        """
        stamp = Stamp(now=now, actor=actor, reason="gc")
        with self.exclusive("gc"):
            with self._home.changing("gc") as connection:
                gone = gc.drop(connection, plan)
                detail: dict[str, Json] = {"ids": gone, "blobs": len(plan.blobs)}
                if given_up:
                    detail["incoming"] = tuple(sorted(given_up))
                intake.add_event(connection, intake.stamped(stamp, "", detail))
            with self._database.read() as connection:
                return gc.sweep(connection, store, plan)
