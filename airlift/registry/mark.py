"""The high-water mark: how far a registry has come, noted on other storage.

A registry that is put back from a copy, files and all, cannot know that it was further
once: everything beside it went back with it. The mark is a small file elsewhere, on
another disk or host, that is written after every change and compared whenever the
registry is opened. Where it lies stands in ``HOME/mark.path``.

The law: a mark never falls. The third home of the same numbers is the receipt that a
courier carries back: the connected side refuses one that is behind the one before.
"""

from dataclasses import dataclass
from pathlib import Path

from airlift import naming
from airlift.artifact import Json
from airlift.digest import Sha256
from airlift.errors import FormatError, RegistryError, RequestError, StoreError
from airlift.format import canonical
from airlift.format.dispatch import is_time
from airlift.format.fields import Fields
from airlift.registry.summary import Summary
from airlift.store.durable import Disk, read_file, there

FORMAT = "airlift/mark/1"
PLACE = "mark.path"
"""Name of the file in the home that says where the mark lies."""
_LIMIT = 4096
_BEHIND = (
    "an old copy was put back: restore a newer one; if there is none, `airlift trust"
    " mark --forget`, then import the newest delivery before anything is served"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """How far a registry has come.

    Attributes:
        site: Whose it is.
        anchor: SHA-256 of the root accepted at the first installation.
        floor: The largest verified time.
        sequence: Of the newest delivery; 0 before the first.
        generation: Number of the live set.
        events: Lines of the log.
    """

    site: str
    anchor: Sha256
    floor: str
    sequence: int
    generation: int
    events: int

    def behind(self, other: "Mark") -> str:
        """Say in what this is behind *other*; empty where it is in nothing."""
        numbers = (
            ("delivery", self.sequence, other.sequence),
            ("live set", self.generation, other.generation),
            ("line of the log", self.events, other.events),
            ("verified time", self.floor, other.floor),
        )
        return next(
            (
                f"{what} {has}, the mark says {had}"
                for what, has, had in numbers
                if has < had  # type: ignore[operator]
            ),
            "",
        )


def of(told: Summary, events: int) -> Mark:
    """Return the mark of a registry with this summary and so many lines of log."""
    return Mark(
        site=told.site,
        anchor=told.anchor,
        floor=told.floor,
        sequence=told.sequence,
        generation=told.generation,
        events=events,
    )


def encode(mark: Mark) -> bytes:
    """Return the canonical bytes of *mark*."""
    record: dict[str, Json] = {
        "format": FORMAT,
        "site": mark.site,
        "anchor": mark.anchor,
        "floor": mark.floor,
        "sequence": mark.sequence,
        "generation": mark.generation,
        "events": mark.events,
    }
    return canonical.encode(record)


def read(path: Path) -> Mark:
    """Return the mark in the file *path*.

    Raises:
        RegistryError: It cannot be read, or is none.
    """
    data = read_file(path, limit=_LIMIT, error=RegistryError)
    name = naming.show(str(path))
    try:
        value = canonical.decode(data, name=name, limit=_LIMIT)
    except FormatError as error:
        raise RegistryError(error.problem, hint=error.hint) from error
    top = Fields(value, record=name, error=RegistryError)
    top.exactly(
        *("format", "site", "anchor", "floor", "sequence", "generation", "events")
    )
    top.expect("format", FORMAT)
    if not is_time(floor := top.text("floor")):
        top.refuse("floor", "is not `YYYY-MM-DDThh:mm:ssZ`")
    return Mark(
        site=top.text("site"),
        anchor=top.sha256("anchor"),
        floor=floor,
        sequence=top.number("sequence"),
        generation=top.number("generation"),
        events=top.number("events"),
    )


class Marker:
    """Keeps the mark of the registry in *home*, where it has one.

    Args:
        home: The folder of the registry.
        disk: What changes the disk.
    """

    def __init__(self, home: Path, disk: Disk | None = None) -> None:
        self._home, self._disk = home, disk or Disk()

    def place(self) -> Path | None:
        """Return where the mark lies; None where there is none.

        Raises:
            RegistryError: The file that says so cannot be read.
        """
        path = self._home / PLACE
        if not there(path, error=RegistryError):
            return None
        data = read_file(path, limit=_LIMIT, error=RegistryError)
        return Path(data.decode(errors="surrogateescape").rstrip("\n"))

    def noted(self, *, needed: bool) -> Mark | None:
        """Return the mark as it stands; None where there is none.

        Args:
            needed: Whether a mark that cannot be read stops everything: it does for
                whoever writes, and not for a server, which must go on when the other
                storage is away.

        Raises:
            RegistryError: It is needed and cannot be read, or is damaged.
        """
        place = self.place()
        if place is None or not (needed or there(place, error=RegistryError)):
            return None
        try:
            return read(place)
        except RegistryError as error:
            hint = (
                "mount where it lies, or give it up with `airlift trust mark --forget`"
            )
            problem = f"the mark of this registry: {error.problem}"
            raise RegistryError(problem, hint=hint) from error

    def put(self, now: Mark) -> None:
        """Note how far the registry is by *now*.

        Raises:
            StoreError: The disk refused; what was to be noted is recorded already, and
                the next change notes it.
        """
        if (place := self.place()) is None:
            return
        try:
            self._disk.write_file(place, encode(now))
        except StoreError as error:
            problem = f"done and recorded, but not in the mark: {error.problem}"
            raise StoreError(
                problem, hint="mount where it lies; see `airlift doctor`"
            ) from error

    def begin(self, place: Path, now: Mark) -> None:
        """Keep the mark at *place* from now on.

        Raises:
            RequestError: It is in the home, or another mark lies there.
            RegistryError: What lies there is ahead of this registry.
            StoreError: The disk refused.
        """
        if not place.is_absolute() or place.is_relative_to(self._home.absolute()):
            problem = (
                f"{naming.show(str(place))} is not an absolute path outside of HOME"
            )
            raise RequestError(
                problem, hint="choose another disk: it must not go back with this one"
            )
        if there(place, error=RequestError):
            compare(now, read(place))
        self._disk.write_file(place, encode(now))
        self._disk.write_file(self._home / PLACE, f"{place}\n".encode())

    def forget(self) -> None:
        """Keep no mark any more; the file stays where it lies.

        Raises:
            StoreError: The disk refused.
        """
        self._disk.unlink(self._home / PLACE)


def compare(found: Mark, noted: Mark | None) -> None:
    """Return if a registry that is as far as *found* was never further.

    Raises:
        RegistryError: The mark is of another registry, or further.
    """
    if noted is None:
        return
    if (found.site, found.anchor) != (noted.site, noted.anchor):
        problem = (
            f"the mark is of site {noted.site} under root {noted.anchor[:16]}, this"
            f" registry of {found.site} under {found.anchor[:16]}"
        )
        hint = "each registry has a mark of its own: choose another file"
        raise RegistryError(problem, hint=hint)
    if short := found.behind(noted):
        problem = f"this registry is at {short}"
        raise RegistryError(problem, hint=_BEHIND)
