"""What a delivery builds on and is not here is named, with what would bring it."""

from pathlib import Path

import pytest

from airlift.digest import sha256
from airlift.errors import IncompleteError
from crossing import NOW, Crossing, noise
from handmade import send, whole

OLD, NEW = noise(100_000, 5), noise(100_000, 6)
WHOLE = "ask for a delivery that carries everything (`airlift export --build-on none`)"


@pytest.fixture(name="crossing")
def _crossing(tmp_path: Path) -> Crossing:
    return Crossing(tmp_path)


def refused(crossing: Crossing, medium: Path) -> IncompleteError:
    """Return why the delivery on *medium* is not taken; nothing is changed by it."""
    before = crossing.isolated.fingerprint()
    with pytest.raises(IncompleteError) as caught:
        crossing.isolated.land(medium)
    assert crossing.isolated.fingerprint() == before
    return caught.value


def two(crossing: Crossing) -> tuple[Path, Path]:
    """Return a delivery, and one that builds on it."""
    connected, first, second = crossing.connected, *paths(crossing)
    send(connected, "acme/m", {"w.bin": OLD}, [whole(OLD)]).write(first)
    files = {"v.bin": NEW, "w.bin": OLD}
    send(connected, "acme/n", files, [whole(NEW)], needs={sha256(OLD): 1}).write(second)
    return first, second


def paths(crossing: Crossing) -> tuple[Path, Path]:
    """Return where the media of two deliveries go."""
    return crossing.folder / "first", crossing.folder / "second"


def test_what_the_site_holds_need_not_travel(crossing: Crossing) -> None:
    """A delivery brings what is new; the rest is here."""
    for medium in two(crossing):
        crossing.isolated.land(medium)
    (held,) = crossing.isolated.registry.releases(name="acme/n")
    found = {
        file.path: b"".join(crossing.isolated.store.read(file.sha256))
        for file in crossing.isolated.registry.files(held.id)
    }
    assert found == {"v.bin": NEW, "w.bin": OLD}


def test_a_delivery_that_never_came_is_asked_for(crossing: Crossing) -> None:
    """Whoever stands there with the second medium is sent for the first."""
    _, second = two(crossing)
    error = refused(crossing, second)
    assert error.problem == (
        "delivery 2 builds on 1 blob(s) that this site does not hold:"
        " w.bin of acme/n (brought by delivery 1)"
    )
    assert error.hint == f"import delivery 1 (again) before this one, or {WHOLE}"


def test_a_base_that_was_lost_comes_back_with_the_delivery_that_brought_it(
    crossing: Crossing,
) -> None:
    """A blob that a damaged disk took is restored by the medium that is still there."""
    first, second = two(crossing)
    crossing.isolated.land(first)
    crossing.isolated.store.remove([sha256(OLD)])
    error = refused(crossing, second)
    assert error.hint == f"import delivery 1 (again) before this one, or {WHOLE}"
    crossing.isolated.land(first)
    assert not crossing.isolated.land(second).repeat


def test_a_base_that_was_collected_does_not_come_back(crossing: Crossing) -> None:
    """Importing the old delivery again would change nothing: it is not asked for."""
    connected, isolated = crossing.connected, crossing.isolated
    first, other, second = (crossing.folder / name for name in "123")
    send(connected, "acme/m", {"w.bin": OLD}, [whole(OLD)]).write(first)
    send(connected, "acme/o", {"v.bin": NEW}, [whole(NEW)]).write(other)
    needs = {sha256(OLD): 1}
    send(connected, "acme/n", {"w.bin": OLD}, [], needs=needs).write(second)
    isolated.land(first)
    (held,) = isolated.registry.releases()
    isolated.registry.deactivate([held.id], now=NOW, actor="tester")
    isolated.land(other)
    plan = isolated.registry.doomed(isolated.store)
    isolated.registry.collect(plan, isolated.store, now=NOW, actor="tester")
    error = refused(crossing, second)
    assert error.hint == WHOLE


def test_blobs_of_several_deliveries_are_told_apart(crossing: Crossing) -> None:
    """One example of each delivery, and how many more; by name where there is one."""
    connected, medium = crossing.connected, crossing.medium
    for number in (1, 2):
        send(connected, f"acme/{number}", {}, [])
    spare = [noise(5, seed) for seed in (7, 8)]
    needs = {sha256(OLD): 1, **{sha256(one): 2 for one in (NEW, *spare)}}
    send(connected, "acme/n", {"v.bin": NEW, "w.bin": OLD}, [], needs=needs).write(
        medium
    )
    error = refused(crossing, medium)
    assert error.problem == (
        "delivery 3 builds on 4 blob(s) that this site does not hold: w.bin of acme/n"
        " (brought by delivery 1), v.bin of acme/n and 2 more (brought by delivery 2)"
    )
    assert error.hint == f"import delivery 1, 2 (again) before this one, or {WHOLE}"
