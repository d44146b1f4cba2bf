"""The folder of a registry: database, lock and records, kept in step."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from sqlalchemy import Connection

from airlift import naming
from airlift.artifact import Json
from airlift.digest import sha256
from airlift.errors import RegistryError
from airlift.registry import (
    audit,
    denying,
    intake,
    log,
    mark,
    migration,
    rows,
    sealing,
    summary,
)
from airlift.registry.engine import FILE, Database, make_file, refuse_network
from airlift.registry.held import Delivered, Event
from airlift.registry.lock import BusyError, WriterLock
from airlift.registry.mark import Mark, Marker
from airlift.registry.records import CHECKPOINT, Records
from airlift.registry.summary import Summary
from airlift.store.durable import Disk, failing, there
from airlift.trust.delivery import TrustState, VerifiedDelivery
from airlift.trust.site_key import SiteKey

LOCK = "registry.lock"


class Home:
    """One registry; made by ``create`` or ``open``.

    Args:
        folder: Where it lies.
        readonly: Whether nothing may be written.

    Attributes:
        database: Its database.
        records: The files beside it.
        marker: The mark of how far it has come, on other storage.
    """

    def __init__(self, folder: Path, *, readonly: bool = False) -> None:
        self._folder = folder
        self._readonly = readonly
        self._lock = WriterLock(folder / LOCK)
        self.records = Records(folder)
        self.marker = Marker(folder)
        self.database = Database(folder / FILE, readonly=readonly)

    @classmethod
    def create(cls, folder: Path, state: TrustState, *, now: str, actor: str) -> Self:
        """Begin the registry of a site.

        Raises:
            RegistryError: There is one already, or the folder cannot hold one.
            StoreError: The disk refused.
        """
        Disk().make_folder(folder, mode=0o700)
        refuse_network(folder)
        home = cls(folder)
        with home.exclusive("trust init"):
            _refuse_present(folder)
            make_file(folder / FILE)
            with home.recording() as connection:
                home.begin(connection, state)
                told: dict[str, Json] = {
                    "site": state.site,
                    "anchor": sha256(state.anchor),
                    "least": state.least,
                }
                begun = Event(time=now, actor=actor, action="create", detail=told)
                intake.add_event(connection, begun)
            home.write_down()
        return home

    def begin(self, connection: Connection, state: TrustState) -> None:
        """Make the tables and record what the site believes at first.

        Raises:
            RegistryError: There are tables already.
            StoreError: The disk refused.
        """
        if migration.revision(connection) is not None:
            raise _present(self._folder)
        # Before the commit: a database whose root is not kept cannot be made again.
        self.records.begin(state.anchor)
        migration.upgrade(connection)
        intake.put_state(connection, state)

    @classmethod
    def open(cls, folder: Path, *, readonly: bool = False) -> Self:
        """Open the registry of a site.

        Raises:
            RegistryError: There is none, it is of another release of airlift, it is
                damaged, or it is older than its own records.
        """
        if not there(folder / FILE, error=RegistryError):
            raise _absent(folder)
        refuse_network(folder)
        home = cls(folder, readonly=readonly)
        # The files first: what they say was in the database before they said it, so
        # a writer between the two readings cannot make it look old.
        told, logged = home.records.summary(), home.records.newest_event()
        sealed = home.records.checkpoint()
        noted = home.marker.noted(needed=not readonly)
        home._bring_up_to_date()
        with home.database.read() as connection:
            found, newest = summary.of(connection), log.size(connection)
            if told:
                _refuse_old(found, told)
            _check_age("has {} events", newest, logged)
            denying.check(connection)
            if sealed:
                audit.check_extends(connection, sealed.checkpoint, str(CHECKPOINT))
            signed = sealing.newest_size(connection)
        mark.compare(mark.of(found, newest), noted)
        written = sealed.checkpoint.size if sealed else 0
        if not readonly and (found, newest, signed) != (told, logged, written):
            home.catch_up()
        return home

    def _bring_up_to_date(self) -> None:
        with self.database.read() as connection:
            revision = migration.revision(connection)
        if revision is None:
            raise _absent(self._folder)
        if revision == migration.HEAD:
            return
        if self._readonly:
            problem = f"the registry is at revision {naming.show(revision)}"
            hint = "run `airlift list` once as the user who owns it"
            raise RegistryError(problem, hint=hint)
        with self.exclusive("migrate"), self.recording() as connection:
            migration.upgrade(connection)

    @contextmanager
    def exclusive(self, purpose: str) -> Iterator[None]:
        """Be the only writer; see ``Registry.exclusive``.

        Raises:
            RegistryError: Another process is.
        """
        with self._lock.held(purpose):
            yield

    @contextmanager
    def changing(self, purpose: str) -> Iterator[Connection]:
        """Give a transaction under the lock; its changes are written down after it.

        Raises:
            RegistryError: Another process writes, or the database refused.
            StoreError: The change is recorded, and the disk refused to take it down
                in the records; the next opening does so.
        """
        with self.exclusive(purpose):
            with self.recording() as connection:
                yield connection
            self.write_down()

    @contextmanager
    def recording(self) -> Iterator[Connection]:
        """Give a transaction; what it adds to the log is signed before it commits.

        Raises:
            RegistryError: The database refused.
        """
        with self.database.write() as connection:
            yield connection
            sealing.seal(connection, self._folder)

    def seal(self, key: SiteKey) -> None:
        """Sign the log as it is now, unless that is done.

        Raises:
            TrustError: The key is another site's.
            RegistryError: Another process writes, or the database refused.
            StoreError: The disk refused.
        """
        with self.exclusive("seal"):
            with self.database.write() as connection:
                if sealing.newest_size(connection) != log.size(connection):
                    sealing.seal_by(connection, key)
            self.write_down()

    def keep(self, verified: VerifiedDelivery, told: Delivered) -> None:
        """Keep the records of a delivery before it is recorded; hold the lock.

        Raises:
            RegistryError: The database cannot answer.
            StoreError: The disk refused.
        """
        self._drop_unrecorded()
        self.records.keep(verified, told)

    def _drop_unrecorded(self) -> None:
        with self.database.read() as connection:
            known = rows.deliveries(connection)
        self.records.drop_unrecorded((one.sequence, one.id) for one in known)

    def catch_up(self) -> None:
        """Write down what was recorded and not written down, unless somebody writes.

        Raises:
            StoreError: The disk refused.
        """
        try:
            with self.exclusive("open"):
                self._drop_unrecorded()
                self.write_down()
        except BusyError:
            return  # whoever writes now writes all of it down when done

    def reached(self) -> Mark:
        """Return how far the registry has come, as its mark says it.

        Raises:
            RegistryError: The database cannot answer.
        """
        with self.database.read() as connection:
            return mark.of(summary.of(connection), log.size(connection))

    def write_down(self) -> None:
        """Bring the summary and the log beside the database up to date.

        Raises:
            StoreError: The disk refused.
        """
        with self.database.read() as connection:
            told = summary.of(connection)
            fresh = rows.events(connection, after=self.records.newest_event())
            sealed = sealing.newest(connection)
        self.records.put_summary(told)
        self.records.add_events(fresh)
        # Last: what a checkpoint covers must never be found in the database alone.
        if sealed:
            self.records.put_checkpoint(sealed.note)
        self.marker.put(mark.of(told, self.records.newest_event()))


def _refuse_present(folder: Path) -> None:
    with failing("look at", folder / FILE, error=RegistryError):
        if (folder / FILE).exists() and (folder / FILE).stat().st_size:
            raise _present(folder)


def _present(folder: Path) -> RegistryError:
    problem = f"{naming.show(str(folder))} has a registry already"
    return RegistryError(problem, hint="use it, or choose another folder (`--home`)")


def _absent(folder: Path) -> RegistryError:
    problem = f"there is no registry in {naming.show(str(folder))}"
    hint = "run `airlift trust init`, or choose another folder (`--home`)"
    if there(folder / "records" / "state.json", error=RegistryError):
        hint = "run `airlift rebuild`: its records are here"
    return RegistryError(problem, hint=hint)


def _refuse_old(found: Summary, told: Summary) -> None:
    """Refuse a database that its own records say was further once.

    A copy put back, by mistake or by somebody who wants an old delivery accepted
    again, would let sequence, counters and verified time fall.
    """
    _check_age("ends at delivery {}", found.sequence, told.sequence)
    _check_age("ends at generation {}", found.generation, told.generation)
    if (found.site, found.anchor) != (told.site, told.anchor):
        problem = f"the registry is of site {found.site}, its records of {told.site}"
        hint = "the database or the records were put in the place of others"
        raise RegistryError(problem, hint=hint)


def _check_age(what: str, found: int, told: int) -> None:
    if found < told:
        problem = f"the registry {what.format(found)}, its records say {told}"
        hint = "an old copy was put back: run `airlift rebuild`"
        raise RegistryError(problem, hint=hint)
