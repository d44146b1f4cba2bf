"""Seeded mutations of whole volumes: refused, never crashed on, never a wrong byte.

``AIRLIFT_FUZZ_RUNS`` sets how many mutants are tried (the default takes seconds), and
``AIRLIFT_FUZZ_SEED`` where the sequence of them begins; a failure names its seed.
"""

import io
import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from airlift.errors import AirliftError, FormatError
from airlift.format import block, head
from airlift.format.reading import Fault, VolumeStream, read_front
from airlift.trust.delivery import TrustState
from airlift.trust.site import accept_root
from airlift.trust.verifier import verify
from independent.delivery import Site
from independent.reader import read
from independent.record import RefusedError, sha256
from independent.specimen import regions
from unloaded import unloaded
from vectors.cases import MODEL
from vectors.running import FOLDER
from vectors.running import read as read_vector

RUNS = int(os.environ.get("AIRLIFT_FUZZ_RUNS", "400"))
SEED = int(os.environ.get("AIRLIFT_FUZZ_SEED", "1"))
BLOBS = {sha256(data): data for data in MODEL.values()}
VECTOR = read_vector(FOLDER / "deliveries" / "two-volumes")
GOOD = [path.read_bytes() for path in VECTOR.volumes]
ROOT = (VECTOR.folder / "root.json").read_bytes()
NOW = VECTOR.table["now"]

Mutation = Callable[[bytes, random.Random], bytes]


def _flip(data: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :]


def _overwrite(data: bytes, rng: random.Random) -> bytes:
    at, size = rng.randrange(len(data)), rng.choice([1, 2, 4, 8, 512])
    new = rng.choice([bytes(size), b"\xff" * size, rng.randbytes(size), b"9" * size])
    return data[:at] + new + data[at + size :]


def _delete(data: bytes, rng: random.Random) -> bytes:
    at, size = rng.randrange(len(data)), rng.choice([1, 7, 512, 4096])
    return data[:at] + data[at + size :]


def _insert(data: bytes, rng: random.Random) -> bytes:
    at = rng.choice([rng.randrange(len(data)), len(data) // 2])
    return data[:at] + rng.randbytes(rng.choice([1, 512, 1024])) + data[at:]


def _shorten(data: bytes, rng: random.Random) -> bytes:
    return data[: rng.randrange(len(data))]


def _repeat(data: bytes, rng: random.Random) -> bytes:
    found = rng.choice(list(regions(data)))
    return data[: found.stop] + data[found.start :]


def _exchange(data: bytes, rng: random.Random) -> bytes:
    one, two = sorted(rng.sample(list(regions(data)), 2), key=lambda found: found.start)
    return (
        data[: one.start]
        + data[two.start : two.stop]
        + data[one.stop : two.start]
        + data[one.start : one.stop]
        + data[two.stop :]
    )


def _graft(data: bytes, rng: random.Random) -> bytes:
    at = 512 * rng.randrange(len(data) // 512)
    return data[:at] + rng.choice(GOOD)[at:]


MUTATIONS: tuple[Mutation, ...] = (
    *(_flip, _overwrite, _delete, _insert),
    *(_shorten, _repeat, _exchange, _graft),
)


def mutant(seed: int) -> bytes:
    """Return the volume with one to three mutations that *seed* stands for."""
    rng = random.Random(seed)
    data = rng.choice(GOOD)
    data = rng.choice(MUTATIONS)(data, rng)
    for _ in range(rng.choice([0, 0, 1, 2])):
        data = _overwrite(data or b"\0", rng)
    return data


def airlift_refuses(data: bytes, state: TrustState) -> bool:
    """Say whether airlift finds anything wrong; check every byte it gives out."""
    source = VolumeStream(io.BytesIO(data), "v")
    try:
        front = read_front(source)
        delivery = verify(front.records, state, now=NOW)
        slabs = unloaded(source, front.label, delivery.packing)
        found = []
        for item in slabs:
            if isinstance(item, Fault):
                found.append(item)
                continue
            true = BLOBS[item.blob.sha256][item.place :]
            assert item.raw == true[: len(item.raw)]
        return bool(found) or not source.at_end()
    except AirliftError:
        return True


def test_no_mutant_passes_crashes_or_changes_a_byte(tmp_path: Path) -> None:
    """Whatever a medium does to a volume ends in a refusal that can be shown."""
    state = accept_root(ROOT, site="plant7")
    site = Site(name="plant7", root=ROOT, now=NOW)
    path = tmp_path / "mutant.tar"
    for seed in range(SEED, SEED + RUNS):
        data = mutant(seed)
        if data in GOOD:
            continue
        assert airlift_refuses(data, state), f"seed {seed}"
        path.write_bytes(data)
        try:
            read([path], site)
        except RefusedError as error:
            assert error.word != "incomplete", f"seed {seed}"  # noqa: PT017 - a loop
        else:
            pytest.fail(f"the second reader takes seed {seed}")


def test_a_mutated_slab_gives_all_its_bytes_or_none() -> None:
    """A sender's coder may be wrong: lengths hold, memory is bounded, no crash."""
    raw = MODEL["model.safetensors"][4 << 20 :]
    good = block.encode_slab(memoryview(raw))
    refused = 0
    for seed in range(SEED, SEED + 10 * RUNS):
        rng = random.Random(seed)
        data = rng.choice((_flip, _overwrite, _delete, _insert, _shorten))(good, rng)
        try:
            assert len(block.decode_slab(memoryview(data), len(raw))) == len(raw)
        except FormatError:
            refused += 1
    assert refused > RUNS


def test_a_mutated_head_is_refused_or_says_the_same_again() -> None:
    """There is one spelling of a head; what is read can be written again."""
    data = GOOD[0]
    (found,) = [one for one in regions(data) if data[one.start :][:4] == b"ALHD"]
    good = data[found.start : found.stop]
    for seed in range(SEED, SEED + 10 * RUNS):
        rng = random.Random(seed)
        changed = rng.choice((_flip, _overwrite, _delete, _insert, _shorten))(good, rng)
        try:
            table = head.decode(changed)
        except FormatError:
            continue
        assert head.encode(table) == changed
