"""Bring a database to the schema of this release."""

from pathlib import Path

from sqlalchemy import Connection, text

from airlift import naming
from airlift.errors import RegistryError

HEAD = "0007"
"""The newest revision. Stated here so that Alembic is imported only to migrate."""


def revision(connection: Connection) -> str | None:
    """Return the revision a database is at; None when it is empty."""
    tables = "SELECT count(*) FROM sqlite_master WHERE name = 'alembic_version'"
    if not connection.execute(text(tables)).scalar_one():
        return None
    found = text("SELECT version_num FROM alembic_version")
    return str(connection.execute(found).scalar_one_or_none())


def upgrade(connection: Connection) -> None:
    """Run every revision still to come, in the transaction of *connection*.

    Raises:
        RegistryError: The database was made by a newer airlift.
    """
    # 150 ms to import, and needed once in the life of a release.
    from alembic import command  # noqa: PLC0415 - see above
    from alembic.config import Config  # noqa: PLC0415
    from alembic.util import CommandError  # noqa: PLC0415

    config = Config()
    folder = Path(__file__).with_name("migrations")
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        found = naming.show(str(revision(connection)))
        problem = f"the registry is at revision {found}, this airlift knows {HEAD}"
        raise RegistryError(problem, hint="install the airlift that made it") from error
