"""What of a delivery was sent, and under which names: a restart goes on from there."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from airlift.artifact import Json
from airlift.format import canonical
from airlift.format.fields import Fields
from airlift.store.durable import Disk, read_file

FORMAT: Final = "airlift/drop/1"
_LIMIT: Final = 256 << 20
_KEPT: Final = 10_000
"""Lines of the log that are kept, the last ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A file that was sent.

    Attributes:
        name: In the drop folder.
        at: When, ``YYYY-MM-DDThh:mm:ssZ``.
        code: Exit code of the hook; 0 where there is none.
        millis: Milliseconds that the hook ran.
        said: The last line it printed.
    """

    name: str
    at: str
    code: int = 0
    millis: int = 0
    said: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DropState:
    """How far the sending of a delivery is.

    Attributes:
        turns: Times that files of it were sent, or begun to be; names count by it.
        files: Files that are being sent, by the names an export gave; none when
            everything was sent.
        first: The first of the turns that they are sent in; *turns* is the last.
        sent: Names, in the drop folder, of what of that was sent.
        log: What was sent, ever.
    """

    turns: int = 0
    files: tuple[str, ...] = ()
    first: int = 0
    sent: tuple[str, ...] = ()
    log: tuple[Sent, ...] = ()


def read(path: Path) -> DropState:
    """Return the state that lies at *path*; that of nothing sent where nothing does.

    Raises:
        FormatError: It is damaged.
        StoreError: It cannot be read.
    """
    if not path.exists():
        return DropState()
    name = str(path)
    data = read_file(path, limit=_LIMIT)
    top = Fields(canonical.decode(data, name=name, limit=_LIMIT), record=name)
    top.expect("format", FORMAT)
    return DropState(
        turns=top.number("turns"),
        files=top.texts("files"),
        first=top.number("first"),
        sent=top.texts("sent"),
        log=tuple(_sent(one) for one in top.tables("log")),
    )


def write(path: Path, state: DropState) -> None:
    """Keep *state* at *path*, durable on return.

    Raises:
        StoreError: The disk refuses.
    """
    log: list[Json] = [
        {
            "name": one.name,
            "at": one.at,
            "code": abs(one.code),
            "millis": one.millis,
            "said": one.said,
        }
        for one in state.log[-_KEPT:]
    ]
    table: dict[str, Json] = {
        "format": FORMAT,
        "turns": state.turns,
        "files": state.files,
        "first": state.first,
        "sent": state.sent,
        "log": log,
    }
    disk = Disk()
    disk.make_folder(path.parent, mode=0o700)
    disk.write_file(path, canonical.encode(table))


def _sent(one: Fields) -> Sent:
    return Sent(
        name=one.text("name"),
        at=one.text("at"),
        code=one.number("code"),
        millis=one.number("millis"),
        said=one.text("said"),
    )
