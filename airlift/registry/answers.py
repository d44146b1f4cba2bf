"""Answers to requests, as recorded deliveries brought them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select

from airlift.digest import Sha256
from airlift.format import dispatch
from airlift.format.answer import Answer
from airlift.registry import schema
from airlift.registry.engine import FILE, Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """An answer, and the delivery that brought it."""

    sequence: int
    answer: Answer


def answers(home: Path) -> Mapping[Sha256, tuple[Answered, ...]]:
    """Return every answer in the registry of *home*, by the id of its request.

    The registry is one that ``Registry.open`` has accepted; the oldest comes first.

    Raises:
        RegistryError: The database cannot answer.
    """
    table = schema.delivery
    query = select(table.c.sequence, table.c.record).order_by(table.c.sequence)
    found: dict[Sha256, tuple[Answered, ...]] = {}
    database = Database(home / FILE, readonly=True)
    try:
        with database.read() as connection:
            for sequence, record in connection.execute(query):
                if told := dispatch.decode(record).answer:
                    one = Answered(sequence=sequence, answer=told)
                    found[told.id] = (*found.get(told.id, ()), one)
    finally:
        database.close()
    return found
