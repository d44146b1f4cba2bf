"""What programs cost: seconds, CPU seconds and memory, from the kernel."""

import os
import statistics
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Cost:
    """What a run cost: seconds, CPU seconds, peak bytes of memory."""

    wall: float
    cpu: float
    rss: int


class Failed(SystemExit):
    """A program failed: half a run has no cost.

    Attributes:
        status: What it ended with; below 0, the signal that ended it.
    """

    def __init__(self, command: Sequence[str], status: int) -> None:
        super().__init__(f"ended with {status}: {' '.join(command)}")
        self.status = status


def measure(
    *commands: Sequence[str], cwd: Path, env: Mapping[str, str] | None = None
) -> Cost:
    """Run *commands* one after the other; return their cost in all.

    CPU seconds are of a command and of all that it started and waited for; memory is of
    the largest process among them.

    Args:
        commands: Programs with arguments; standard output is dropped.
        cwd: Where they run.
        env: Added to this process's environment.

    Raises:
        Failed: One of them ended with another status than 0.
    """
    wall = cpu = 0.0
    rss = 0
    surroundings = {**os.environ, **(env or {})}
    # What is installed has its bytecode beside it; to make it at every start would cost
    # each command of airlift's a second.
    surroundings.pop("PYTHONDONTWRITEBYTECODE", None)
    for command in commands:
        begun = time.monotonic()
        process = subprocess.Popen(
            command,
            cwd=cwd,
            env=surroundings,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if status:
            raise Failed(command, process.returncode)
        wall += time.monotonic() - begun
        cpu += usage.ru_utime + usage.ru_stime
        rss = max(rss, usage.ru_maxrss * 1024)
    return Cost(wall, cpu, rss)


def shell(text: str) -> list[str]:
    """Return the command that runs *text*, any failure in it being its own."""
    return ["bash", "-c", f"set -euo pipefail; {text}"]


def median(costs: Sequence[Cost]) -> Cost:
    """Return median seconds of *costs*, and the largest memory."""
    return Cost(
        statistics.median(cost.wall for cost in costs),
        statistics.median(cost.cpu for cost in costs),
        max(cost.rss for cost in costs),
    )


def ratio(costs: Sequence[Cost], own: Sequence[Cost]) -> float:
    """Return how many times as long *costs* took as *own*: the median over rounds."""
    pairs = zip(costs, own, strict=True)
    return statistics.median(other.wall / mine.wall for other, mine in pairs)
