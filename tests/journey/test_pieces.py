"""Blobs made of blobs: what crosses is the difference, what arrives is the whole."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from airlift.digest import Sha256, sha256
from airlift.errors import FormatError, IncompleteError, StoreError
from airlift.format.packing import SLAB
from airlift.format.volume import Cut
from airlift.inbound import landing, media
from airlift.inbound.assembly import RottenBaseError
from crossing import NOW, Crossing, Isolated, noise
from handmade import Delivery, Made, Run, built, send, whole

GENERATOR = np.random.default_rng(5)


def moved(data: bytes, width: int = 2) -> bytes:
    """Return numbers near those of *data*."""
    old = np.frombuffer(data, f"<u{width}")
    step = GENERATOR.integers(0, 5, old.size) * (GENERATOR.random(old.size) < 0.1)
    new: bytes = (old + step.astype(old.dtype)).tobytes()
    return new


HEADER = noise(136, 40)
OLD = HEADER + noise(2 * SLAB + 20_000, 41)
MOVED = moved(OLD[136 : 136 + SLAB + 8192])
NEW = noise(200, 42) + MOVED + OLD[136 + len(MOVED) :] + noise(SLAB + 9, 43)
RUNS = (
    Run(200),
    Run(len(MOVED), OLD, 136, 2),
    Run(len(OLD) - 136 - len(MOVED), OLD, 136 + len(MOVED)),
    Run(SLAB + 9),
)
"""NEW out of OLD: five slabs, of which one is short."""


@pytest.fixture(name="crossing")
def _crossing(tmp_path: Path) -> Crossing:
    return Crossing(tmp_path)


def first(crossing: Crossing) -> Path:
    """Return the medium of a delivery that brings OLD."""
    folder = crossing.folder / "first"
    send(crossing.connected, "acme/m", {"old.bin": OLD}, [whole(OLD)]).write(folder)
    return folder


def update(
    crossing: Crossing,
    made: Sequence[Made],
    *,
    needs: Mapping[Sha256, int] | None = None,
    files: Mapping[str, bytes] | None = None,
) -> Delivery:
    """Return a delivery of NEW, or of *files*, that builds on the first."""
    needs = {sha256(OLD): 1} if needs is None else needs
    return send(
        crossing.connected, "acme/n", files or {"new.bin": NEW}, made, needs=needs
    )


def held(isolated: Isolated, name: str = "acme/n") -> dict[str, bytes]:
    """Return the files of a release at the site."""
    (one,) = isolated.registry.releases(name=name)
    return {
        file.path: b"".join(isolated.store.read(file.sha256))
        for file in isolated.registry.files(one.id)
    }


def refused(crossing: Crossing, *paths: Path) -> str:
    """Return why a delivery is refused; no record and no live blob is changed."""
    before = crossing.isolated.registry.releases()
    with pytest.raises(FormatError) as caught:
        crossing.isolated.land(*paths)
    assert crossing.isolated.registry.releases() == before
    return caught.value.problem


def test_a_blob_is_made_of_one_the_site_holds(crossing: Crossing) -> None:
    """A new version crosses as what changed."""
    medium = first(crossing)
    second = update(crossing, [built(NEW, RUNS)])
    crossing.isolated.land(medium)
    paths = second.write(crossing.medium)
    assert paths[0].stat().st_size < len(NEW)
    landed = crossing.isolated.land(crossing.medium)
    assert not landed.repeat
    assert held(crossing.isolated) == {"new.bin": NEW}
    assert list(crossing.isolated.store.partials()) == []
    assert list((crossing.isolated.home / "incoming").iterdir()) == []
    for blob in (OLD, NEW):
        crossing.isolated.store.check(sha256(blob))


def test_a_blob_is_made_of_one_that_travels_before_it(crossing: Crossing) -> None:
    """Two files of one delivery that are alike travel once; so does a third."""
    middle = moved(OLD)
    last = middle[5000:] + OLD[:77]
    runs = [Run(9), Run(len(middle) - 5009, middle, 5009), Run(77, OLD)]
    made = [whole(OLD), built(middle, [Run(len(OLD), OLD, 0, 4)]), built(last, runs)]
    files = {"1.bin": OLD, "2.bin": middle, "3.bin": last}
    update(crossing, made, needs={}, files=files).write(crossing.medium)
    crossing.isolated.land(crossing.medium)
    assert held(crossing.isolated) == files


def test_a_small_blob_can_be_made_and_be_built_on(crossing: Crossing) -> None:
    """What lies in a pack at the end is no exception."""
    small = noise(3000, 50)
    other = small[:2000] + b"tail"
    made = [whole(small), built(other, [Run(1), Run(1999, small, 1), Run(4)])]
    files = {"1.bin": small, "2.bin": other}
    update(crossing, made, needs={}, files=files).write(crossing.medium)
    crossing.isolated.land(crossing.medium)
    assert held(crossing.isolated) == files


def test_volumes_come_in_any_order_one_by_one(crossing: Crossing) -> None:
    """Cut inside a part with pieces, beside a plain one; each run is a new process."""
    crossing.isolated.land(first(crossing))
    runs = (RUNS[:2], RUNS[2:], [Run(len(HEADER))])
    second = update(
        crossing,
        [built(NEW + HEADER, *runs), whole(HEADER)],
        files={"new.bin": NEW + HEADER, "header": HEADER},
    )
    paths = second.write(crossing.medium, Cut(0, 2), Cut(1, 1), Cut(2, 0))
    assert len(paths) == 4
    for path in (paths[3], paths[1], paths[1], paths[2]):
        with pytest.raises(IncompleteError):
            crossing.isolated.land(path)
    crossing.isolated.land(paths[0])
    assert held(crossing.isolated) == {"new.bin": NEW + HEADER, "header": HEADER}


def test_what_landed_is_put_together_without_its_volumes(crossing: Crossing) -> None:
    """A base that is damaged costs no second trip: it is repaired, and all is there."""
    crossing.isolated.land(medium := first(crossing))
    paths = update(crossing, [built(NEW, RUNS)]).write(crossing.medium, Cut(0, 2))
    with pytest.raises(IncompleteError):
        crossing.isolated.land(paths[1])
    span = crossing.isolated.store.span(sha256(OLD))
    assert span
    span.path.chmod(0o644)
    rotten = OLD[:-5] + b"?" + OLD[-4:]
    span.path.write_bytes(rotten)
    with pytest.raises(RottenBaseError) as caught:
        crossing.isolated.land(paths[0])
    assert caught.value.problem == (
        f"blob {sha256(NEW)} builds on blob {sha256(OLD)}, whose bytes here hash to"
        f" {sha256(rotten)}"
    )
    with pytest.raises(StoreError):
        crossing.isolated.store.check(sha256(OLD))
    crossing.isolated.store.quarantine(sha256(OLD))
    crossing.isolated.land(medium)
    # One volume says which delivery it is; its slabs are not looked for any more.
    crossing.isolated.land(paths[0])
    assert held(crossing.isolated) == {"new.bin": NEW}


def test_slabs_that_a_disk_lost_are_asked_for_again(crossing: Crossing) -> None:
    """What lies here until the rest comes is checked before it is used."""
    crossing.isolated.land(first(crossing))
    paths = update(crossing, [built(NEW, RUNS)]).write(crossing.medium, Cut(0, 2))
    with pytest.raises(IncompleteError):
        crossing.isolated.land(paths[0])
    (kit,) = (crossing.isolated.home / "store" / "partial").glob("*.slabs")
    data = bytearray(kit.read_bytes())
    data[100] ^= 1
    kit.write_bytes(data)
    with pytest.raises(StoreError) as caught:
        crossing.isolated.land(paths[1])
    assert caught.value.hint == "check this disk, then import again"
    crossing.isolated.land(*paths)
    assert held(crossing.isolated) == {"new.bin": NEW}


def test_files_of_a_delivery_that_waits_may_be_deleted(crossing: Crossing) -> None:
    """A collection takes unfinished files: the volumes are simply read again."""
    crossing.isolated.land(first(crossing))
    paths = update(crossing, [built(NEW, RUNS)]).write(crossing.medium, Cut(0, 2))
    with pytest.raises(IncompleteError):
        crossing.isolated.land(paths[0])
    for key in list(crossing.isolated.store.partials()):
        crossing.isolated.store.discard(key)
    crossing.isolated.land(*paths)
    assert held(crossing.isolated) == {"new.bin": NEW}


def test_a_head_that_was_lost_here_costs_reading_again(crossing: Crossing) -> None:
    """A note that cannot be used is not."""
    crossing.isolated.land(first(crossing))
    paths = update(crossing, [built(NEW, RUNS)]).write(crossing.medium, Cut(0, 2))
    with pytest.raises(IncompleteError):
        crossing.isolated.land(paths[0])
    (head,) = (crossing.isolated.home / "incoming").rglob("*.head")
    head.write_bytes(b"ALHD")
    crossing.isolated.land(*paths)
    assert held(crossing.isolated) == {"new.bin": NEW}


def test_a_repeat_brings_back_what_was_made_of_others(crossing: Crossing) -> None:
    """A blob that a disk lost is put together anew."""
    crossing.isolated.land(first(crossing))
    update(crossing, [built(NEW, RUNS)]).write(crossing.medium)
    crossing.isolated.land(crossing.medium)
    crossing.isolated.store.remove([sha256(NEW)])
    assert crossing.isolated.land(crossing.medium).restored
    assert held(crossing.isolated) == {"new.bin": NEW}


def test_a_repeat_whose_base_is_gone_says_which(crossing: Crossing) -> None:
    """What cannot come back is not promised."""
    crossing.isolated.land(medium := first(crossing))
    update(crossing, [built(NEW, RUNS)]).write(crossing.medium)
    crossing.isolated.land(crossing.medium)
    crossing.isolated.store.remove([sha256(OLD), sha256(NEW)])
    with pytest.raises(IncompleteError) as caught:
        crossing.isolated.land(crossing.medium)
    assert caught.value.problem == (
        f"the delivery builds on blob {sha256(OLD)}, which this site does not hold"
    )
    crossing.isolated.land(medium)
    crossing.isolated.land(crossing.medium)
    assert held(crossing.isolated) == {"new.bin": NEW}


def head_of(made: Made) -> str:
    """Return how the head of a blob's first part is called."""
    return f"blobs/sha256/{sha256(made.parts[0].head)}"


def test_a_base_that_is_not_announced_is_refused(crossing: Crossing) -> None:
    """Also one that the site holds: whether it does is nothing to try out."""
    crossing.isolated.land(first(crossing))
    made = built(NEW, RUNS)
    update(crossing, [made], needs={}).write(crossing.medium)
    problem = refused(crossing, crossing.medium)
    assert problem.endswith(
        f"{head_of(made)} builds on blob {sha256(OLD)}, which need not be there by then"
    )


def test_a_base_that_travels_later_is_refused(crossing: Crossing) -> None:
    """Nothing waits for what comes after it, so nothing waits in a circle."""
    made = built(NEW, RUNS)
    files = {"new.bin": NEW, "old.bin": OLD}
    update(crossing, [made, whole(OLD)], needs={}, files=files).write(crossing.medium)
    problem = refused(crossing, crossing.medium)
    assert problem.endswith(
        f"{head_of(made)} builds on blob {sha256(OLD)}, which need not be there by then"
    )


def test_a_blob_made_of_itself_is_refused(crossing: Crossing) -> None:
    """It would be read before it is written."""
    made = built(NEW, [Run(9), Run(len(NEW) - 9, NEW, 9)])
    update(crossing, [made], needs={}).write(crossing.medium)
    problem = refused(crossing, crossing.medium)
    assert problem.endswith(
        f"{head_of(made)} builds on blob {sha256(NEW)}, which need not be there by then"
    )


@pytest.mark.parametrize("travels", [True, False])
def test_a_piece_out_of_its_base_is_refused(
    crossing: Crossing, *, travels: bool
) -> None:
    """Before anything is copied, whether the base is held or comes along."""
    runs = (*RUNS[:2], Run(RUNS[2].length + 1, OLD, RUNS[2].offset), RUNS[3])
    made = built(NEW + b"?", runs)
    blobs = [whole(OLD), made] if travels else [made]
    if not travels:
        crossing.isolated.land(first(crossing))
    files = {"new.bin": NEW + b"?", "old.bin": OLD}
    needs = {} if travels else {sha256(OLD): 1}
    update(crossing, blobs, needs=needs, files=files).write(crossing.medium)
    problem = refused(crossing, crossing.medium)
    assert problem.endswith(
        f"{head_of(made)} refers to byte {len(OLD) + 1} of blob {sha256(OLD)}, which"
        f" has {len(OLD)} bytes"
    )


def test_a_blob_that_comes_out_otherwise_is_refused(crossing: Crossing) -> None:
    """A sender whose digests are all right but one, and nothing of it stays."""
    crossing.isolated.land(first(crossing))
    other = NEW[:-1] + bytes([NEW[-1] ^ 1])
    made = Made(other, built(NEW, RUNS).parts)
    files = {"new.bin": other}
    update(crossing, [made], files=files).write(crossing.medium)
    assert refused(crossing, crossing.medium) == (
        f"blob {sha256(other)} came out as {sha256(NEW)} although all it is made of is"
        " right"
    )
    assert refused(crossing, crossing.medium).endswith("is made of is right")


def test_a_disk_that_cannot_hold_it_is_found_before(crossing: Crossing) -> None:
    """Stored slabs lie beside the blob until it is put together."""
    crossing.isolated.land(first(crossing))
    made = built(OLD + OLD, [Run(9), Run(len(OLD) - 9, OLD, 9), Run(len(OLD), OLD)])
    delivery = update(crossing, [made], files={"new.bin": OLD + OLD})
    paths = delivery.write(crossing.medium)
    arrived = arrival_of(crossing, paths)
    (part,) = made.blob.parts
    assert arrived == 2 * len(OLD) + part.size


def arrival_of(crossing: Crossing, paths: Sequence[Path]) -> int:
    """Return the room an import of *paths* asks for."""
    found = media.find(paths)
    arrival = landing.approach(found.candidates, crossing.isolated.gate, now=NOW)
    arrival.staging.close()
    return landing.forecast(arrival, crossing.isolated.store)
