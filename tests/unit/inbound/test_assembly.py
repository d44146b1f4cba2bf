"""Assembly: what comes out is the blob, or it is said what is wrong."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from airlift.digest import Sha256, sha256
from airlift.errors import FormatError, StoreError
from airlift.format.head import Codec
from airlift.format.packing import SLAB
from airlift.inbound.assembly import (
    KeptPart,
    Materials,
    RottenBaseError,
    assemble,
)
from airlift.inbound.volume_file import ROOM
from airlift.store.blobs import BlobStore
from airlift.store.bulk import Buffers
from airlift.store.partial import Partial
from airlift.store.span import Span
from crossing import noise
from handmade import Made, Run, built

GENERATOR = np.random.default_rng(11)


class Pool(Buffers):
    """Memory that is counted, so that none is kept or given back twice."""

    def __init__(self) -> None:
        super().__init__(ROOM)
        self.out: list[object] = []
        self.most = 0

    def take(self) -> memoryview:
        """Lend memory."""
        view = super().take()
        self.out.append(view.obj)
        self.most = max(self.most, len(self.out))
        return view

    def give(self, lent: bytes | memoryview) -> None:
        """Take it back."""
        assert isinstance(lent, memoryview)
        self.out.remove(lent.obj)
        super().give(lent)


class Site:
    """A store with bases, and a blob that has landed in it."""

    def __init__(self, folder: Path) -> None:
        self.store = BlobStore(folder / "store")
        self.slabs = folder / "slabs"
        self.pool = Pool()
        self.told: list[int] = []

    def land(self, made: Made, bases: Sequence[bytes]) -> Materials:
        """Write what has landed of *made*: stored slabs, and plain parts in place."""
        kept, start, place = [], 0, 0
        with self.slabs.open("wb") as slabs, self._file(made) as file:
            for part in made.parts:
                table = part.table
                raw = made.data[start : start + table.raw]
                if table.pieces:
                    slabs.seek(place)
                    slabs.write(b"".join(part.stored))
                else:
                    file.write(raw, start)
                table_ = table if table.pieces else None
                kept.append(
                    KeptPart(start=start, raw=table.raw, table=table_, place=place)
                )
                start += table.raw
                place += table.stored
        spans = {}
        for base in bases:
            name = self.store.add([base], expect=sha256(base), size=len(base))
            span = self.store.span(name)
            assert span
            spans[name] = span
        return Materials(parts=tuple(kept), slabs=self.slabs, bases=spans)

    def assemble(self, made: Made, materials: Materials) -> bytes:
        """Put *made* together; return what is in the file then."""
        with self._file(made) as file:
            assemble(sha256(made.data), materials, file, self.pool, self.told.append)
            return file.path.read_bytes()

    def _file(self, made: Made) -> Partial:
        return self.store.partial("blob", len(made.data))


@pytest.fixture(name="site")
def _site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def moved(data: bytes, width: int) -> bytes:
    """Return numbers near those of *data*."""
    old = np.frombuffer(data, f"<u{width}")
    step = GENERATOR.integers(0, 9, old.size).astype(old.dtype)
    new: bytes = (old + step).tobytes()
    return new


OLD = noise(3 * SLAB + 800, 21)
OTHER = noise(70_000, 22)
FRONT, BACK = noise(777, 23), noise(SLAB + 5, 24)
MOVED = moved(OLD[8 : 8 + SLAB + 4000], 2)
NEW = FRONT + MOVED + OLD[100:-100] + BACK + OTHER
RUNS = (
    Run(len(FRONT)),
    Run(len(MOVED), OLD, 8, 2),
    Run(len(OLD) - 200, OLD, 100),
    Run(len(BACK)),
    Run(len(OTHER), OTHER),
)


@pytest.mark.parametrize("codec", Codec)
def test_a_blob_is_put_together_of_all_kinds_of_pieces(
    site: Site, codec: Codec
) -> None:
    """Literals, references and differences, none of them at a page, of two blobs."""
    made = built(NEW, RUNS, codec=codec)
    materials = site.land(made, [OLD, OTHER])
    assert site.assemble(made, materials) == NEW
    assert sum(site.told) == len(NEW)


def test_memory_is_a_few_slabs_and_all_of_it_is_given_back(site: Site) -> None:
    """However large the blob."""
    made = built(NEW * 2, RUNS * 2)
    site.assemble(made, site.land(made, [OLD, OTHER]))
    assert site.pool.out == []
    assert site.pool.most <= 20


@pytest.mark.parametrize("width", [2, 4, 8])
def test_differences_of_every_width_are_restored(site: Site, width: int) -> None:
    """16, 32 and 64 bits."""
    new = moved(OLD, width)
    made = built(new, [Run(len(new), OLD, 0, width)])
    assert site.assemble(made, site.land(made, [OLD])) == new


def test_parts_with_and_without_pieces_make_one_blob(site: Site) -> None:
    """What builds on nothing lies in the file already, before and behind."""
    # A part has at least one slab.
    last = [Run(9), Run(len(OTHER) - 9, OTHER, 9)]
    made = built(NEW, RUNS[:1], RUNS[1:3], RUNS[3:4], last)
    assert site.assemble(made, site.land(made, [OLD, OTHER])) == NEW


def test_it_may_be_put_together_again(site: Site) -> None:
    """A kill on the way costs time and nothing else."""
    made = built(NEW, RUNS)
    materials = site.land(made, [OLD, OTHER])
    with site.store.partial("blob", len(NEW)) as file:
        file.write(noise(SLAB, 3), 5000)
    assert site.assemble(made, materials) == NEW
    assert site.assemble(made, materials) == NEW


def test_a_base_whose_bytes_are_no_longer_right_is_named(site: Site) -> None:
    """The disk of the site is at fault: the sender is not asked for anything."""
    made = built(NEW, RUNS)
    materials = site.land(made, [OLD, OTHER])
    span = materials.bases[sha256(OLD)]
    span.path.chmod(0o644)
    flipped = bytes([OLD[300] ^ 1])
    span.path.write_bytes(OLD[:300] + flipped + OLD[301:])
    with pytest.raises(RottenBaseError) as caught:
        site.assemble(made, materials)
    found = sha256(OLD[:300] + flipped + OLD[301:])
    assert caught.value.problem == (
        f"blob {sha256(NEW)} builds on blob {sha256(OLD)}, whose bytes here hash to"
        f" {found}"
    )
    assert caught.value.hint == (
        "run `airlift verify`, import the delivery again that brought the damaged"
        " blob, then this one"
    )


def test_a_base_that_became_shorter_is_an_error_of_the_store(site: Site) -> None:
    """A copy that was cut off is not filled up with zeros."""
    made = built(NEW, RUNS)
    materials = site.land(made, [OLD, OTHER])
    span = materials.bases[sha256(OLD)]
    span.path.chmod(0o644)
    span.path.write_bytes(OLD[:-200])
    with pytest.raises(StoreError) as caught:
        site.assemble(made, materials)
    assert caught.value.problem == (
        f"{sha256(OLD)} ended early, at byte {len(OLD) - 200}"
    )


def test_stored_slabs_that_changed_are_not_decoded(site: Site) -> None:
    """They were right when they landed: this disk lost them since."""
    made = built(NEW, RUNS)
    materials = site.land(made, [OLD, OTHER])
    data = bytearray(site.slabs.read_bytes())
    data[2000] ^= 1
    site.slabs.write_bytes(data)
    with pytest.raises(StoreError) as caught:
        site.assemble(made, materials)
    place = made.parts[0].table.slabs[0].stored
    assert caught.value.problem == (
        f"blob: stored bytes from {place} on are no longer those that arrived"
    )


def test_a_blob_that_comes_out_otherwise_is_refused(site: Site) -> None:
    """All digests of a bad sender may be right but the last one."""
    made = built(NEW, RUNS)
    materials = site.land(made, [OLD, OTHER])
    other = Made(NEW[:-1] + b"?", made.parts)
    with pytest.raises(FormatError) as caught:
        site.assemble(other, materials)
    assert caught.value.problem == (
        f"blob {sha256(other.data)} came out as {sha256(NEW)} although all it is made"
        " of is right"
    )


def test_a_piece_behind_the_end_of_its_base_is_an_error(site: Site) -> None:
    """It is refused before; nothing is made up should that ever fail."""
    made = built(NEW, RUNS)
    materials = site.land(made, [OLD, OTHER])
    span = materials.bases[sha256(OLD)]
    short = Span(path=span.path, offset=0, length=len(OLD) - 101)
    bases: dict[Sha256, Span] = {**materials.bases, sha256(OLD): short}
    lying = Materials(parts=materials.parts, slabs=materials.slabs, bases=bases)
    with pytest.raises(StoreError) as caught:
        site.assemble(made, lying)
    assert caught.value.problem == (
        f"{sha256(OLD)} has {len(OLD) - 101} bytes, no byte {len(OLD) - 100}"
    )


def test_a_base_in_a_pack_serves_as_well(site: Site) -> None:
    """Small blobs lie in packs, at any byte."""
    small = noise(5000, 31)
    new = b"front" + small[1000:]
    made = built(new, [Run(5), Run(4000, small, 1000)])
    materials = site.land(made, [])
    site.store.add_small([(sha256(one), one) for one in (noise(99, 30), small)])
    span = site.store.span(sha256(small))
    assert span
    assert span.offset
    full = Materials(
        parts=materials.parts, slabs=materials.slabs, bases={sha256(small): span}
    )
    assert site.assemble(made, full) == new
