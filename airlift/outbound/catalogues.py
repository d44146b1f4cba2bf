"""The catalogues made on this host, beside its signing side.

They are kept so that numbers only rise, each names the one before it, and what a source
said last is known when it says nothing.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from airlift.digest import Sha256
from airlift.errors import RequestError, StoreError
from airlift.format import catalogue, catalogue_file
from airlift.format.catalogue import Catalogue
from airlift.store.durable import Disk, names, read_file, there

_SUFFIX: Final = ".catalogue"


@dataclass(frozen=True, slots=True, kw_only=True)
class Last:
    """The catalogue made last, and its id."""

    catalogue: Catalogue
    id: Sha256


class Shelf:
    """The catalogues made on this host.

    Args:
        folder: Where they are kept; made when the first one is.
        disk: What changes the disk.
    """

    def __init__(self, folder: Path, disk: Disk | None = None) -> None:
        self._folder = folder
        self._disk = disk or Disk()

    def last(self) -> Last | None:
        """Return the catalogue made last, or None.

        Raises:
            StoreError: The folder cannot be read.
            FormatError: The file is damaged.
        """
        if not there(self._folder):
            return None
        found = [name for name in names(self._folder) if name.endswith(_SUFFIX)]
        if not found:
            return None
        path = self._folder / max(found)
        data = read_file(path, limit=catalogue_file.LIMIT, error=StoreError)
        parts = catalogue_file.split(data, name=str(path))
        document = catalogue_file.decompress(parts.document, name=str(path))
        made = catalogue.decode(document, name=str(path))
        return Last(catalogue=made, id=catalogue.identify(document))

    def find(self, prefix: str) -> Catalogue | None:
        """Return the newest catalogue whose id begins with *prefix*, or None.

        Args:
            prefix: Hexadecimal digits, as many as a request names one by.

        Raises:
            StoreError: The folder cannot be read.
            FormatError: A file is damaged.
        """
        found = names(self._folder) if there(self._folder) else []
        for name in sorted(found, reverse=True):
            if name.endswith(_SUFFIX):
                data = read_file(self._folder / name, limit=catalogue_file.LIMIT)
                parts = catalogue_file.split(data, name=name)
                document = catalogue_file.decompress(parts.document, name=name)
                if catalogue.identify(document).startswith(prefix):
                    return catalogue.decode(document, name=name)
        return None

    def keep(self, sequence: int, data: bytes) -> None:
        """Keep the file of catalogue *sequence*, durable on return.

        Raises:
            RequestError: Another process has made one of this number meanwhile.
            StoreError: The disk refuses.
        """
        self._disk.make_folder(self._folder, mode=0o700)
        path = self._folder / f"{sequence:06d}{_SUFFIX}"
        if there(path):
            problem = f"catalogue {sequence} was made meanwhile by another airlift"
            raise RequestError(problem, hint="run the command again")
        self._disk.write_file(path, data)
