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
        id: What the client is told as ``X-Request-Id``, to find this line by.
        agent: The kind of program that asks, in one safe word.
        part: First and last byte of the file that were asked for and are sent, as
            in ``0-1023``; empty for all of it.
        dialect: Who answered; empty where no dialect was asked.
        status: As sent; 0 before.
        caller: What the operator called the credential shown, or empty.
        sent: Bytes of the body the connection took.
        whole: Whether the answer went out complete.
        release: Id of the release it was about, or empty.
        name: That release's name.
        handed_over: Whether a server in front sends the body from the store; *sent*
            is 0 then.
        problem: Why it failed, for the operator; or empty.
    """

    client: str
    method: str
    path: str
    id: str = ""
    agent: str = "-"
    part: str = ""
    dialect: str = ""
    status: int = 0
    caller: str = ""
    sent: int = 0
    whole: bool = False
    release: str = ""
    name: str = ""
    handed_over: bool = False
    problem: str = ""


class AccessLog:
    """Writes entries to a stream, whole lines only, from any thread.

    Args:
        stream: Flushed after every line.
        clock: Returns the time, ``YYYY-MM-DDThh:mm:ssZ``.
        count: Called with each entry and its seconds.

    Attributes:
        bugs: How many errors nothing foresaw were written so far.
    """

    def __init__(
        self,
        stream: TextIO,
        clock: Callable[[], str],
        count: Callable[[Entry, float], None],
    ) -> None:
        self._stream = stream
        self._clock = clock
        self._count = count
        self._lock = threading.Lock()
        self.bugs = 0

    def switch(self, stream: TextIO) -> None:
        """Write to *stream* from now on; when this returns the old one may be closed."""
        with self._lock:
            self._stream = stream

    def note(self, problem: str) -> None:
        """Write what went wrong beside any request."""
        self._write({"problem": naming.show(problem)})

    def request(self, entry: Entry, *, seconds: float) -> None:
        """Write what became of a request."""
        line: dict[str, object] = {
            "id": entry.id,
            "client": naming.show(entry.client),
            "caller": naming.show(entry.caller),
            "agent": entry.agent,
            "method": naming.show(entry.method),
            "path": naming.show(entry.path[:_PATH_CHARS]),
            "range": entry.part,
            "status": entry.status,
            "bytes": entry.sent,
            "handed_over": entry.handed_over,
            "seconds": round(seconds, 4),
            "release": entry.release,
            "name": naming.show(entry.name),
            "aborted": not entry.whole,
            "problem": naming.show(entry.problem),
        }
        told = {k: v for k, v in line.items() if v != "" and v is not False}
        self._write(told)
        self._count(entry, seconds)

    def bug(self, error: BaseException | None) -> None:
        """Write an error that nothing in airlift foresaw, with where it came from."""
        self.bugs += 1
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
