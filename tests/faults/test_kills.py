"""A kill at every single change of the disk that an import makes, in their order.

The shim counts the writes, syncs, renames, deletions, new files and folders of all
threads together, the database's own among them, and ends the process at one of them.
Reads need no kill: the disk is at each as it is at the next change.
"""

import shutil
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from airlift.errors import RequestError
from airlift.inbound import log_check
from airlift.registry.registry import Registry
from faults.field import Field, check, live
from faults.shim import needs_shim

pytestmark = [pytest.mark.faults, needs_shim, pytest.mark.timeout(1200)]


@pytest.fixture(scope="module", name="field")
def _field(library: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Field]:
    field = Field(tmp_path_factory.mktemp("kills"), library)
    yield field
    field.close()


def changes(field: Field, what: Path | None = None) -> str:
    """Return a letter for each change that an import makes, ``w`` for a write."""
    home = field.fresh()
    field.begin(home, what=what)
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


@pytest.mark.parametrize("torn", [False, True], ids=["before it", "half done"])
def test_a_kill_while_somebody_cosigns_leaves_a_log_that_holds(
    field: Field, *, torn: bool
) -> None:
    """Cosigned or not, and signed to its end: whoever comes next can tell, and cosign."""
    kinds = changes(field, field.key)
    places = [at for at, kind in enumerate(kinds, 1) if kind == "w" or not torn]
    assert len(places) > 5
    outcomes: Counter[tuple[int, int]] = Counter()
    for number in places:
        home = field.fresh()
        field.begin(home, number, torn=torn, what=field.key)
        status = field.end()
        Registry.open(home).close()  # what SQLite has begun, the next one ends
        found = log_check.check(home)
        place = f"killed at change {number} of {len(kinds)}"
        assert (found.faults, found.audited.signed) == ((), found.audited.size), place
        by = [one.by for one in found.cosigned]
        assert by in ([], ["alice"]), place
        outcomes[status, len(by)] += 1
        assert live(home) == field.before
        field.begin(home, what=field.key)
        again = RequestError.exit_code if by else 0
        assert field.end() == again, place
        assert [one.by for one in log_check.check(home).cosigned] == ["alice"], place
        shutil.rmtree(home)
    assert outcomes[-signal.SIGKILL, 0] > 0
    print(f"{len(kinds)} changes, {dict(outcomes)}")
