"""Every statement that a registry runs, collected: counts are the same anywhere."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import event

from airlift.registry.overview import Overview
from airlift.registry.registry import Registry


@contextmanager
def statements(asked: Registry | Overview) -> Iterator[list[str]]:
    """Collect every statement that *asked* runs, as SQLite is given it."""
    found: list[str] = []
    engine = asked._database._engine

    def note(*call: object) -> None:
        found.append(str(call[2]))

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield found
    finally:
        event.remove(engine, "before_cursor_execute", note)
