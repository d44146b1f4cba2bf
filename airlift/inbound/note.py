"""What a staging area notes of itself, for the process after a kill.

Private to this host: another form than is known is as good as none.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from airlift.artifact import Json
from airlift.digest import Sha256
from airlift.errors import FormatError
from airlift.format import canonical
from airlift.format.fields import Fields

_FORMAT = "airlift/staging/2"
_LIMIT = 1 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a blob is.

    Attributes:
        slabs: For each part, by index in the packing list, a bit mask of its slabs.
        arrived: Bytes that are here.
    """

    slabs: Mapping[int, int]
    arrived: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """What has arrived of a delivery.

    Attributes:
        volumes: Those read without a fault, by cutting and ordinal.
        whole: Blobs that lie here whole, in files of their own.
        pieced: Indexes of the parts with pieces of which something landed.
        arriving: How far the other blobs are.
    """

    volumes: frozenset[tuple[str, int]]
    whole: frozenset[Sha256]
    pieced: tuple[int, ...]
    arriving: Mapping[Sha256, Progress]


def encode(note: Note) -> bytes:
    """Return the bytes of *note*."""
    arriving: dict[str, Json] = {
        name: {
            "slabs": {str(part): f"{mask:x}" for part, mask in one.slabs.items()},
            "arrived": one.arrived,
        }
        for name, one in note.arriving.items()
    }
    record: dict[str, Json] = {
        "format": _FORMAT,
        "volumes": [
            {"cutting": cutting, "ordinal": ordinal}
            for cutting, ordinal in sorted(note.volumes)
        ],
        "whole": tuple(sorted(note.whole)),
        "pieced": tuple(map(str, note.pieced)),
        "arriving": arriving,
    }
    return canonical.encode(record)


def read(path: Path) -> Note:
    """Return the note at *path*.

    Raises:
        FormatError: It is not one.
    """
    name = str(path)
    record = Fields(
        canonical.decode(path.read_bytes(), name=name, limit=_LIMIT), record=name
    )
    record.expect("format", _FORMAT)
    try:
        return _note(record)
    except ValueError as error:
        problem = f"{name}: {error}"
        raise FormatError(problem) from error


def _note(record: Fields) -> Note:
    arriving = {}
    table = record.table("arriving")
    for name in table.names():
        one = table.table(name)
        slabs = one.table("slabs")
        arriving[Sha256(name)] = Progress(
            slabs={int(part): int(slabs.text(part), 16) for part in slabs.names()},
            arrived=one.number("arrived"),
        )
    return Note(
        volumes=frozenset(
            (one.text("cutting"), one.number("ordinal"))
            for one in record.tables("volumes")
        ),
        whole=frozenset(record.sha256s("whole")),
        pieced=tuple(map(int, record.texts("pieced"))),
        arriving=arriving,
    )
