"""Facts of blobs that were looked for once: kept so that nobody has to look again.

Nothing rests on them that could not be looked for again, so a rebuild leaves them out.
By which rules they were found is part of the key: newer rules look again, and what older
ones said stays.
"""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Self

from sqlalchemy import insert, select

from airlift.artifact import Json
from airlift.digest import Sha256
from airlift.registry import rows, schema
from airlift.registry.home import Home

Key = tuple[Sha256, str]
"""A blob, and the name by which it was looked at."""
Facts = Mapping[str, Json]


class BlobFacts:
    """The facts that one registry keeps.

    Args:
        home: Its folder; ``Catalog.open`` has accepted it.
    """

    def __init__(self, home: Path) -> None:
        self._home = Home(home, readonly=True)
        self._folder = home

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the database."""
        self._home.database.close()

    def known(
        self, blobs: Collection[Sha256], rules: Collection[str]
    ) -> dict[Key, Facts]:
        """Return what is known of *blobs* by *rules*.

        Raises:
            RegistryError: The database cannot answer.
        """
        table = schema.blob_fact
        query = select(table.c.sha256, table.c.name, table.c.facts)
        query = query.where(table.c.rules.in_(sorted(rules)))
        found: dict[Key, Facts] = {}
        with self._home.database.read() as connection:
            for some in rows.batches(sorted(set(blobs))):
                for row in connection.execute(query.where(table.c.sha256.in_(some))):
                    found[row.sha256, row.name] = row.facts
        return found

    def keep(self, fresh: Mapping[Key, tuple[str, Facts]], *, now: str) -> None:
        """Keep facts that were looked for now, each with the rules it was found by.

        Raises:
            RegistryError: Another process writes, or this user may not.
        """
        table = schema.blob_fact
        home = Home(self._folder)
        try:
            with home.exclusive("audit"), home.database.write() as connection:
                statement = insert(table).prefix_with("OR REPLACE")
                told = [
                    {
                        "sha256": blob,
                        "name": name,
                        "rules": rules,
                        "looked": now,
                        "facts": facts,
                    }
                    for (blob, name), (rules, facts) in sorted(fresh.items())
                ]
                if told:
                    connection.execute(statement, told)
        finally:
            home.database.close()
