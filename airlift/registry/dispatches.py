"""What the signed records of recorded deliveries say."""

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select

from airlift.digest import Sha256
from airlift.format import dispatch
from airlift.registry import schema
from airlift.registry.engine import FILE, Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispatched:
    """What a delivery was.

    Attributes:
        releases: Ids of the releases it named; some may have been collected since.
        needs: How many blobs it did not carry, because the site held them.
        answers: Whether it was made for a request.
    """

    releases: tuple[Sha256, ...]
    needs: int
    answers: bool


def dispatched(home: Path) -> dict[int, Dispatched]:
    """Return what each delivery in the registry of *home* was, by its number.

    The registry is one that ``Registry.open`` has accepted.

    Raises:
        RegistryError: The database cannot answer.
    """
    table = schema.delivery
    query = select(table.c.sequence, table.c.record)
    found: dict[int, Dispatched] = {}
    database = Database(home / FILE, readonly=True)
    try:
        with database.read() as connection:
            for sequence, record in connection.execute(query):
                told = dispatch.decode(record)
                found[sequence] = Dispatched(
                    releases=told.releases,
                    needs=len(told.needs),
                    answers=told.answer is not None,
                )
    finally:
        database.close()
    return found
