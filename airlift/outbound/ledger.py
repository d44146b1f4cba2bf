"""The ledger of deliveries on the connected side: what was begun and what was written.

One folder a site, one canonical JSON file a delivery, replaced as a whole; beside it
the recipes of blobs that were made of others, if there are any. A delivery
whose records were signed and whose volumes were not finished is taken up again by the
next export of the same content.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from airlift.artifact import Json
from airlift.digest import Sha256
from airlift.format import canonical, dispatch
from airlift.format.dispatch import Dispatch
from airlift.format.fields import Fields
from airlift.outbound import recipe
from airlift.outbound.recipe import Recipe
from airlift.outbound.standing import Standing, Standings
from airlift.store.durable import Disk, read_file

FORMAT = "airlift/ledger/1"
RECIPES = "airlift/recipes/1"
_LIMIT = 64 << 20
_RECIPES_LIMIT = 1 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeNote:
    """A volume that was written: its file name, size in bytes and SHA-256."""

    name: str
    size: int
    sha256: Sha256


@dataclass(frozen=True, slots=True, kw_only=True)
class HandOver:
    """That a delivery left this side, on one medium.

    Attributes:
        time: When, ``YYYY-MM-DDThh:mm:ssZ``.
        by: Who took it.
        medium: What is written on it: its label, its serial number; may be empty.
        note: Whatever else is to be known; may be empty.
        arrived: Whether that is told of its end: it was given to somebody there.
    """

    time: str
    by: str
    medium: str = ""
    note: str = ""
    arrived: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What the ledger says of a delivery.

    Attributes:
        record: Its dispatch record.
        written: When its volumes were finished; empty while they are not.
        volumes: Its volumes.
        mount: The mount they were written on, as ``mounts.mount_of`` tells it.
        checks: Slips of the times it was read back.
        anchor: Whether it carries everything, for later ones to build on.
        hand_overs: When and with whom it left, oldest first.
    """

    record: Dispatch
    written: str = ""
    volumes: tuple[VolumeNote, ...] = ()
    mount: str = ""
    checks: tuple[str, ...] = ()
    anchor: bool = False
    hand_overs: tuple[HandOver, ...] = ()

    @property
    def sequence(self) -> int:
        """Its number among those to its site."""
        return self.record.sequence

    @property
    def size(self) -> int:
        """Bytes of its volumes and spares."""
        return sum(one.size for one in self.volumes)


class Ledger:
    """The ledger kept in *folder*."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._standings = Standings(folder)

    def standing(self, site: str) -> Standing:
        """Return what *site* is known to hold, and by what.

        Raises:
            FormatError: The file is damaged.
            StoreError: It cannot be read.
        """
        return self._standings.read(site)

    def keep_standing(self, site: str, standing: Standing) -> None:
        """Keep what *site* is known to hold in the place of what was; durable.

        Raises:
            StoreError: The disk refuses.
        """
        self._standings.write(site, standing)

    @property
    def folder(self) -> Path:
        """Where it is kept."""
        return self._folder

    def write(self, entry: Entry) -> None:
        """Keep *entry* in the place of what was known of its delivery; durable.

        Raises:
            StoreError: The disk refuses.
        """
        volumes: list[Json] = [
            {"name": one.name, "size": one.size, "sha256": one.sha256}
            for one in entry.volumes
        ]
        table: dict[str, Json] = {
            "format": FORMAT,
            "dispatch": dispatch.encode(entry.record).decode(),
            "written": entry.written,
            "volumes": volumes,
            "mount": entry.mount,
            "checks": entry.checks,
            "anchor": entry.anchor,
            "hand_overs": [asdict(one) for one in entry.hand_overs],
        }
        path = self._path(entry.record.site, entry.record.sequence)
        disk = Disk()
        disk.make_folder(path.parent, mode=0o700)
        disk.write_file(path, canonical.encode(table))

    def finish(
        self, record: Dispatch, now: str, volumes: tuple[VolumeNote, ...], mount: str
    ) -> None:
        """Keep that the volumes of the delivery *record* were finished; durable.

        What else is known of it stays, but for the times it was read back.

        Raises:
            StoreError: The disk refuses.
        """
        known = self.read(record.site, record.sequence) or Entry(record=record)
        self.write(replace(known, written=now, volumes=volumes, mount=mount, checks=()))

    def read(self, site: str, sequence: int) -> Entry | None:
        """Return what is known of a delivery; None where nothing is."""
        path = self._path(site, sequence)
        if not path.exists():
            return None
        data = read_file(path, limit=_LIMIT)
        top = Fields(
            canonical.decode(data, name=str(path), limit=_LIMIT), record=str(path)
        )
        top.expect("format", FORMAT)
        return Entry(
            record=dispatch.decode(top.text("dispatch").encode(), name=str(path)),
            written=top.text("written"),
            volumes=tuple(_note(one) for one in top.tables("volumes")),
            mount=top.text("mount"),
            checks=top.texts("checks"),
            anchor=top.flag("anchor", default=False),
            hand_overs=tuple(_hand_over(one) for one in top.tables("hand_overs")),
        )

    def written(self, site: str) -> tuple[int, ...]:
        """Return the deliveries to *site* whose volumes were finished, newest first."""
        return tuple(
            one.sequence for one in reversed(self.entries(site)) if one.written
        )

    def entries(self, site: str) -> tuple[Entry, ...]:
        """Return what is known of every delivery to *site*, oldest first.

        Raises:
            FormatError: A file is damaged.
            StoreError: One cannot be read.
        """
        found = (self.read(site, number) for number in sorted(self._numbers(site)))
        return tuple(entry for entry in found if entry)

    def keep_recipes(
        self, site: str, sequence: int, recipes: Mapping[Sha256, Recipe]
    ) -> None:
        """Keep how blobs of a delivery were made of others, to make them so again.

        Raises:
            StoreError: The disk refuses.
        """
        path = self._recipes_path(site, sequence)
        disk = Disk()
        if not recipes:
            # What an export left that was killed before it signed.
            disk.unlink(path)
            return
        listed: list[Json] = [
            {"blob": blob, **recipes[blob].as_table()} for blob in sorted(recipes)
        ]
        disk.make_folder(path.parent, mode=0o700)
        data = canonical.encode({"format": RECIPES, "recipes": listed})
        disk.write_file(path, data)

    def recipes(self, site: str, sequence: int) -> Mapping[Sha256, Recipe]:
        """Return how blobs of a delivery were made of others.

        Raises:
            FormatError: The file is damaged.
            StoreError: It cannot be read.
        """
        path = self._recipes_path(site, sequence)
        if not path.exists():
            return {}
        data = read_file(path, limit=_RECIPES_LIMIT)
        top = Fields(
            canonical.decode(data, name=str(path), limit=_RECIPES_LIMIT),
            record=str(path),
        )
        top.expect("format", RECIPES)
        return {
            one.sha256("blob"): recipe.from_table(one) for one in top.tables("recipes")
        }

    def newest(self, site: str) -> Entry | None:
        """Return the newest delivery to *site*; None before the first."""
        numbers = self._numbers(site)
        return self.read(site, max(numbers)) if numbers else None

    def _numbers(self, site: str) -> list[int]:
        return [int(path.stem) for path in (self._folder / site).glob("*.json")]

    def _recipes_path(self, site: str, sequence: int) -> Path:
        return self._path(site, sequence).with_suffix(".recipes")

    def _path(self, site: str, sequence: int) -> Path:
        return self._folder / site / f"{sequence:06d}.json"


def _hand_over(entry: Fields) -> HandOver:
    return HandOver(
        time=entry.text("time"),
        by=entry.text("by"),
        medium=entry.text("medium"),
        note=entry.text("note"),
        arrived=entry.flag("arrived"),
    )


def _note(entry: Fields) -> VolumeNote:
    return VolumeNote(
        name=entry.text("name"),
        size=entry.number("size"),
        sha256=entry.sha256("sha256"),
    )
