"""The files of the catalogues that a site took in, below ``records/catalogues``."""

import re
from pathlib import Path
from typing import Final

from airlift import naming
from airlift.digest import Sha256
from airlift.errors import FormatError, RegistryError
from airlift.format import catalogue as catalogue_format
from airlift.format import catalogue_file
from airlift.format.catalogue import Catalogue
from airlift.store.durable import read_file

NAME: Final = re.compile(r"(\d{6,16})-([0-9a-f]{12})\.catalogue", re.ASCII)
HINT: Final = "import the newest catalogue, or restore `records` from a backup"


def folder(home: Path) -> Path:
    """Return where they are, below the folder of the registry."""
    return home / "records" / "catalogues"


def name(sequence: int, digest: Sha256) -> str:
    """Return what the file of a catalogue is called."""
    return f"{sequence:06d}-{digest[:12]}.catalogue"


def read(path: Path, digest: Sha256) -> Catalogue:
    """Return what the catalogue of *digest* at *path* says.

    Raises:
        RegistryError: It is damaged, or another one.
    """
    made, found = unpacked(path)
    if found != digest:
        raise another(path)
    return made


def unpacked(path: Path) -> tuple[Catalogue, Sha256]:
    """Return what a file says, and the digest of its document.

    Raises:
        RegistryError: It is damaged or cannot be read.
    """
    shown = naming.show(path.name)
    data = read_file(path, limit=catalogue_file.LIMIT, error=RegistryError)
    try:
        parts = catalogue_file.split(data, name=shown)
        document = catalogue_file.decompress(parts.document, name=shown)
        made = catalogue_format.decode(document, name=shown)
    except FormatError as error:
        raise RegistryError(error.problem, hint=HINT) from error
    return made, catalogue_format.identify(document)


def another(path: Path) -> RegistryError:
    """Return the error that says a file is not the one that its name says."""
    problem = f"{naming.show(str(path))} is not the catalogue its name says"
    return RegistryError(problem, hint=HINT)
