import hashlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airlift.digest import Sha256, sha256
from airlift.store import packs
from airlift.store.blobs import BlobStore
from airlift.store.durable import Disk
from airlift.store.packer import Packer
from airlift.store.packs import Pack


def packed(root: Path, blobs: list[bytes]) -> Path:
    """Return the path of a new pack of *blobs*."""
    (root / "packs").mkdir()
    packer = Packer(Disk(), root, root / "packs")
    for blob in blobs:
        packer.add(hashlib.sha256(blob).digest(), blob)
    packer.publish()
    (path,) = (root / "packs").glob("*.pack")
    return path


def found(pack: Pack, blobs: list[bytes]) -> dict[bytes, bytes | None]:
    """Return what *pack* gives for each of *blobs*."""
    content = pack.path.read_bytes()
    places = {blob: pack.find(hashlib.sha256(blob).digest()) for blob in blobs}
    return {
        blob: place and content[place[0] : place[0] + place[1]]
        for blob, place in places.items()
    }


def test_a_pack_is_exactly_what_is_documented(tmp_path: Path) -> None:
    """Others must be able to read it with the module's docstring alone."""
    path = packed(tmp_path, [b"one", b""])
    expected = b"AIRPACK1"
    for blob in (b"one", b""):
        expected += hashlib.sha256(blob).digest()
        expected += len(blob).to_bytes(4, "big") + blob
    assert path.read_bytes() == expected
    assert path.name == f"{sha256(expected)}.pack"
    places = {b"one": (8 + 36, 3), b"": (8 + 36 + 3 + 36, 0)}
    order = sorted(places, key=lambda blob: hashlib.sha256(blob).digest())
    index = b"AIRPIDX1" + len(expected).to_bytes(8, "big") + (2).to_bytes(8, "big")
    index += b"".join(hashlib.sha256(blob).digest() for blob in order)
    for blob in order:
        offset, length = places[blob]
        index += offset.to_bytes(8, "big") + length.to_bytes(4, "big")
    index += hashlib.sha256(index).digest()
    assert path.with_suffix(".idx").read_bytes() == index


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    blobs=st.lists(st.binary(max_size=300), min_size=1, max_size=40, unique=True),
    absent=st.binary(max_size=300),
)
def test_a_pack_holds_what_went_in_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, blobs: list[bytes], absent: bytes
) -> None:
    """Bisection is easy to get wrong at the ends."""
    pack = Pack(packed(tmp_path_factory.mktemp("pack"), blobs), None)
    assert found(pack, blobs) == {blob: blob for blob in blobs}
    assert pack.count == len(blobs)
    if absent not in blobs:
        assert pack.find(hashlib.sha256(absent).digest()) is None
    assert pack.find(bytes(32)) is None
    assert pack.find(b"\xff" * 32) is None


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    held=st.sets(st.integers(0, 400), min_size=1, max_size=200),
    asked=st.sets(st.integers(0, 400), max_size=300),
    more=st.sampled_from([0, 600]),
)
def test_many_are_found_in_one_go_as_one_by_one(
    tmp_path_factory: pytest.TempPathFactory, held: set[int], asked: set[int], more: int
) -> None:
    """A blob told to be there that is not would be recorded and never served."""
    blobs = [b"%d" % one for one in sorted(held)]
    pack = Pack(packed(tmp_path_factory.mktemp("pack"), blobs), None)
    asked |= set(range(1000, 1000 + more))  # few and many take different ways
    wanted = {hashlib.sha256(b"%d" % one).digest() for one in asked}
    expected = {digest for digest in wanted if pack.find(digest)}
    assert pack.among(wanted) == expected
    assert pack.places(wanted) == {one: pack.find(one) for one in expected}
    assert pack.holds_any(wanted) == bool(expected)


def test_digests_that_begin_alike_are_told_apart(tmp_path: Path) -> None:
    """Whoever can make digests share 8 bytes must not hide a blob, or feign one."""
    alike = [bytes(8) + n.to_bytes(24, "big") for n in range(400)]
    last = [b"\xff" * 8 + n.to_bytes(24, "big") for n in range(400)]
    packer = Packer(Disk(), tmp_path, tmp_path)
    for digest in alike[::2] + last[::2]:
        packer.add(digest, b"x")  # the pack takes the caller's word for digests
    packer.publish()
    (path,) = tmp_path.glob("*.pack")
    pack = Pack(path, None)
    held = {*alike[::2], *last[::2]}
    assert pack.among([*alike, *last]) == held
    assert {one for one in (*alike, *last) if pack.find(one)} == held
    assert pack.places([*alike, *last]) == {one: pack.find(one) for one in held}


@settings(
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_a_damaged_index_is_never_believed(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Wherever the bit flips or the power cuts it, the pack itself decides."""
    blobs = [b"blob %d" % n for n in range(20)]
    path = packed(tmp_path_factory.mktemp("pack"), blobs)
    index = path.with_suffix(".idx")
    content = bytearray(index.read_bytes())
    sound = bytes(content)
    index.unlink()
    at = data.draw(st.integers(0, len(content) - 1))
    if data.draw(st.booleans()):
        content[at] ^= 1 << data.draw(st.integers(0, 7))
    else:
        del content[at:]
    index.write_bytes(content)
    in_memory = Pack(path, None)
    assert found(in_memory, blobs) == {blob: blob for blob in blobs}
    assert index.read_bytes() == content
    mended = Pack(path, Disk())
    assert found(mended, blobs) == {blob: blob for blob in blobs}
    assert index.read_bytes() == sound


@settings(
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_what_a_damaged_pack_gives_without_its_index_is_right(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """After a flipped bit or a cut, a blob is whole or not held, never another."""
    blobs = [b"blob %d" % n for n in range(20)]
    path = packed(tmp_path_factory.mktemp("pack"), blobs)
    path.with_suffix(".idx").unlink()
    path.chmod(0o600)
    content = bytearray(path.read_bytes())
    at = data.draw(st.integers(0, len(content) - 1))
    if data.draw(st.booleans()):
        content[at] ^= 1 << data.draw(st.integers(0, 7))
    else:
        del content[at:]
    path.write_bytes(content)
    given_back = found(Pack(path, None), blobs)
    assert {
        blob: got for blob, got in given_back.items() if got not in (blob, None)
    } == {}
    before = (at - len(b"AIRPACK1")) // (36 + len(blobs[0]) + 1)
    assert all(given_back[blob] == blob for blob in blobs[: max(0, before)])


def test_a_cut_pack_with_a_sound_index_loses_only_its_tail(tmp_path: Path) -> None:
    """The index says how long the pack was, so that the loss is noticed."""
    blobs = [b"one", b"two"]
    path = packed(tmp_path, blobs)
    path.chmod(0o600)
    path.write_bytes(path.read_bytes()[:-1])
    store = BlobStore(tmp_path)
    assert store.missing([sha256(blob) for blob in blobs]) == {sha256(b"two")}


def test_rotten_blobs_of_a_pack_are_listed(tmp_path: Path) -> None:
    """Quarantine must take them all, or writing the pack again would stop."""
    path = packed(tmp_path, [b"one", b"two", b"three"])
    path.chmod(0o600)
    content = path.read_bytes()
    path.write_bytes(content.replace(b"one", b"eno").replace(b"three", b"there"))
    rotten = {hashlib.sha256(blob).digest() for blob in (b"one", b"three")}
    assert packs.rotten(Pack(path, None)) == rotten


def test_a_pack_that_grows_past_its_limit_is_followed_by_another(
    tmp_path: Path,
) -> None:
    """Forgetting one blob must not copy a terabyte."""
    store = BlobStore(tmp_path)
    packer = Packer(Disk(), tmp_path / "partial", tmp_path / "packs", limit=200)
    blobs = [b"%060d" % n for n in range(4)]
    for blob in blobs:
        packer.add(hashlib.sha256(blob).digest(), blob)
    packer.publish()
    packer.abandon()
    assert len(list((tmp_path / "packs").glob("*.pack"))) == 2
    assert store.missing(sha256(blob) for blob in blobs) == set[Sha256]()
