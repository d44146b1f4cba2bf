"""The ledger of deliveries on the connected side: what was begun and what was written.

One folder a site, one canonical JSON file a delivery, replaced as a whole. A delivery
whose records were signed and whose volumes were not finished is taken up again by the
next export of the same content.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from airlift.artifact import Json
from airlift.digest import Sha256
from airlift.format import canonical, dispatch
from airlift.format.dispatch import Dispatch
from airlift.format.fields import Fields
from airlift.store.durable import Disk

FORMAT = "airlift/ledger/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeNote:
    """A volume that was written: its file name, size in bytes and SHA-256."""

    name: str
    size: int
    sha256: Sha256


class Ledger:
    """The ledger kept in *folder*."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def begin(self, record: Dispatch) -> None:
        """Note that a delivery is about to be signed and written."""
        self._write(record, written="", volumes=())

    def finish(
        self, record: Dispatch, volumes: Sequence[VolumeNote], *, now: str
    ) -> None:
        """Note that all volumes of a delivery were written and synced."""
        self._write(record, written=now, volumes=volumes)

    def unfinished(self, site: str) -> Dispatch | None:
        """Return the newest delivery to *site* if its volumes were never finished."""
        newest = max((self._folder / site).glob("*.json"), default=None)
        if newest is None:
            return None
        data = canonical.decode(newest.read_bytes(), name=newest.name, limit=64 << 20)
        entry = Fields(data, record=str(newest))
        entry.expect("format", FORMAT)
        if entry.text("written"):
            return None
        return dispatch.decode(entry.text("dispatch").encode(), name=str(newest))

    def _write(
        self, record: Dispatch, *, written: str, volumes: Sequence[VolumeNote]
    ) -> None:
        notes: list[Json] = [
            {"name": one.name, "size": one.size, "sha256": one.sha256}
            for one in volumes
        ]
        entry: dict[str, Json] = {
            "format": FORMAT,
            "dispatch": dispatch.encode(record).decode(),
            "written": written,
            "volumes": notes,
        }
        path = self._folder / record.site / f"{record.sequence:06d}.json"
        disk = Disk()
        disk.make_folder(path.parent, mode=0o700)
        disk.write_file(path, canonical.encode(entry))
