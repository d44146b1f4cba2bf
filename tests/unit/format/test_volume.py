"""Volumes: cut between slabs, never one byte over, nothing lost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airlift.digest import Sha256, sha256
from airlift.errors import FormatError, RequestError
from airlift.format import framing, head, volume
from airlift.format.dispatch import Dispatch
from airlift.format.head import Codec, PartHead, Slab
from airlift.format.packing import SLAB, Head, PackedBlob, PackingList, Part
from airlift.format.volume import Cut, Label

FRONT = 4096


def cargo(parts: list[list[int]]) -> tuple[PackingList, list[PartHead | None]]:
    """Return a packing list with a blob for each part, of slabs of these sizes."""
    blobs: list[PackedBlob] = []
    heads: list[PartHead | None] = []
    for number, sizes in enumerate(parts):
        name = sha256(b"%d" % number)
        slabs = tuple(Slab(size, size, bytes(32)) for size in sizes)
        table = PartHead(Codec.RAW, slabs) if len(sizes) > 1 else None
        data = head.encode(table) if table else b""
        reference = Head(sha256=sha256(data), size=len(data)) if table else None
        total = sum(sizes)
        part = Part(sha256=name, size=total, raw=total, head=reference)
        blobs.append(PackedBlob(sha256=name, size=total, parts=(part,)))
        heads.append(table)
    return PackingList(blobs=tuple(blobs)), heads


def record(site: str = "plant7") -> Dispatch:
    """Return a dispatch record of no matter what."""
    return Dispatch(
        site=site,
        sequence=1,
        earlier=(),
        issued="2026-11-23T00:00:00Z",
        operator="me",
        releases=(),
        needs=(),
        packing_sha256=sha256(b""),
        packing_size=0,
    )


def runs(
    packing: PackingList, heads: list[PartHead | None], label: Label
) -> list[volume.Run]:
    """Return the runs of slabs of one volume."""
    found = [
        volume.run_of(index, blob, part, heads[index], label)
        for index, blob, part in volume.spanned(packing, label.first, label.end)
    ]
    assert all(found)
    return [run for run in found if run]


PARTS = st.lists(st.lists(st.integers(1, 5000), min_size=1, max_size=12), max_size=12)


@given(PARTS, st.integers(5_000, 60_000))
def test_volumes_hold_every_slab_once_and_never_pass_the_capacity(
    parts: list[list[int]], capacity: int
) -> None:
    """One byte too many does not fit a FAT32 stick; one slab too few is a lost week."""
    packing, heads = cargo(parts)
    try:
        ends = volume.cut(packing, heads, front=FRONT, capacity=capacity)
    except RequestError as error:
        # Refused with the number to type, which then works.
        least = int(error.hint.split()[2])
        assert least > capacity
        capacity = least
        ends = volume.cut(packing, heads, front=FRONT, capacity=capacity)
    seen: list[tuple[int, int]] = []
    for label in volume.labels(record(), sha256(b"d"), ends):
        size = FRONT + len(framing.END)
        for run in runs(packing, heads, label):
            seen += [(run.index, run.first + n) for n in range(len(run.slabs))]
            size += framing.footprint(run.size)
            size += framing.footprint(run.part.head.size) if run.part.head else 0
        assert size <= capacity
    every = [(i, n) for i, slabs in enumerate(parts) for n in range(len(slabs))]
    assert seen == every


def test_a_capacity_below_one_slab_says_what_is_needed() -> None:
    """The operator gets the number to type, and it works."""
    packing, heads = cargo([[SLAB, SLAB]])
    with pytest.raises(RequestError) as caught:
        volume.cut(packing, heads, front=FRONT, capacity=SLAB)
    assert (
        str(caught.value) == f"a volume of {SLAB} bytes is too small for this delivery"
    )
    least = int(caught.value.hint.split()[2])
    assert len(volume.cut(packing, heads, front=FRONT, capacity=least)) == 2
    with pytest.raises(RequestError):
        volume.cut(packing, heads, front=FRONT, capacity=least - 1)


def test_an_empty_delivery_is_one_volume() -> None:
    """A record that says "nothing new" travels too."""
    packing, heads = cargo([])
    assert volume.cut(packing, heads, front=FRONT, capacity=1 << 20) == (Cut(0, 0),)


@given(PARTS, st.integers(12_000, 60_000), st.data())
def test_any_changed_byte_of_a_label_is_refused(
    parts: list[list[int]], capacity: int, data: st.DataObject
) -> None:
    """Ordinals and cut points are not signed, and yet no accident goes unseen."""
    packing, heads = cargo(parts)
    ends = volume.cut(packing, heads, front=FRONT, capacity=capacity)
    label = data.draw(st.sampled_from(volume.labels(record(), sha256(b"d"), ends)))
    encoded = bytearray(volume.encode_label(label))
    assert volume.decode_label(bytes(encoded), name="v") == label
    encoded[data.draw(st.integers(0, len(encoded) - 1))] ^= data.draw(
        st.integers(1, 255)
    )
    with pytest.raises(FormatError):
        volume.decode_label(bytes(encoded), name="v")


def test_the_longest_label_keeps_the_room_reserved_for_it() -> None:
    """Capacity is reckoned with the limit, so the limit must hold."""
    label = Label(
        site="s" * 32,
        sequence=2**53 - 1,
        dispatch=Sha256("f" * 64),
        cutting="f" * 16,
        ordinal=volume.LIMIT,
        count=volume.LIMIT,
        first=Cut(10**9, 62),
        end=Cut(10**9, 63),
    )
    assert len(volume.encode_label(label)) <= volume.LABEL_LIMIT
    assert volume.decode_label(volume.encode_label(label), name="v") == label


def test_presets_fit_their_media() -> None:
    """FAT32 to the byte; optical media with room for their own file system."""
    assert volume.MEDIA["fat32"] == 4_294_967_295
    assert volume.MEDIA["default"] == 2047 * 2**20
    assert volume.MEDIA["dvd"] < 4_700_372_992
    assert volume.MEDIA["bd-25"] < 24_220_008_448  # formatted with default spare areas


def test_file_names_are_the_same_on_every_file_system() -> None:
    """Short, ASCII, unique whatever the case."""
    (label,) = volume.labels(record(), sha256(b"d"), [Cut(0, 0)])
    assert label.file_name == "AIRLIFT-plant7-000001.0001-of-0001.tar"
