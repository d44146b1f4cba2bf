"""Reading volumes: bounds before belief, and a place for every fault."""

import io
import json
from collections.abc import Iterator

import pytest

from airlift.digest import sha256
from airlift.errors import FormatError
from airlift.format import framing, packing, reading, volume
from airlift.format.packing import PackingList
from airlift.format.reading import (
    Fault,
    VolumeError,
    VolumeStream,
    read_front,
    read_label,
)
from airlift.format.volume import Cut
from unloaded import GoodSlab, unloaded
from vectors.running import FOLDER
from vectors.sender import Sender, Sent

FIRST = (FOLDER / "deliveries" / "first" / "1.tar").read_bytes()
LABEL_SIZE = framing.footprint(framing.parse(FIRST[:512], limit=1024)[1])
LABEL = FIRST[:LABEL_SIZE]


class Endless(io.RawIOBase):
    """A stream that gives *front*, then one member after the other, for ever.

    Attributes:
        given: Bytes it gave away.
        largest: Most bytes it was asked for at once.
    """

    def __init__(self, front: bytes, member: Iterator[bytes]) -> None:
        self._pending, self._members = front, member
        self.given = self.largest = 0

    def read(self, size: int = -1) -> bytes:
        """Give exactly *size* bytes."""
        assert size >= 0, "it was asked for all there is"
        self.largest = max(self.largest, size)
        while len(self._pending) < size:
            self._pending += next(self._members)
        out, self._pending = self._pending[:size], self._pending[size:]
        self.given += size
        return out


class Trickle(io.BytesIO):
    """A pipe: gives at most 100 bytes at once."""

    def read(self, size: int | None = -1) -> bytes:
        """Give less than was asked for."""
        assert size is not None
        return super().read(min(size, 100))


class Scratched(io.BytesIO):
    """A disc that cannot be read from byte 10,000 on."""

    def read(self, size: int | None = -1) -> bytes:
        """Fail where the scratch is."""
        if self.tell() >= 10_000:
            raise OSError(5, "Input/output error")
        assert size is not None
        return super().read(min(size, 10_000 - self.tell()))


def member(name: str, data: bytes) -> bytes:
    """Return a member of a volume."""
    padding = bytes(framing.padding(len(data)))
    return framing.header(name, len(data)) + data + padding


def refusal(stream: io.RawIOBase | io.BytesIO) -> VolumeError:
    """Return the error of reading what stands before the slabs."""
    with pytest.raises(VolumeError) as caught:
        read_front(VolumeStream(stream, "v"))  # type: ignore[arg-type]
    return caught.value


def test_a_stream_is_read_in_pieces_of_any_size() -> None:
    """A pipe gives what it has; nothing may depend on how much that is."""
    whole = read_front(VolumeStream(io.BytesIO(FIRST), "v"))
    assert read_front(VolumeStream(Trickle(FIRST), "v")) == whole
    assert whole.label.file_name == "AIRLIFT-plant7-000001.0001-of-0001.tar"
    assert len(whole.records) == 8


def test_bytes_given_back_are_taken_again() -> None:
    """The first header of a slab is looked at to see that it is none of a record."""
    source = VolumeStream(io.BytesIO(b"abcdef"), "v")
    taken = source.take(4)
    source.push_back(taken)
    assert (source.offset, source.take(5), source.offset) == (0, b"abcde", 5)
    assert not source.at_end()
    behind = source.next("w")
    assert (behind.offset, behind.take(1), behind.at_end()) == (0, b"f", True)


def test_a_stream_that_ends_says_where() -> None:
    """The operator compares the number with the size of the file."""
    source = VolumeStream(io.BytesIO(b"abc"), "v")
    with pytest.raises(VolumeError) as caught:
        source.take(10)
    assert str(caught.value) == (
        "v: byte 3: the volume ends 7 bytes too soon, or even earlier"
    )
    hint = "copy this volume again from its source; what verified is kept"
    assert caught.value.hint == hint


def test_a_read_error_of_the_medium_is_a_fault_with_its_place() -> None:
    """A scratched disc is copied again; the program does not end in a traceback."""
    error = refusal(Scratched(FIRST))
    assert error.fault.problem == "cannot be read: Input/output error"
    assert 8_000 < error.fault.offset <= 10_000


@pytest.mark.parametrize(
    "data",
    [
        bytes(4096),
        b"PK\x03\x04" + bytes(4092),
        member("airlift/metadata/1.root.json", b"{}"),
        member("airlift/volume.json", bytes(1025)),
    ],
)
def test_what_is_no_volume_is_said_to_be_none(data: bytes) -> None:
    """Media hold other files; the label is read before anything is believed."""
    with pytest.raises(VolumeError) as caught:
        read_label(VolumeStream(io.BytesIO(data), "v"))
    problem = "v: byte 0: not an airlift volume, or its first bytes are damaged"
    assert str(caught.value) == problem


def test_a_label_in_another_spelling_is_refused() -> None:
    """Its check covers its fields, its form covers the rest."""
    label = json.dumps(json.loads(LABEL[512:].rstrip(b"\0"))).encode()
    with pytest.raises(FormatError) as caught:
        read_label(VolumeStream(io.BytesIO(member(volume.LABEL, label)), "v"))
    assert str(caught.value) == (
        "v: airlift/volume.json is not in canonical form at byte 9"
    )


def test_padding_that_is_not_zero_is_refused() -> None:
    """Nothing unsigned travels between what is signed."""
    data = LABEL[:-1] + b"x" + FIRST[LABEL_SIZE:]
    assert refusal(io.BytesIO(data)).fault.problem == "padding is not zero"


def test_a_hostile_size_is_refused_before_a_byte_of_it_is_read() -> None:
    """A header that claims eight gigabytes must not cost eight gigabytes."""
    for size in (reading.RECORDS_LIMIT + 1, (1 << 33) - 1):
        front = LABEL + framing.header("airlift/a", size)
        stream = Endless(front, iter(lambda: bytes(1 << 16), b""))
        error = refusal(stream)
        assert error.fault == Fault(
            volume="v", offset=LABEL_SIZE, problem="not a header airlift writes"
        )
        assert stream.given == len(front)


def test_records_beyond_the_limit_of_bytes_are_refused_in_sum() -> None:
    """Many files of a lawful size are as large as one of an unlawful size."""
    first = member("airlift/a", bytes(1 << 20))
    left = reading.RECORDS_LIMIT - len(first)
    front = LABEL + first + framing.header("airlift/b", left + 1)
    stream = Endless(front, iter(lambda: bytes(1 << 16), b""))
    assert refusal(stream).fault == Fault(
        volume="v",
        offset=LABEL_SIZE + len(first),
        problem="not a header airlift writes",
    )
    assert stream.given == len(front)


def test_one_record_too_many_is_refused() -> None:
    """Empty files cost memory too: a hundred thousand are the limit."""
    members = (member(f"airlift/{number:06d}", b"") for number in range(1 << 30))
    stream = Endless(LABEL, members)
    error = refusal(stream)
    assert error.fault == Fault(
        volume="v",
        offset=LABEL_SIZE + 512 * reading.RECORDS_COUNT,
        problem="`airlift/100000` is out of order or one too many",
    )
    assert stream.given == LABEL_SIZE + 512 * (reading.RECORDS_COUNT + 1)
    assert stream.largest <= 1024


@pytest.mark.parametrize("second", ["airlift/a", "airlift/b"])
def test_records_out_of_order_or_twice_are_refused(second: str) -> None:
    """One order means one volume for one delivery."""
    data = LABEL + member("airlift/b", b"") + member(second, b"")
    problem = f"`{second}` is out of order or one too many"
    fault = Fault(volume="v", offset=LABEL_SIZE + 512, problem=problem)
    assert refusal(io.BytesIO(data)).fault == fault


WEIGHTS = [bytes([1]) * (5 << 20), bytes([2]) * (5 << 20), bytes([3]) * (5 << 20)]
NOW = "2026-01-05T08:00:00Z"


@pytest.fixture(scope="module", name="sent")
def _sent(tmp_path_factory: pytest.TempPathFactory) -> Sent:
    files = {f"{number}.safetensors": data for number, data in enumerate(WEIGHTS)}
    sender = Sender(tmp_path_factory.mktemp("sender") / "trust", NOW)
    return sender.send({"acme/m": files}, NOW)


def items(data: bytes, listing: PackingList) -> list[GoodSlab | Fault]:
    """Return all that is read of a volume."""
    source = VolumeStream(io.BytesIO(data), "v")
    front = read_front(source)
    return unloaded(source, front.label, listing)


def listing(sent: Sent) -> PackingList:
    """Return the packing list of *sent*."""
    return packing.decode(sent.records["records/packing.json"])


def test_a_damaged_head_of_a_whole_part_costs_that_part_only(sent: Sent) -> None:
    """What stands behind it has a known place, and is read."""
    (data,) = sent.volumes()
    at = data.index(b"ALHD", data.index(sent.part_name("0.safetensors")))
    damaged = data[: at + 40] + b"\xee" + data[at + 41 :]
    found = items(damaged, listing(sent))
    (fault,) = [item for item in found if isinstance(item, Fault)]
    head = sent.packed[1].head
    assert fault == Fault(
        volume="v",
        offset=at,
        problem=(
            f"head hashes to {sha256(damaged[at : at + len(head)])},"
            f" expected blobs/sha256/{sha256(head)}"
        ),
    )
    raw = [item.raw for item in found if isinstance(item, GoodSlab)]
    assert b"".join(raw) == WEIGHTS[0] + WEIGHTS[2]


def test_a_damaged_head_of_a_cut_part_ends_the_volume(sent: Sent) -> None:
    """Without it nobody knows how long its piece is; guessing is not reading."""
    data, _ = sent.volumes(Cut(0, 1))
    at = data.index(b"ALHD")
    found = items(data[: at + 40] + b"\xee" + data[at + 41 :], listing(sent))
    assert [type(item) for item in found] == [Fault, Fault]
    assert isinstance(found[1], Fault)
    assert found[1].problem == (
        "what follows a damaged head of a cut part cannot be placed"
    )


def test_a_damaged_slab_costs_that_slab_only(sent: Sent) -> None:
    """The next slab has its own digest and its known place."""
    (data,) = sent.volumes()
    name = sent.part_name("1.safetensors")
    at = data.index(name) + 512
    damaged = data[:at] + b"\xee" + data[at + 1 :]
    found = items(damaged, listing(sent))
    (fault,) = [item for item in found if isinstance(item, Fault)]
    table = sent.packed[1].table
    assert table
    assert fault == Fault(
        volume="v",
        offset=at,
        problem=(
            f"{name.decode()}: bytes up to {at + table.slabs[0].stored}"
            " differ from their signed digest"
        ),
    )
    assert len(found) == 6


def test_damaged_framing_is_named_to_the_byte_and_reading_goes_on(sent: Sent) -> None:
    """A header carries nothing that is not known: the slabs behind it are good."""
    (data,) = sent.volumes()
    at = data.index(sent.part_name("1.safetensors")) + 120
    found = items(data[:at] + b"\xee" + data[at + 1 :], listing(sent))
    problem = "framing differs from what signed data gives"
    assert Fault(volume="v", offset=at, problem=problem) in found
    assert sum(isinstance(item, GoodSlab) for item in found) == 6


def test_a_label_whose_cut_points_lie_outside_the_parts_is_a_fault(sent: Sent) -> None:
    """Cut points are not signed; they are held against what is."""
    (data,) = sent.volumes()
    front = read_front(VolumeStream(io.BytesIO(data), "v"))
    source = VolumeStream(io.BytesIO(data), "v")
    read_front(source)
    fields = {name: getattr(front.label, name) for name in front.label.__slots__}
    label = volume.Label(**{**fields, "first": Cut(0, 9)})
    found = unloaded(source, label, listing(sent))
    assert isinstance(found[-1], Fault)
    assert found[-1].problem == "the label's cut points lie outside the parts"


def test_a_slab_that_is_signed_and_cannot_be_decoded_names_its_place() -> None:
    """A newer sender is at fault, not the medium; the hint says so."""
    folder = FOLDER / "deliveries" / "block-unknown-kind"
    data = (folder / "1.tar").read_bytes()
    front = read_front(VolumeStream(io.BytesIO(data), "v"))
    with pytest.raises(FormatError) as caught:
        items(data, packing.decode(front.records["records/packing.json"]))
    assert str(caught.value).startswith("v: byte 15872: blobs/sha256/")
    assert str(caught.value).endswith(": block of unknown kind 4")
    assert caught.value.hint == "a newer airlift is needed here"
