"""The access log: one JSON object a line, safe to show in a terminal.

Query strings and header fields are left out: that is where tokens are.
"""

import json
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import TextIO

from airlift import naming

_PATH_CHARS = 2048


@dataclass(slots=True, kw_only=True)
class Entry:
    """What is known of a request so far; the server fills it in as it goes.

    Attributes:
        status: As sent; 0 before.
        caller: What the operator called the credential shown, or empty.
        sent: Bytes of the body the connection took.
        whole: Whether the answer went out complete.
        release: Id of the release it was about, or empty.
        problem: Why it failed, for the operator; or empty.
    """

    client: str
    method: str
    path: str
    status: int = 0
    caller: str = ""
    sent: int = 0
    whole: bool = False
    release: str = ""
    problem: str = ""


class AccessLog:
    """Writes entries to a stream, whole lines only, from any thread.

    Args:
        stream: Flushed after every line.
        clock: Returns the time, ``YYYY-MM-DDThh:mm:ssZ``.
    """

    def __init__(self, stream: TextIO, clock: Callable[[], str]) -> None:
        self._stream = stream
        self._clock = clock
        self._lock = threading.Lock()

    def request(self, entry: Entry, *, seconds: float) -> None:
        """Write what became of a request."""
        line: dict[str, object] = {
            "client": naming.show(entry.client),
            "method": naming.show(entry.method),
            "path": naming.show(entry.path[:_PATH_CHARS]),
            "status": entry.status,
            "bytes": entry.sent,
            "seconds": round(seconds, 4),
        }
        if entry.caller:
            line["caller"] = naming.show(entry.caller)
        if entry.release:
            line["release"] = entry.release
        if not entry.whole:
            line["aborted"] = True
        if entry.problem:
            line["problem"] = naming.show(entry.problem)
        self._write(line)

    def bug(self, error: BaseException | None) -> None:
        """Write an error that nothing in airlift foresaw, with where it came from."""
        lines = traceback.format_exception(error) if error else []
        problem = type(error).__name__ if error else "unknown"
        self._write(
            {"bug": problem, "traceback": [naming.show(one.rstrip()) for one in lines]}
        )

    def _write(self, line: dict[str, object]) -> None:
        text = json.dumps({"time": self._clock(), **line})
        with self._lock:
            self._stream.write(f"{text}\n")
            self._stream.flush()
