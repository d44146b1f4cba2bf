"""Facts of blobs that were looked for once: kept so that nobody has to look again.

Nothing rests on them that could not be looked for again, so a rebuild leaves them out.
By which rules they were found is part of the key: newer rules look again, and what older
ones said stays.
"""

import json
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Final, Self, TypeVar

from sqlalchemy import LargeBinary, Text, select, type_coerce

from airlift.artifact import Json
from airlift.digest import Sha256
from airlift.format import canonical
from airlift.registry import rows, schema
from airlift.registry.home import Home

Key = tuple[Sha256, str]
"""A blob, and the name by which it was looked at."""
Facts = Mapping[str, Json]
T = TypeVar("T")

# Of 100,000 rows, types that are converted one by one take longer than SQLite does.
_KNOWN: Final = select(
    type_coerce(schema.blob_fact.c.sha256, LargeBinary),
    schema.blob_fact.c.name,
    type_coerce(schema.blob_fact.c.facts, Text),
)
_KEEP: Final = (
    "INSERT OR REPLACE INTO blob_fact (sha256, name, rules, looked, facts)"
    " VALUES (?, ?, ?, ?, ?)"
)


class BlobFacts:
    """The facts that one registry keeps.

    Args:
        home: Its folder; ``Registry.open`` has accepted it.
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
        self,
        blobs: Collection[Sha256],
        rules: Collection[str],
        make: Callable[[Facts], T],
    ) -> dict[Key, T]:
        """Return what is known of *blobs* by *rules*.

        Args:
            blobs: Which.
            rules: Only what was found by one of these.
            make: Makes of facts what is returned. Asked once for all that are alike,
                as those of most small files are: what it gives is not to be changed.

        Raises:
            RegistryError: The database cannot answer.
        """
        found: dict[Key, T] = {}
        made: dict[str | None, T] = {}
        wanted = _KNOWN.where(schema.blob_fact.c.rules.in_(sorted(rules)))
        with self._home.database.read() as connection:
            for some in rows.batches(sorted(set(blobs))):
                query = wanted.where(schema.blob_fact.c.sha256.in_(some))
                for blob, name, text in connection.execute(query).all():
                    if text not in made:
                        made[text] = make(json.loads(text) if text else {})
                    found[Sha256(blob.hex()), name] = made[text]
        return found

    def keep(self, fresh: Mapping[Key, tuple[str, Facts]], *, now: str) -> None:
        """Keep facts that were looked for now, each with the rules it was found by.

        Raises:
            RegistryError: Another process writes, or this user may not.
        """
        if not fresh:
            return
        alike = {id(facts): facts for _, facts in fresh.values()}
        texts = {key: _text(facts) for key, facts in alike.items()}
        # In the order of the table, so that it grows page by page.
        told = [
            (bytes.fromhex(blob), name, rules, now, texts[id(facts)])
            for (blob, name), (rules, facts) in sorted(
                fresh.items(), key=lambda one: one[0]
            )
        ]
        home = Home(self._folder)
        try:
            with home.exclusive("audit"), home.database.write() as connection:
                connection.exec_driver_sql(_KEEP, told)
        finally:
            home.database.close()


def _text(facts: Facts) -> str | None:
    return canonical.encode(facts).decode() if facts else None
