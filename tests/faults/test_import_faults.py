"""Kills, full disks and I/O errors at every storage call of an import.

strace makes the n-th call of a kind fail, or kills the process at it, for every n. After
each: what is named is whole, the live set is the old or the new one, and trying again
succeeds.
"""

import os
import re
import shutil
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from airlift.errors import EXIT_CODES
from faults.field import Field, check

pytestmark = [
    pytest.mark.faults,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(not shutil.which("strace"), reason="needs strace"),
]

CALLS = (
    *("write", "pwrite64", "fsync", "fdatasync", "rename", "unlink", "unlinkat"),
    *("rmdir", "mkdir", "ftruncate", "fallocate", "fchmod", "chmod", "link"),
)


class Traced(Field):
    """A field whose imports strace watches and breaks."""

    def run(self, home: Path, *strace: str) -> int:
        """Import once under strace; return the exit status."""
        child = self.begin(home)
        tracer = subprocess.Popen(
            ["strace", "-f", "-p", str(child), *strace],
            stderr=subprocess.PIPE,
            text=True,
        )
        assert tracer.stderr
        assert "attached" in tracer.stderr.readline()
        status = self.end()
        tracer.communicate()
        return status

    def calls(self) -> Counter[str]:
        """Return how often the busiest thread of an import makes each call.

        strace counts for each thread by itself: a fault at the n-th call of a kind
        comes to every thread that makes as many.
        """
        trace = self.folder / "trace"
        status = self.run(
            self.fresh(), "-o", str(trace), "-e", "trace=" + ",".join(CALLS)
        )
        assert status == 0
        made: Counter[tuple[str, str]] = Counter()
        for line in trace.read_text().splitlines():
            thread, rest = line.split(None, 1)
            if call := re.match(r"(\w+)\(", rest):
                made[thread, call[1]] += 1
        most: Counter[str] = Counter()
        for (_, name), count in made.items():
            most[name] = max(most[name], count)
        return most


@pytest.fixture(scope="module", name="field")
def _field(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Traced]:
    field = Traced(tmp_path_factory.mktemp("faults"))
    yield field
    field.close()


def points(field: Traced) -> Iterator[tuple[str, int]]:
    """Yield every storage call of an import."""
    for name, count in sorted(field.calls().items()):
        for number in range(1, count + 1):
            yield name, number


FAULTS = {
    "kill": "signal=SIGKILL",
    "full disk": "error=ENOSPC",
    "bad disk": "error=EIO",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_at_any_storage_call_leaves_the_old_state_or_the_new(
    field: Traced, fault: str
) -> None:
    """Power cut, full disk, dying disk: at no moment is anything half there."""
    every = list(points(field))
    assert len(every) > 40
    outcomes: Counter[int] = Counter()
    for name, number in every:
        home = field.fresh()
        inject = f"inject={name}:{FAULTS[fault]}:when={number}"
        status = field.run(home, "-o", os.devnull, "-e", f"trace={name}", "-e", inject)
        place = f"{fault} at {name} {number}"
        assert status in (*EXIT_CODES, -signal.SIGKILL), f"{place}: {status}"
        outcomes[status] += 1
        try:
            check(field, home)
        except BaseException as error:
            error.add_note(place)
            raise
    print(f"{fault}: {len(every)} points, {dict(outcomes)}")
