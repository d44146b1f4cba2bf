"""Rows by the hundred thousand: the files of releases, and the blobs they name.

A million files are recorded in the time a driver of SQLite takes by itself. What would
cost more is left out: a type's conversion called for each value, a parameter table for
each row, and an index that is written in random order.
"""

from collections.abc import Collection
from functools import cache
from itertools import islice
from typing import Any

from sqlalchemy import (
    Connection,
    Select,
    Table,
    delete,
    func,
    insert,
    select,
    tuple_,
)
from sqlalchemy.dialects import sqlite

from airlift.artifact import ReleaseFile
from airlift.format import canonical
from airlift.registry import rows, schema

ROWS = 10_000
"""Rows of one statement; more are no faster, and these are 5 MB in memory."""


def add_files(
    connection: Connection, release: int, files: Collection[ReleaseFile]
) -> None:
    """Record the files of the release in row *release*; ``name_blobs`` comes after."""
    left = iter(files)
    while some := [_values(release, one) for one in islice(left, ROWS)]:
        connection.exec_driver_sql(_insertion(schema.file), some)


def _values(release: int, file: ReleaseFile) -> tuple[Any, ...]:
    """Return the row of *file*, in the order and the types of the table's columns."""
    return (
        release,
        file.path,
        bytes.fromhex(file.sha256),
        file.size,
        file.git_oid,
        file.format,
        file.content_class.value,
        canonical.encode(file.facts).decode() if file.facts else None,
    )


@cache
def _insertion(table: Table) -> str:
    return str(insert(table).compile(dialect=sqlite.dialect()))


def name_blobs(connection: Connection, releases: Collection[int]) -> None:
    """Record which blobs the files of *releases* name, once these are recorded.

    Sorted by digest, so that the table grows page by page: an index of the files'
    digests, written as the files come, took 4.6 s for a million, this takes 1.5 s.
    """
    for some in rows.batches(sorted(releases)):
        connection.execute(
            insert(schema.named).from_select(list(schema.named.c), _named_by(some))
        )


def _named_by(releases: Collection[int]) -> Select[Any]:
    file = schema.file
    return (
        select(file.c.sha256, file.c.release, func.max(file.c.size))
        .where(file.c.release.in_(releases))
        .group_by(file.c.sha256, file.c.release)
        .order_by(file.c.sha256, file.c.release)
    )


def drop(connection: Connection, releases: Collection[int]) -> None:
    """Forget the files of *releases*, and which blobs they name."""
    file, named = schema.file, schema.named
    for some in rows.batches(sorted(releases)):
        gone = select(file.c.sha256, file.c.release).where(file.c.release.in_(some))
        connection.execute(
            delete(named).where(tuple_(named.c.sha256, named.c.release).in_(gone))
        )
        connection.execute(delete(file).where(file.c.release.in_(some)))
