"""A kill at every single change of the disk that an import makes, in their order.

The shim counts the writes, syncs, renames, deletions, new files and folders of all
threads together, the database's own among them, and ends the process at one of them.
Reads need no kill: the disk is at each as it is at the next change.
"""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from faults.field import Field, check
from faults.shim import needs_shim

pytestmark = [pytest.mark.faults, needs_shim, pytest.mark.timeout(1200)]


@pytest.fixture(scope="module", name="field")
def _field(library: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Field]:
    field = Field(tmp_path_factory.mktemp("kills"), library)
    yield field
    field.close()


def changes(field: Field) -> str:
    """Return a letter for each change that an import makes, ``w`` for a write."""
    home = field.fresh()
    field.begin(home)
    assert field.end() == 0
    return Path(f"{home}.changes").read_text()


@pytest.mark.parametrize("torn", [False, True], ids=["before it", "half done"])
def test_a_kill_at_any_change_of_the_disk_loses_nothing(
    field: Field, *, torn: bool
) -> None:
    """Row 39: the site is as it was or as it is to be, and the next import finishes."""
    kinds = changes(field)
    places = [at for at, kind in enumerate(kinds, 1) if kind == "w" or not torn]
    assert len(places) > 60
    killed = 0
    for number in places:
        home = field.fresh()
        field.begin(home, number, torn=torn)
        status = field.end()
        assert status in (0, -signal.SIGKILL), number
        killed += status != 0
        try:
            check(field, home)
        except BaseException as error:
            error.add_note(f"killed at change {number} of {len(kinds)}")
            raise
    # Threads make a few changes more or fewer from one run to the next.
    assert killed > 0.9 * len(places)
    print(f"{len(kinds)} changes, {killed} kills")
