"""The index of pieces: which blobs of the connected store may hold the same bytes.

A table of marks, 16 bytes that a piece of at most 4 MiB begins like, in a database of
its own. It keeps no content and proves nothing: whoever finds a place compares the
bytes there. So it may be deleted at any time, and fills again as blobs are packed; a
terabyte of models is 250,000 rows.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

from sqlalchemy import (
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    insert,
    select,
)

from airlift.digest import Sha256
from airlift.errors import RegistryError
from airlift.registry.engine import Database, make_file
from airlift.registry.places import PLACES, Place
from airlift.registry.schema import Digest
from airlift.store.durable import Disk, there

FILE: Final = "pieces.db"
_BATCH: Final = 500
_tables = MetaData()
_blobs = Table(
    "blobs",
    _tables,
    Column("number", Integer, primary_key=True),
    Column("sha256", Digest, nullable=False, unique=True),
)
_pieces = Table(
    "pieces",
    _tables,
    Column("blob", Integer, primary_key=True),
    Column("start", Integer, primary_key=True),
    Column("length", Integer, nullable=False),
    Column("mark", LargeBinary(16), nullable=False),
    Index("pieces_by_mark", "mark", "blob", "start"),
    sqlite_with_rowid=False,
)


class PieceIndex:
    """The index in one folder; see ``open``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Open the index in *folder*; one that is not there or damaged begins anew.

        Raises:
            RegistryError: It cannot be made.
            StoreError: The disk refused.
        """
        path = folder / FILE
        if there(path):
            # Nothing is lost with it but time.
            with suppress(RegistryError):
                return cls._prepared(path)
            for name in (FILE, f"{FILE}-journal"):
                Disk().unlink(folder / name)
        Disk().make_folder(folder, mode=0o700)
        make_file(path)
        return cls._prepared(path)

    @classmethod
    def _prepared(cls, path: Path) -> Self:
        database = Database(path)
        with database.write() as connection:
            _tables.create_all(connection)
            # A file cut short answers this and fails in the middle of an export.
            connection.execute(select(_pieces.c.mark).limit(1)).all()
        return cls(database)

    def close(self) -> None:
        """Close the database."""
        self._database.close()

    def known(self, blobs: Iterable[Sha256]) -> set[Sha256]:
        """Return those of *blobs* whose pieces are in the index.

        Raises:
            RegistryError: The database cannot answer.
        """
        return set(self._numbers(list(blobs)).values())

    def add(self, blob: Sha256, marks: Sequence[tuple[bytes, int, int]]) -> None:
        """Take in the pieces of *blob*, unless they are known.

        Args:
            blob: Whose they are; also one of no pieces is known afterwards.
            marks: The mark, start and length of each, each start once.

        Raises:
            RegistryError: The database cannot record.
        """
        with self._database.write() as connection:
            there = select(_blobs.c.number).where(_blobs.c.sha256 == blob)
            if connection.execute(there).first():
                return
            made = connection.execute(insert(_blobs), {"sha256": blob})
            assert made.inserted_primary_key
            number = made.inserted_primary_key[0]
            rows = [
                {"blob": number, "start": start, "length": length, "mark": mark}
                for mark, start, length in marks
            ]
            if rows:
                connection.execute(insert(_pieces), rows)

    def find(
        self, marks: Iterable[bytes], among: Iterable[Sha256]
    ) -> Mapping[bytes, tuple[Place, ...]]:
        """Return where pieces with these marks lie in the blobs *among*.

        Args:
            marks: Of the pieces looked for.
            among: Blobs that may be referred to, the best first.

        Returns:
            At most eight places a mark, in the order of *among*, then of their start.

        Raises:
            RegistryError: The database cannot answer.
        """
        order = {blob: rank for rank, blob in enumerate(among)}
        numbers = self._numbers(list(order))
        found: defaultdict[bytes, list[Place]] = defaultdict(list)
        wanted = sorted(set(marks))
        columns = (_pieces.c.mark, _pieces.c.blob, _pieces.c.start, _pieces.c.length)
        with self._database.read() as connection:
            for at in range(0, len(wanted), _BATCH):
                some = wanted[at : at + _BATCH]
                query = select(*columns).where(_pieces.c.mark.in_(some))
                for mark, number, start, length in connection.execute(query):
                    if number in numbers:
                        place = Place(numbers[number], start, length)
                        found[mark].append(place)
        for places in found.values():
            places.sort(key=lambda one: (order[one.blob], one.start))
        return {mark: tuple(places[:PLACES]) for mark, places in found.items()}

    def _numbers(self, blobs: Sequence[Sha256]) -> dict[int, Sha256]:
        numbers: dict[int, Sha256] = {}
        with self._database.read() as connection:
            for at in range(0, len(blobs), _BATCH):
                some = blobs[at : at + _BATCH]
                query = select(_blobs.c.number, _blobs.c.sha256)
                found = connection.execute(query.where(_blobs.c.sha256.in_(some)))
                numbers.update((number, blob) for number, blob in found)
        return numbers
