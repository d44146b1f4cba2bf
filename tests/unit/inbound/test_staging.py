"""Slabs gather in any order, from any thread, and make whole blobs."""

import random
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from airlift.digest import Sha256, sha256
from airlift.errors import StoreError
from airlift.format.grounds import Grounds
from airlift.format.head import Codec, PartHead, Slab
from airlift.format.packing import SLAB, PackedBlob, PackingList, Part
from airlift.format.slabs import StoredSlab
from airlift.format.volume import Run
from airlift.inbound.arriving import Ticket
from airlift.inbound.staging import Staging
from airlift.inbound.volume_file import ROOM
from airlift.progress import Silent
from airlift.store.blobs import BlobStore
from airlift.store.bulk import Buffers

BODY = random.Random(6).randbytes(8 * SLAB + 777)
NAME = sha256(BODY)
STEP = SLAB
COUNT = 9


def blob_of(name: Sha256, size: int) -> PackedBlob:
    """Return a blob of one part, of raw slabs."""
    return PackedBlob(
        sha256=name, size=size, parts=(Part(sha256=name, size=size, raw=size),)
    )


def slabs(blob: PackedBlob, body: bytes = BODY) -> list[StoredSlab]:
    """Return all slabs of *blob* as a volume gives them."""
    pieces = [body[at : at + STEP] for at in range(0, len(body), STEP)]
    table = PartHead(
        Codec.RAW, tuple(Slab(len(one), len(one), bytes(32)) for one in pieces)
    )
    run = Run(
        index=0,
        blob=blob,
        part=blob.parts[0],
        first=0,
        slabs=table.slabs,
        whole=True,
    )
    return [
        StoredSlab(run=run, table=table, number=n, place=n * STEP, offset=0, data=piece)
        for n, piece in enumerate(pieces)
    ]


class Bay:
    """A staging area for one blob, and what was let go of."""

    def __init__(self, folder: Path, name: Sha256 = NAME) -> None:
        self.store = BlobStore(folder / "store")
        self.blob = blob_of(name, len(BODY))
        self.folder = folder / "incoming"
        self.released: list[int] = []
        self.slabs = slabs(self.blob)
        self.open()

    def open(self) -> None:
        """Open the staging area, as a process does that comes later."""
        packing = PackingList(blobs=(self.blob,))
        self.staging = Staging(self.folder, "key", Grounds(packing), self.store)

    def take(self, number: int, ticket: Ticket | None) -> None:
        """Take slab *number* in."""
        assert ticket
        data = self.slabs[number].data
        self.staging.take(ticket, data, lambda: self.released.append(number))

    def expect(self, *numbers: int) -> list[Ticket | None]:
        """Expect slabs in this order."""
        return [self.staging.expect(self.slabs[number]) for number in numbers]


@pytest.fixture(name="bay")
def _bay(tmp_path: Path) -> Iterator[Bay]:
    bay = Bay(tmp_path)
    yield bay
    bay.staging.close()


def test_threads_bring_slabs_in_any_order(tmp_path: Path) -> None:
    """Which worker is first is chance; the digest is of the bytes in their order."""
    for attempt in range(8):
        bay = Bay(tmp_path / str(attempt))
        work = list(enumerate(bay.expect(*range(COUNT))))
        random.Random(attempt).shuffle(work)
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(bay.take, *zip(*work, strict=True)))
        assert bay.released == list(range(COUNT))
        assert bay.staging.missing() == set()
        bay.staging.deliver(Buffers(ROOM), Silent())
        bay.staging.close()
        assert b"".join(bay.store.read(NAME)) == BODY


def test_whoever_only_looks_leaves_nothing(tmp_path: Path) -> None:
    """After `import --dry-run`, or a no, nothing waits for volumes that nobody sends."""
    bay = Bay(tmp_path)
    bay.staging.close()
    assert not bay.folder.exists()


def test_an_empty_file_is_there_without_having_come(tmp_path: Path) -> None:
    """No volume carries it, and a delivery of nothing else is complete at once."""
    store = BlobStore(tmp_path / "store")
    empty = PackedBlob(sha256=sha256(b""), size=0, parts=())
    grounds = Grounds(PackingList(blobs=(empty,)))
    staging = Staging(tmp_path / "incoming", "key", grounds, store)
    assert staging.missing() == set()
    assert not (tmp_path / "incoming").exists()
    staging.deliver(Buffers(ROOM), Silent())
    staging.close()
    assert store.has(empty.sha256)


def test_memory_is_let_go_as_soon_as_it_was_hashed(bay: Bay) -> None:
    """What waits for a slab that is late holds memory; nothing else does."""
    tickets = bay.expect(*range(COUNT))
    bay.take(1, tickets[1])
    bay.take(2, tickets[2])
    assert bay.released == []
    bay.take(0, tickets[0])
    assert bay.released == [0, 1, 2]


def test_a_slab_that_is_lost_holds_nothing_up_and_may_come_again(bay: Bay) -> None:
    """A damaged slab of one volume comes with a good copy of it, out of order."""
    tickets = bay.expect(*range(COUNT))
    for number in (*range(1, COUNT), 0):
        if number == 3:
            assert tickets[3]
            bay.staging.lose(tickets[3])
        else:
            bay.take(number, tickets[number])
    assert sorted(bay.released) == [0, 1, 2, 4, 5, 6, 7, 8]
    assert bay.staging.missing() == {NAME}
    (again,) = bay.expect(3)
    bay.take(3, again)
    assert bay.staging.missing() == set()
    bay.staging.deliver(Buffers(ROOM), Silent())
    assert b"".join(bay.store.read(NAME)) == BODY


def test_a_slab_is_expected_once(bay: Bay) -> None:
    """Two copies of a volume hold it twice; one is written."""
    first, second = bay.expect(4, 4)
    assert second is None
    bay.take(4, first)
    assert bay.expect(4) == [None]
    assert bay.staging.bytes_missing() == len(BODY) - STEP


def test_what_was_saved_is_taken_up(bay: Bay) -> None:
    """After a kill only what was not noted is read again."""
    tickets = bay.expect(*range(COUNT))
    for number in (0, 1, 5):
        bay.take(number, tickets[number])
    bay.staging.save()
    bay.take(2, tickets[2])
    bay.staging.close()  # as a killed process: what came after the note is unknown
    bay.open()
    assert bay.staging.bytes_missing() == len(BODY) - 3 * STEP
    tickets = bay.expect(*range(COUNT))
    assert [n for n, ticket in enumerate(tickets) if ticket] == [2, 3, 4, 6, 7, 8]
    for number, ticket in enumerate(tickets):
        if ticket:
            bay.take(number, ticket)
    bay.staging.deliver(Buffers(ROOM), Silent())
    assert b"".join(bay.store.read(NAME)) == BODY
    assert not list(bay.store.partials())


def test_a_blob_that_is_not_what_its_name_says_is_thrown_away(tmp_path: Path) -> None:
    """Every slab had its signed digest: the sender lied, or this memory fails."""
    other = sha256(b"another")
    bay = Bay(tmp_path, other)
    tickets = bay.expect(*range(COUNT))
    for number in range(COUNT - 1):
        bay.take(number, tickets[number])
    with pytest.raises(StoreError) as caught:
        bay.take(COUNT - 1, tickets[COUNT - 1])
    assert caught.value.problem == (
        f"blob {other} came out as {NAME} although every slab had its digest"
    )
    assert not list(bay.store.partials())
    assert bay.staging.missing() == {other}
    bay.staging.close()


def test_a_small_blob_that_is_not_what_its_name_says_is_refused(bay: Bay) -> None:
    """Small blobs are gathered; not one of them goes unhashed."""
    blob = blob_of(sha256(b"a"), 1)
    with pytest.raises(StoreError, match="came out as"):
        bay.staging.take_small([(blob, b"b", "")])


def test_lanes_of_two_blobs_do_not_wait_for_each_other(tmp_path: Path) -> None:
    """Several files are hashed at once; one file is one thread's work."""
    store = BlobStore(tmp_path / "store")
    bodies = [BODY, BODY[::-1]]
    blobs = [blob_of(sha256(body), len(body)) for body in bodies]
    parts = [slabs(blob, body) for blob, body in zip(blobs, bodies, strict=True)]
    packing = PackingList(blobs=tuple(blobs))
    staging = Staging(tmp_path / "incoming", "key", Grounds(packing), store)
    released = threading.Event()
    late = staging.expect(parts[0][0])
    ticket = staging.expect(parts[0][1])
    other = staging.expect(
        StoredSlab(
            run=Run(
                index=1,
                blob=blobs[1],
                part=blobs[1].parts[0],
                first=0,
                slabs=parts[1][0].run.slabs,
                whole=True,
            ),
            table=parts[1][0].table,
            number=0,
            place=0,
            offset=0,
            data=parts[1][0].data,
        )
    )
    assert late
    assert ticket
    assert other
    staging.take(ticket, parts[0][1].data, lambda: None)
    staging.take(other, parts[1][0].data, released.set)
    assert released.is_set()
    staging.close()
