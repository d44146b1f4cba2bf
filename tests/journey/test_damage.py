"""Any one byte: changed anywhere in a volume it is refused, and the place is named."""

import io
import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airlift.errors import AirliftError, FormatError
from airlift.format import framing
from airlift.format.reading import Fault, VolumeStream, read_front
from airlift.inbound import landing, media
from airlift.trust.verifier import verify
from crossing import NOW, Crossing, noise, weights
from unloaded import unloaded

FILES = {
    "a.json": b'{"a": 1}',
    "b.bin": noise(1500),
    "model.safetensors": weights(5 << 20),
    "raw.bin": noise((4 << 20) + 700, 5),
}


class Exhibit:
    """A delivery of two volumes, and an isolated side to try them on."""

    def __init__(self, folder: Path) -> None:
        self.crossing = Crossing(folder)
        connected = self.crossing.connected
        connected.export(
            self.crossing.medium, connected.folder("acme/m", FILES), capacity=6_000_000
        )
        self.volumes = sorted(self.crossing.medium.glob("*.tar"))
        self.good = [path.read_bytes() for path in self.volumes]
        with self.volumes[0].open("rb") as stream:
            source = VolumeStream(stream, "v")
            front = read_front(source)
            self.front = source.offset
        state = self.crossing.isolated.registry.trust_state()
        self.delivery = verify(front.records, state, now=NOW)
        self.label = front.label

    def faults(self, data: bytes) -> list[Fault]:
        """Return what a reader finds wrong behind the signed files of volume one."""
        source = VolumeStream(io.BytesIO(data), "v")
        read_front(source)
        items = unloaded(source, self.label, self.delivery.packing)
        found = [item for item in items if isinstance(item, Fault)]
        return (
            found
            if found or source.at_end()
            else [Fault(volume="v", offset=0, problem="more")]
        )


@pytest.fixture(scope="module", name="exhibit")
def _exhibit(tmp_path_factory: pytest.TempPathFactory) -> Exhibit:
    return Exhibit(tmp_path_factory.mktemp("damage"))


def flipped(data: bytes, at: int, bits: int) -> bytes:
    """Return *data* with the byte at *at* changed."""
    changed = bytearray(data)
    changed[at] ^= bits
    return bytes(changed)


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.data())
def test_one_changed_byte_anywhere_is_refused_and_changes_nothing(
    exhibit: Exhibit, data: st.DataObject
) -> None:
    """From the label to the end mark: not one byte is tolerated."""
    number = data.draw(st.integers(0, len(exhibit.volumes) - 1))
    good, path = exhibit.good[number], exhibit.volumes[number]
    # Half of the draws in the signed files, which are small beside the slabs.
    end = data.draw(st.sampled_from([exhibit.front, len(good)]))
    at = data.draw(st.integers(0, end - 1))
    isolated = exhibit.crossing.isolated
    before = isolated.fingerprint()
    path.write_bytes(flipped(good, at, data.draw(st.integers(1, 255))))
    try:
        with pytest.raises(AirliftError) as caught:
            isolated.land(exhibit.crossing.medium)
    finally:
        path.write_bytes(good)
        isolated.forget()
    assert path.name in caught.value.problem
    assert isolated.fingerprint() == before


def test_every_framing_byte_behind_the_signed_files_is_checked(
    exhibit: Exhibit,
) -> None:
    """Headers, padding and the end mark, exhaustively; slabs by samples of each."""
    good = exhibit.good[0]
    assert exhibit.faults(good) == []
    rng = random.Random(7)
    places: list[int] = []
    at = exhibit.front
    while at < len(good) - len(framing.END):
        _, size = framing.parse(good[at : at + 512], limit=1 << 40)
        body = at + framing.RECORD
        places += range(at, body)
        places += sorted({body + rng.randrange(size) for _ in range(5)})
        places += range(body + size, body + size + framing.padding(size))
        at = body + size + framing.padding(size)
    places += range(at, len(good))
    for place in places[:: 1 + len(places) // 600]:
        assert exhibit.faults(flipped(good, place, 1 << rng.randrange(8))), place


def test_every_truncation_is_a_fault_with_its_place(exhibit: Exhibit) -> None:
    """A copy cut off anywhere is named with the byte where it ends."""
    good = exhibit.good[0]
    cuts = [exhibit.front + n for n in (512, 513, 1023)] + [
        len(good) - n for n in (1, 512, 1024, 1025)
    ]
    for cut in cuts:
        (fault,) = exhibit.faults(good[:cut])[-1:]
        assert (fault.offset, fault.volume) == (cut, "v")


def test_a_truncated_front_is_a_format_error(exhibit: Exhibit) -> None:
    """Every length of the signed files is a refusal, never another exception."""
    for cut in range(0, exhibit.front, 97):
        with pytest.raises(FormatError):
            read_front(VolumeStream(io.BytesIO(exhibit.good[0][:cut]), "v"))


def test_a_damaged_volume_is_worth_its_good_part(
    tmp_path: Path,
) -> None:
    """After a refusal only the bad volume has to come again, and little of it is read."""
    crossing = Crossing(tmp_path)
    connected = crossing.connected
    connected.export(
        crossing.medium, connected.folder("acme/m", FILES), capacity=6_000_000
    )
    path = min(crossing.medium.glob("*.tar"))
    good = path.read_bytes()
    path.write_bytes(flipped(good, len(good) - 3000, 1))
    with pytest.raises(FormatError) as caught:
        crossing.isolated.land(crossing.medium)
    assert "differ from their signed digest" in caught.value.problem
    (arrival,) = [
        landing.approach(candidates, crossing.isolated.gate, now=NOW)
        for _, candidates in media.group(media.find([crossing.medium]).candidates)
    ]
    assert arrival.staging.bytes_missing() < 6_000_000
    arrival.staging.close()
    path.write_bytes(good)
    crossing.isolated.land(crossing.medium)
