"""A command of the site's own that is run for a file or an alarm.

Split like a command line of a shell and run without one: a file name is always one
argument, whatever is in it. Whoever wants a shell names it: ``sh -c '...' sh {file}``.
"""

import os
import re
import shlex
import subprocess
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from airlift import naming
from airlift.errors import RequestError

_KEPT: Final = 4096
"""Bytes of output that are kept, the last ones: a chatty program must not fill memory."""
_CHUNK: Final = 65536
_PLACE: Final = re.compile(r"\{([a-z]+)\}", re.ASCII)
NOT_STARTED: Final = 127
"""Exit code of a command that cannot be started, as shells have it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a run of the command ended.

    Attributes:
        code: Its exit code; negative for the signal that ended it.
        seconds: How long it ran.
        output: The last lines it printed, safe to show.
        timed_out: Whether it was killed because it took too long.
    """

    code: int
    seconds: float
    output: tuple[str, ...]
    timed_out: bool = False

    @property
    def good(self) -> bool:
        """Whether it did what it was run for."""
        return self.code == 0 and not self.timed_out

    def __str__(self) -> str:
        how = "timed out" if self.timed_out else f"exit code {self.code}"
        return f"{how} after {self.seconds:.1f} s"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hook:
    """A command, split into words in which ``{NAME}`` stands for a value.

    Attributes:
        words: Of the command.
        timeout_s: Seconds after which it is killed.
        clock: Seconds that only rise, for how long it took.
    """

    words: tuple[str, ...]
    timeout_s: float
    clock: Callable[[], float]

    def run(self, **values: str) -> Ended:
        """Run it with *values* in the places of their names, and wait for its end."""
        return self._run(subprocess.DEVNULL, values)

    def fed(self, given: bytes, /, **values: str) -> Ended:
        """Run it likewise, with *given* on its standard input."""
        # No pipe: a command that reads nothing must not be waited for.
        source = os.memfd_create("airlift-notice")
        try:
            os.pwrite(source, given, 0)
            return self._run(source, values)
        finally:
            os.close(source)

    def _run(self, source: int, values: dict[str, str]) -> Ended:
        words = [_filled(word, values) for word in self.words]
        begun = self.clock()
        try:
            process = subprocess.Popen(  # noqa: S603 - the operator's own command, no shell
                words,
                stdin=source,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
        except OSError as error:
            said = (f"cannot be started: {error.strerror}",)
            return Ended(code=NOT_STARTED, seconds=0.0, output=said)
        timer = threading.Timer(self.timeout_s, process.kill)
        timer.start()
        try:
            with process:
                tail = _tail(process)
        finally:
            late = not timer.is_alive()
            timer.cancel()
        return Ended(
            code=process.returncode,
            seconds=self.clock() - begun,
            output=_lines(tail),
            timed_out=late,
        )


def parse(command: str, *places: str) -> tuple[str, ...]:
    """Return the words of *command*.

    Args:
        command: As a person wrote it.
        places: Names of which at least one must stand in it, in braces.

    Raises:
        RequestError: It has an open quote, is empty, or has no place for a value.
    """
    try:
        words = tuple(shlex.split(command))
    except ValueError as error:
        problem = f"`{naming.show(command)}` is no command: {str(error).lower()}"
        raise RequestError(problem, hint="quotes come in pairs") from error
    wanted = [f"{{{place}}}" for place in places]
    if not words or (wanted and not any(one in command for one in wanted)):
        problem = f"`{naming.show(command)}` has no place for {' or '.join(wanted)}"
        raise RequestError(problem, hint=f"write, for example, `program {wanted[0]}`")
    return words


def _filled(word: str, values: dict[str, str]) -> str:
    # In one pass: a value that holds the name of another place is left as it is.
    return _PLACE.sub(lambda found: values.get(found[1], found[0]), word)


def _tail(process: "subprocess.Popen[bytes]") -> bytes:
    assert process.stdout
    tail = b""
    while chunk := process.stdout.read1(_CHUNK):  # type: ignore[attr-defined]
        tail = (tail + chunk)[-_KEPT:]
    return tail


def _lines(data: bytes) -> tuple[str, ...]:
    text = data.decode("utf-8", "replace")
    return tuple(naming.show(line) for line in text.splitlines() if line.strip())
