"""Whether the tables are what the log says: done again beside them, and compared.

The log by itself is no part of this: ``audit`` says whether it is what was signed. Both
together leave who can write the database nothing to change: a line of the log changes
the tree, a row of another table is one that no line explains.
"""

from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from sqlalchemy.exc import SQLAlchemyError

from airlift import transient
from airlift.errors import AirliftError
from airlift.registry import audit, comparison, rows
from airlift.registry.engine import FILE, Database, make_file
from airlift.registry.held import Event
from airlift.registry.replay import Replay
from airlift.registry.verifying import Verify

_BATCH = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Recomputed:
    """What came of doing everything in the log again.

    Attributes:
        events: How many lines were followed.
        rows: How many rows were compared; 0 where it did not come to that.
        faults: In what the tables are not what follows from the log, in words.
    """

    events: int
    rows: int
    faults: tuple[str, ...]


def recompute(home: Path, *, verify: Verify) -> Recomputed:
    """Make the tables of *home* again in a scratch folder, and compare row by row.

    Every delivery and catalogue is read and every delivery verified again, so the time
    is that of all imports without their blobs. Nothing in *home* is changed, and no
    import has to wait longer than one comparison takes.

    Args:
        home: The folder of the registry.
        verify: Judges each delivery.

    Raises:
        RegistryError: The database cannot answer.
    """
    with transient.folder("airlift-replay-") as folder:
        make_file(folder / FILE)
        theirs = Database(home / FILE, readonly=True)
        ours = Database(folder / FILE)
        with closing(theirs), closing(ours), ours.write() as connection:
            try:
                return _recomputed(Replay(connection, home, verify), theirs)
            except _NotSoError as error:
                left = "the tables were not compared with the log"
                faults = (error.problem, left)
                return Recomputed(events=error.events, rows=0, faults=faults)


def _recomputed(replay: Replay, theirs: Database) -> Recomputed:
    done = 0
    while some := _next(theirs, done):
        done = _follow(replay, some)
    # From here to the end nobody can commit: what is compared is one state.
    with theirs.read() as connection:
        done = _follow(replay, audit.events(connection, done)) or done
        ours = replay.connection
        ours.exec_driver_sql(f"ATTACH ? AS {comparison.OTHER}", (_uri(theirs.path),))
        return Recomputed(
            events=done,
            rows=comparison.count(ours),
            faults=tuple(comparison.differences(ours)),
        )


def _next(theirs: Database, after: int) -> tuple[Event, ...]:
    with theirs.read() as connection:
        return rows.events_after(connection, after, _BATCH)


def _follow(replay: Replay, events: Iterable[Event]) -> int:
    """Do again what *events* say; return the number of the last, 0 if there is none."""
    done = 0
    for event in events:
        try:
            replay.take(event)
        except (AirliftError, SQLAlchemyError) as error:
            reason = error.problem if isinstance(error, AirliftError) else str(error)
            what = f"event {event.number} ({event.action}) cannot be done again"
            problem = f"{what}: {reason}"
            raise _NotSoError(problem, event.number - 1) from error
        done = event.number
    return done


def _uri(path: Path) -> str:
    return f"file:{quote(str(path.absolute()))}?mode=ro"


class _NotSoError(Exception):
    """A line says what cannot have been.

    Args:
        problem: Which, and why not.
        events: How many lines before it were followed.
    """

    def __init__(self, problem: str, events: int) -> None:
        super().__init__(problem)
        self.problem, self.events = problem, events
