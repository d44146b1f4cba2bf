"""What this site knows of upstream: the catalogues it took in, and what they withdrew.

Below the home::

    records/catalogues/000040-0123456789ab.catalogue    catalogue 40, as it came

The law is that of deliveries: the file is durable **before** its transaction commits. A
number never falls: the rows say which is the newest, and the log beside the database
knows of every one, so that a database put back from a copy does not open.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from sqlalchemy import ColumnElement, Connection, insert, select, update

from airlift.artifact import Json
from airlift.digest import Sha256
from airlift.errors import RegistryError
from airlift.format import catalogue_file, withdrawal
from airlift.format.catalogue import Catalogue
from airlift.format.withdrawal import Withdrawal
from airlift.registry import catalogue_files, intake, rows, schema
from airlift.registry.held import Event
from airlift.registry.home import Home
from airlift.store.durable import Disk, names, read_file, there
from airlift.trust.catalogue import Newest, VerifiedCatalogue
from airlift.trust.delivery import TrustState

ACTION: Final = "catalogue"
"""What the log calls taking one in, and refusing one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A catalogue that was taken in.

    Attributes:
        sequence: Its number.
        id: SHA-256 of its document.
        issued: When it was made, by its own word.
        next_expected: When the next was to be made.
        valid_until: When it stopped to be worth much.
        imported: When it came here, by this host's clock.
        actor: Who took it in.
    """

    sequence: int
    id: Sha256
    issued: str
    next_expected: str
    valid_until: str
    imported: str
    actor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A withdrawal that no answer has taken back.

    Attributes:
        withdrawal: What.
        since: Number of the catalogue that said so first.
    """

    withdrawal: Withdrawal
    since: int


class Upstream:
    """What a site knows of upstream; made by ``open``.

    Args:
        home: Its registry's folder, open.
        folder: Where the registry lies.
    """

    def __init__(self, home: Home, folder: Path) -> None:
        self._home = home
        self._folder = catalogue_files.folder(folder)

    @classmethod
    def open(cls, folder: Path, *, readonly: bool = False) -> Self:
        """Open the registry in *folder*.

        Raises:
            RegistryError: As ``Registry.open``.
        """
        return cls(Home.open(folder, readonly=readonly), folder)

    def close(self) -> None:
        """Close the database."""
        self._home.database.close()

    # --- take in ----------------------------------------------------------------

    def trust_state(self) -> TrustState:
        """Return what the site believes.

        Raises:
            RegistryError: The database cannot answer.
        """
        with self._home.database.read() as connection:
            return rows.trust_state(connection)

    def newest(self) -> Newest | None:
        """Return the newest catalogue held, as trust asks for it; None before the first.

        Raises:
            RegistryError: The database cannot answer.
        """
        found = self.taken(newest=1)
        if not found:
            return None
        return Newest(
            sequence=found[0].sequence, id=found[0].id, issued=found[0].issued
        )

    def record(self, verified: VerifiedCatalogue, *, now: str, actor: str) -> None:
        """Keep a catalogue that is believed; the newest held changes nothing.

        Raises:
            RegistryError: The registry is busy, or has a newer one meanwhile.
            StoreError: The disk refused.
        """
        made = verified.catalogue
        with self._home.exclusive("catalogue import"):
            newest = self.newest()
            if newest is not None and newest.id == verified.id:
                return
            if newest is not None and newest.sequence >= made.sequence:
                problem = f"catalogue {newest.sequence} was taken in meanwhile"
                raise RegistryError(problem, hint="run the import again")
            disk = Disk()
            disk.make_folder(self._folder, mode=0o700)
            path = self._folder / catalogue_files.name(made.sequence, verified.id)
            disk.write_file(path, verified.file, mode=0o400)
            with self._home.changing("catalogue import") as connection:
                add(connection, made, _taken(made, verified.id, now, actor))
                detail: dict[str, Json] = {
                    "id": verified.id,
                    "missed": verified.missed,
                    "keys": tuple(one.key_id for one in verified.signed_by),
                }
                subject = f"catalogue {made.sequence}"
                told = Event(
                    time=now, actor=actor, action=ACTION, subject=subject, detail=detail
                )
                intake.add_event(connection, told)

    def refuse(self, problem: str, *, now: str, actor: str) -> None:
        """Note in the log that a catalogue was refused, and why.

        Raises:
            RegistryError: The database cannot record.
            StoreError: The disk refused to take it down beside the database.
        """
        detail: dict[str, Json] = {"problem": problem[:500]}
        told = Event(
            time=now, actor=actor, action=ACTION, outcome="refused", detail=detail
        )
        with self._home.changing("catalogue import") as connection:
            intake.add_event(connection, told)

    # --- ask --------------------------------------------------------------------

    def taken(self, *, newest: int | None = None) -> tuple[Taken, ...]:
        """Return the catalogues taken in, newest first.

        Raises:
            RegistryError: The database cannot answer.
        """
        table = schema.catalogue
        query = select(table).order_by(table.c.sequence.desc()).limit(newest)
        with self._home.database.read() as connection:
            return tuple(Taken(**row) for row in connection.execute(query).mappings())

    def read(self, one: Taken) -> Catalogue:
        """Return what the catalogue *one* says.

        Raises:
            RegistryError: Its file is missing or is another.
        """
        return catalogue_files.read(
            self._folder / catalogue_files.name(one.sequence, one.id), one.id
        )

    def file(self, one: Taken) -> bytes:
        """Return the file of the catalogue *one*, as it came, signatures and all.

        Raises:
            RegistryError: It is missing.
        """
        path = self._folder / catalogue_files.name(one.sequence, one.id)
        return read_file(path, limit=catalogue_file.LIMIT, error=RegistryError)

    def standing(self) -> tuple[Standing, ...]:
        """Return what is withdrawn and was not given again, in order.

        Raises:
            RegistryError: The database cannot answer.
        """
        with self._home.database.read() as connection:
            return _standing(connection)

    def last_seen(self) -> str:
        """Return the latest time this host has shown since the newest catalogue came.

        Of the log, from the line on that took the catalogue in: a clock that was once
        far ahead is forgotten with the next catalogue. Empty before the first.

        Raises:
            RegistryError: The database cannot answer.
        """
        with self._home.database.read() as connection:
            done = [
                one.number
                for one in rows.events(connection, action=ACTION)
                if one.outcome == "done"
            ]
            if not done:
                return ""
            since = rows.events(connection, after=done[-1] - 1)
            return max((one.time for one in since), default="")


def add(connection: Connection, made: Catalogue, taken: Taken) -> None:
    """Record a catalogue and what it withdraws or takes back."""
    connection.execute(
        insert(schema.catalogue).values(
            sequence=taken.sequence,
            id=taken.id,
            issued=taken.issued,
            next_expected=taken.next_expected,
            valid_until=taken.valid_until,
            imported=taken.imported,
            actor=taken.actor,
        )
    )
    table = schema.withdrawal
    open_ones = {one.withdrawal.key: one.withdrawal for one in _standing(connection)}
    stated = {one.key: one for one in withdrawal.stated(made)}
    for key, known in open_ones.items():
        if key not in stated and withdrawal.is_taken_back(known, made):
            connection.execute(
                update(table).where(*_is(known)).values(until=made.sequence)
            )
    for key, one in stated.items():
        fresh: dict[str, str | int | None] = {
            "reason": one.reason,
            "as_of": one.as_of,
            "until": None,
        }
        if key not in open_ones:
            fresh["since"] = made.sequence
        known_rows = connection.execute(update(table).where(*_is(one)).values(**fresh))
        if not known_rows.rowcount:
            connection.execute(
                insert(table).values(
                    kind=one.kind,
                    name=one.name,
                    subject=one.subject,
                    what=one.what,
                    reason=one.reason,
                    as_of=one.as_of,
                    since=made.sequence,
                )
            )


def replay(
    connection: Connection, home: Path, events: Iterable[Event]
) -> tuple[Sha256, ...]:
    """Record again every catalogue kept in *home*; return those the log does not know.

    A file is written only after it was believed, so one that the log does not know of
    yet counts too, unless the log knows another of its number: what it withdrew must
    not be forgotten because the power went.

    Args:
        connection: To a database without any.
        home: The folder of the registry.
        events: The log, which says who took each in, and when.

    Raises:
        RegistryError: A file is damaged.
    """
    told = {
        one.detail.get("id"): one
        for one in events
        if (one.action, one.outcome) == (ACTION, "done")
    }
    folder = catalogue_files.folder(home)
    found: dict[int, tuple[bool, Catalogue, Taken]] = {}
    for name in sorted(names(folder)) if there(folder) else ():
        if catalogue_files.NAME.fullmatch(name) is None:
            continue
        made, digest = catalogue_files.unpacked(folder / name)
        if name != catalogue_files.name(made.sequence, digest):
            raise catalogue_files.another(folder / name)
        event = told.get(digest)
        when, who = (event.time, event.actor) if event else (made.issued, "")
        one = (event is not None, made, _taken(made, digest, when, who))
        if made.sequence not in found or one[0]:
            found[made.sequence] = one
    for sequence in sorted(found):
        _, made, taken = found[sequence]
        add(connection, made, taken)
    return tuple(taken.id for known, _, taken in found.values() if not known)


def again(
    connection: Connection, home: Path, digest: Sha256, event: Event | None
) -> None:
    """Record again one catalogue, unless it is; *event* says who took it in, if any.

    Raises:
        RegistryError: Its file is missing or is another.
    """
    table, folder = schema.catalogue, catalogue_files.folder(home)
    if connection.execute(select(table.c.id).where(table.c.id == digest)).first():
        return
    for name in names(folder) if there(folder) else ():
        if (match := catalogue_files.NAME.fullmatch(name)) and digest.startswith(
            match[2]
        ):
            made = catalogue_files.read(folder / name, digest)
            when, who = (event.time, event.actor) if event else (made.issued, "")
            add(connection, made, _taken(made, digest, when, who))
            return
    problem = f"the catalogue {digest[:12]} is missing from records"
    raise RegistryError(problem, hint=catalogue_files.HINT)


def _taken(made: Catalogue, digest: Sha256, now: str, actor: str) -> Taken:
    return Taken(
        sequence=made.sequence,
        id=digest,
        issued=made.issued,
        next_expected=made.next_expected,
        valid_until=made.valid_until,
        imported=now,
        actor=actor,
    )


def _standing(connection: Connection) -> tuple[Standing, ...]:
    table = schema.withdrawal
    query = (
        select(table)
        .where(table.c.until.is_(None))
        .order_by(table.c.kind, table.c.name, table.c.subject, table.c.what)
    )
    return tuple(
        Standing(
            withdrawal=Withdrawal(
                kind=row.kind,
                name=row.name,
                subject=row.subject,
                what=row.what,
                reason=row.reason,
                as_of=row.as_of,
            ),
            since=row.since,
        )
        for row in connection.execute(query)
    )


def _is(one: Withdrawal) -> tuple[ColumnElement[bool], ...]:
    table = schema.withdrawal
    columns = (table.c.kind, table.c.name, table.c.subject, table.c.what)
    return tuple(
        column == value for column, value in zip(columns, one.key, strict=True)
    )
