"""Evidence packs that were recorded at a site: files in ``HOME/reports``, by time.

They are no facts of the registry: each is signed and speaks for itself.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from airlift.digest import Sha256, sha256
from airlift.errors import AirliftError
from airlift.format import pack
from airlift.store.durable import Disk, names, read_file, there
from airlift.trust import site_key

FOLDER: Final = "reports"
REPORT: Final = "report.json"
SCHEMA: Final = "airlift.audit/1"
"""Of the reports that can be shown; one of a later airlift is not guessed at."""
_NAME: Final = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{16}\.tar", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """A pack that was recorded.

    Attributes:
        name: Of its file: the time of its report, and the run.
        size: Bytes.
    """

    name: str
    size: int

    @property
    def run_id(self) -> str:
        """16 digits that name its report."""
        return self.name[17:33]

    @property
    def time(self) -> str:
        """When its report was made, ``YYYY-MM-DDThh:mm:ssZ``."""
        day, clock = self.name[:8], self.name[9:15]
        return f"{day[:4]}-{day[4:6]}-{day[6:]}T{clock[:2]}:{clock[2:4]}:{clock[4:]}Z"


def name_of(time: str, run_id: str) -> str:
    """Return the name of the file of a report made at *time*."""
    return f"{re.sub('[-:]', '', time)}-{run_id}.tar"


def recorded(home: Path) -> tuple[Recorded, ...]:
    """Return the packs recorded in *home*, the newest first.

    Raises:
        StoreError: The folder cannot be read.
    """
    folder = home / FOLDER
    if not there(folder):
        return ()
    found = sorted((one for one in names(folder) if _NAME.fullmatch(one)), reverse=True)
    return tuple(
        Recorded(name=one, size=(folder / one).stat().st_size) for one in found
    )


def record(home: Path, name: str, data: bytes) -> Sha256:
    """Keep the pack *data* under *name*, durably; return its digest.

    Raises:
        StoreError: The disk refuses.
    """
    disk = Disk()
    disk.make_folder(home / FOLDER, mode=0o700)
    disk.write_file(home / FOLDER / name, data, mode=0o400)
    return sha256(data)


def read(home: Path, name: str) -> bytes | None:
    """Return the bytes of the pack *name*; None where there is none of that name.

    Raises:
        StoreError: It cannot be read.
    """
    path = home / FOLDER / name
    if not _NAME.fullmatch(name) or not there(path):
        return None
    return read_file(path, limit=pack.LIMIT)


def report(home: Path, name: str) -> dict[str, Any] | None:
    """Return the report in the pack *name*, if the site's key of today signed it.

    None where it did not: who can write the folder must not be able to write reports.
    `airlift audit check`, with an earlier key, says more.
    """
    try:
        data, key = read(home, name), site_key.read_public(home)
        files = pack.decode(data or b"", name=name)[1]
    except AirliftError:
        return None
    listed, signature = files.get(pack.DIGESTS, b""), files.get(pack.SIGNATURE, b"")
    if key is None or REPORT not in files or listed != pack.list_digests(files):
        return None
    if not site_key.verifies(key, site_key.Purpose.EVIDENCE, listed, signature):
        return None
    found: dict[str, Any] = json.loads(files[REPORT])
    return found if found.get("schema") == SCHEMA else None


class Reports:
    """The recorded packs of a site, for whoever shows them; safe from any thread.

    Args:
        home: The site's folder.
    """

    def __init__(self, home: Path) -> None:
        self._home = home
        self._known: tuple[str, dict[str, Any] | None] = ("", None)

    def recorded(self) -> tuple[Recorded, ...]:
        """Return the packs, the newest first.

        Raises:
            StoreError: The folder cannot be read.
        """
        return recorded(self._home)

    def report(self, name: str) -> dict[str, Any] | None:
        """Return the report in a pack; None where this site's key did not sign it."""
        # A pack never changes under its name, and the newest is what is asked for.
        known = self._known
        if known[0] != name:
            self._known = known = (name, report(self._home, name))
        return known[1]

    def pack(self, name: str) -> bytes | None:
        """Return the bytes of a pack; None where there is none of that name.

        Raises:
            StoreError: It cannot be read.
        """
        return read(self._home, name)
