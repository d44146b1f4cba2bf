"""``airlift rebuild``: recreate the database from store and records."""

from pathlib import Path

import click

from airlift import naming
from airlift.artifact import Json
from airlift.cli import config, output
from airlift.errors import RegistryError, StoreError
from airlift.registry.rebuild import Rebuilt, rebuild
from airlift.store.blobs import BlobStore
from airlift.trust.verifier import verify


@click.command("rebuild")
@config.home_option
@config.json_option
def command(home: Path, *, as_json: bool) -> int:
    """Recreate the registry's database from the signed records beside it.

    Every delivery on record is verified again, as on the day it was imported; pins,
    denials, live sets and the log come from the records too. The old database is put
    aside, not deleted. A running `serve` must be started again. Exit code 6 when the
    store lacks blobs that releases name.
    """
    if not (home / "records").is_dir():
        # Before the store is opened, which would make a folder of a mistyped name.
        problem = f"there are no records in {naming.show(str(home))} to rebuild from"
        raise RegistryError(problem, hint="name the right folder with --home")
    done = rebuild(
        home,
        BlobStore(home / "store"),
        verify=verify,
        now=config.now(),
        actor=config.actor(),
    )
    if as_json:
        output.as_json(_as_json(done))
        return StoreError.exit_code if done.missing else 0
    output.line(
        f"recreated from {done.deliveries} deliveries: {done.releases} releases"
    )
    if done.aside:
        output.line(f"the old database is {naming.show(str(done.aside))}")
    for sequence in done.unlisted:
        output.line(f"delivery {sequence} was being recorded: it waits in quarantine")
    if done.missing:
        problem = f"the store lacks {len(done.missing)} blob(s) that releases name"
        raise StoreError(problem, hint="`airlift verify` names them and their releases")
    return 0


def _as_json(done: Rebuilt) -> dict[str, Json]:
    return {
        "deliveries": done.deliveries,
        "releases": done.releases,
        "missing": done.missing,
        "unlisted": done.unlisted,
        "aside": str(done.aside) if done.aside else "",
    }
