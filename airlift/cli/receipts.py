"""Receipts and state codes, as commands of the isolated side show them."""

import contextlib
from collections.abc import Callable
from pathlib import Path

from airlift.artifact import Json
from airlift.cli import config, output
from airlift.errors import AirliftError
from airlift.inbound.own_key import Maker
from airlift.inbound.receipts import Clerk, Written
from airlift.registry.registry import Registry
from airlift.store.blobs import BlobStore


def clerk(home: Path, registry: Registry) -> Clerk:
    """Return who writes receipts in *home*."""
    return Clerk(
        home=home,
        registry=registry,
        store=BlobStore(home / "store"),
        now=config.now(),
        actor=config.actor(),
    )


def write(home: Path, phrase: Callable[[], str] | None) -> Written:
    """Write the receipt of the site in *home*, if it says anything new.

    Args:
        home: The isolated side's.
        phrase: Asked where the site's key is encrypted; None where nobody can be.

    Raises:
        RequestError: The key is encrypted and nobody can be asked.
        RegistryError, StoreError: As the clerk's.
    """
    with contextlib.closing(Registry.open(home)) as registry:
        return write_of(home, registry, phrase)


def write_of(
    home: Path, registry: Registry, phrase: Callable[[], str] | None
) -> Written:
    """Write the receipt of the site whose registry is *registry*; as ``write``."""
    maker = Maker(home=home, registry=registry, now=config.now(), actor=config.actor())
    return clerk(home, registry).write(lambda: maker.key(phrase))


def after_import(home: Path, registry: Registry) -> Written | None:
    """Write the receipt that an import leaves; say why where that is not possible.

    What came in has come in, receipt or not: this never fails an import.
    """
    try:
        return write_of(home, registry, None)
    except AirliftError as error:
        output.note(f"warning: no receipt was written: {error.problem}")
        output.note("hint: `airlift receipt export` writes it")
        return None


def as_table(written: Written) -> dict[str, Json]:
    """Return what ``--json`` says of a receipt."""
    told = written.receipt
    return {
        "number": told.number,
        "site": told.site,
        "sequence": told.state.sequence,
        "code": written.code,
        "file": str(written.path),
        "fresh": written.fresh,
    }
