"""A delivery encrypted to its site: what opens it, what does not, what it gives away."""

import hashlib
import hmac
import io
import json
import os
import random
import shutil
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from airlift.errors import AirliftError, FormatError, TrustError
from airlift.format import cipher, cover, framing
from airlift.format.cipher import CHUNK, PIECE, PLAIN
from airlift.format.selection import Selection
from airlift.inbound import landing, media
from airlift.inbound.decrypting import LockedError
from airlift.outbound import remaking
from airlift.outbound.allotment import Sparing
from airlift.outbound.remaking import Archive
from airlift.progress import Silent
from airlift.repair import repairing
from airlift.trust import encryption_key, suites
from airlift.trust.recipient import Recipient
from crossing import MODEL, NOW, Crossing, Desk, Isolated, noise, weights

CUT = 5_000_000
FILES = {**MODEL, "more.bin": noise(3_000_000, 7)}


class World:
    """A delivery that was encrypted, and the home whose key opens it."""

    def __init__(self, folder: Path) -> None:
        self.crossing = Crossing(folder)
        self.key: Recipient = self.crossing.isolated.encryption_key()
        self.pinned = self.crossing.connected.folder("acme/m", FILES)
        self.done = self.crossing.connected.export(
            self.crossing.medium,
            self.pinned,
            capacity=CUT,
            sparing=Sparing(spares=1),
            recipient=self.key,
        )
        self.crossing.isolated.registry.close()

    def site(self, home: Path) -> Isolated:
        """Return a fresh isolated side that has the key."""
        root = self.crossing.connected.publisher.root_bytes()
        fresh = Isolated(home, root)
        shutil.copy(self.crossing.isolated.home / encryption_key.FILE, home)
        keys = encryption_key.opener(home)
        fresh.gate = replace(fresh.gate, keys=keys)
        return fresh


@pytest.fixture(scope="module", name="world")
def _world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("world"))


@pytest.fixture(name="stick")
def _stick(world: World, tmp_path: Path) -> Path:
    """A copy of the medium to do things to."""
    return Path(shutil.copytree(world.crossing.medium, tmp_path / "stick"))


@pytest.fixture(name="site")
def _site(world: World, tmp_path: Path) -> Iterator[Isolated]:
    fresh = world.site(tmp_path / "isolated")
    yield fresh
    fresh.registry.close()


def volumes(folder: Path) -> list[Path]:
    """Return the volumes in *folder*, in order."""
    return sorted(folder.glob("*.tar"))


def carried(isolated: Isolated) -> dict[str, bytes]:
    """Return the files of every live release."""
    return {
        file.path: b"".join(isolated.store.read(file.sha256))
        for held in isolated.registry.releases()
        if held.state == "live"
        for file in isolated.registry.files(held.id)
    }


def refused(isolated: Isolated, *paths: Path) -> AirliftError:
    """Return why a delivery is refused; nothing may have changed but the log."""
    before = isolated.fingerprint()
    with pytest.raises(AirliftError) as caught:
        isolated.land(*paths)
    assert isolated.fingerprint() == before
    return caught.value


def flip(path: Path, at: int) -> None:
    """Flip a bit of one byte."""
    with path.open("r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 4]))


def test_an_encrypted_delivery_arrives_whole(world: World, site: Isolated) -> None:
    """Encryption changes how bytes travel, and not one of what arrives."""
    landed = site.land(world.crossing.medium)
    assert len(landed.arrival.candidates) == len(volumes(world.crossing.medium)) > 1
    assert landed.arrival.faulty == {}
    assert carried(site) == FILES


def test_no_volume_is_larger_than_was_asked_for(world: World) -> None:
    """A volume a few bytes over is refused by the very medium it was cut for."""
    sizes = [path.stat().st_size for path in world.crossing.medium.iterdir()]
    assert CUT - (3 << 20) < max(sizes) <= CUT


@pytest.mark.parametrize("suite", list(suites.SUITES))
def test_each_suite_carries_a_delivery(tmp_path: Path, suite: str) -> None:
    """A suite that seals and does not open would be found out behind the gap."""
    crossing = Crossing(tmp_path)
    key = crossing.isolated.encryption_key(suite)
    pinned = crossing.connected.folder("acme/m", {"a": b"some bytes", "empty": b""})
    crossing.connected.export(crossing.medium, pinned, recipient=key)
    crossing.isolated.land(crossing.medium)
    assert carried(crossing.isolated) == {"a": b"some bytes", "empty": b""}


def test_nothing_on_the_medium_tells_what_is_inside(world: World) -> None:
    """Whoever finds a medium must not learn, or prove a guess of, what it brings.

    Names, digests, the dispatch record's digest and the state code are all looked for:
    from public weights anybody could compute the digests and compare.
    """
    record = world.done.record
    secret = [
        *("acme/m", "more.bin", "model.safetensors", "alice", "airlift/volume.json"),
        *(world.done.id, record.packing_sha256, *record.releases),
        *(hashlib.sha256(data).hexdigest() for data in FILES.values()),
        world.done.code,
    ]
    readable = {"README.txt": ["alice"], ".minisig": [], "SHA256SUMS": []}
    for path in world.crossing.medium.iterdir():
        data = path.read_bytes()
        known = [
            w
            for end, words in readable.items()
            if path.name.endswith(end)
            for w in words
        ]
        told = [word for word in secret if word.encode() in data and word not in known]
        assert told == [], path.name
        for content in FILES.values():
            assert len(content) < 64 or content[100:164] not in data


def test_a_volume_is_a_tar_that_says_whose_it_is(world: World) -> None:
    """People sort media with tools they have, without a key."""
    path = volumes(world.crossing.medium)[1]
    with tarfile.open(path) as archive:
        assert archive.getnames() == ["airlift/encrypted.json", "encrypted/0000"]
        member = archive.extractfile("airlift/encrypted.json")
        assert member
        said = json.loads(member.read())
    told = {
        key: said[key] for key in ("format", "site", "sequence", "ordinal", "count")
    }
    assert told == {
        "format": "airlift/encrypted/1",
        "site": "plant7",
        "sequence": 1,
        "ordinal": 2,
        "count": len(volumes(world.crossing.medium)),
    }
    assert said["key_id"] == world.key.key_id


def test_volumes_come_out_the_same_whenever_they_are_written(
    world: World, tmp_path: Path
) -> None:
    """A volume that is written again has to fit the others, their spares and sums."""
    again = tmp_path / "again"
    again.mkdir()
    for path in volumes(world.crossing.medium)[::2]:
        shutil.copy(path, again)
    done = world.crossing.connected.export(
        again, capacity=CUT, again=1, recipient=world.key, sparing=Sparing(spares=1)
    )
    assert [one.kept for one in done.volumes][:2] == [True, False]
    for path in world.crossing.medium.iterdir():
        assert (again / path.name).read_bytes() == path.read_bytes(), path.name


def test_an_encrypted_volume_is_reissued_byte_for_byte(
    world: World, tmp_path: Path
) -> None:
    """The site names a lost volume by its number and cutting; that one is made again."""
    connected, folder = world.crossing.connected, tmp_path / "new"
    folder.mkdir()
    archive = Archive(
        publisher=connected.publisher,
        ledger=connected.dock.ledger,
        store=connected.dock.store,
        spool=connected.dock.spool,
    )
    lost = volumes(world.crossing.medium)[1]
    found = media.find([lost], encryption_key.opener(world.crossing.isolated.home))
    label = found.candidates[0].label
    chosen = Selection(ordinals=(2,), cutting=label.cutting[:8])
    known = remaking.find("plant7", 1, chosen, archive.stowages)
    remade = remaking.remake(known, chosen, archive, Silent())
    remade.cutter.write(remade.wanted, folder, Silent())
    assert (folder / lost.name).read_bytes() == lost.read_bytes()


def test_what_the_format_says_is_enough_to_decrypt(tmp_path: Path) -> None:
    """Written from docs/format.md with two libraries, and nothing of airlift.

    What comes out is the volume of a plain export, but for the cutting in its label.
    """
    crossing = Crossing(tmp_path)
    key = crossing.isolated.encryption_key("x25519")
    pinned = crossing.connected.folder("acme/m", {"w": weights(700_000)})
    crossing.connected.export(crossing.medium, pinned, recipient=key)
    (path,) = volumes(crossing.medium)
    shown, *pieces = members(path.read_bytes()).values()
    stored = b"".join(pieces)
    said = json.loads(shown)
    kept = json.loads((crossing.isolated.home / "encryption-keys").read_bytes())
    private = X25519PrivateKey.from_private_bytes(
        bytes.fromhex(kept["keys"][0]["secret"])
    )
    suite = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
    about = b'airlift/encrypted/1\0{"sequence":1,"site":"plant7"}'
    secret = suite.decrypt(bytes.fromhex(said["encapsulated"]), private, about)
    gcm = AESGCM(hmac.digest(secret, b"key\0" + shown, "sha256"))
    inside = b"".join(
        gcm.decrypt(number.to_bytes(12, "big"), stored[at : at + 65536], None)
        for number, at in enumerate(range(0, len(stored), 65536))
    )
    assert len(inside) == said["size"]
    inner = json.loads(members(inside)["airlift/volume.json"])
    named = hmac.digest(secret, b"delivery\0" + inner["dispatch"].encode(), "sha256")
    assert said["delivery"] == named.hex()
    points = json.dumps([[inner["end"]["part"], inner["end"]["slab"]]]).replace(" ", "")
    cutting = hmac.digest(secret, b"cutting\0" + points.encode(), "sha256")
    assert said["cutting"] == inner["cutting"] == cutting.hex()[:16]
    crossing.connected.export(tmp_path / "plain", again=1)
    plain = volumes(tmp_path / "plain")[0].read_bytes()
    assert inside[2048:] == plain[2048:]


# --- keys ------------------------------------------------------------------------


def test_a_host_without_the_key_says_so(world: World, tmp_path: Path) -> None:
    """Not "damaged": nobody has to copy a medium again that is simply not theirs."""
    root = world.crossing.connected.publisher.root_bytes()
    stranger = Isolated(tmp_path / "stranger", root)
    error = refused(stranger, world.crossing.medium)
    assert isinstance(error, LockedError)
    name = volumes(world.crossing.medium)[0]
    assert error.problem == (
        f"{name}: is encrypted to the key {world.key.key_id[:16]} of `plant7`, "
        "and this host has no key to decrypt with"
    )
    own = stranger.encryption_key()
    error = refused(stranger, world.crossing.medium)
    assert error.problem.endswith(f"of `plant7`, and this host has {own.key_id[:16]}")


def test_a_replaced_key_opens_what_is_under_way_until_it_is_forgotten(
    world: World, site: Isolated
) -> None:
    """Replacing a key must not lose the media that left before."""
    site.encryption_key()
    opener = encryption_key.opener(site.home)
    found = media.find([world.crossing.medium], opener).candidates
    assert {one.locked for one in found} == {""}
    assert encryption_key.forget(site.home) == 1
    found = media.find(
        [world.crossing.medium], encryption_key.opener(site.home)
    ).candidates
    assert all(one.locked for one in found)


def test_a_key_that_is_not_the_one_named_opens_nothing(
    stick: Path, site: Isolated
) -> None:
    """A cover can say what it likes; only the right key gives a secret."""
    own = site.encryption_key()
    path = volumes(stick)[0]
    lie(path, key_id=own.key_id)
    error = refused(site, path)
    assert isinstance(error, LockedError)
    assert "and that key does not open it" in error.problem


def members(data: bytes) -> dict[str, bytes]:
    """Return what a tar holds, by name, as tar reads it."""
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        found = {one.name: archive.extractfile(one) for one in archive}
        return {name: one.read() for name, one in found.items() if one}


def lie(path: Path, **changes: object) -> None:
    """Change what the cover of a volume says, keeping it well formed."""
    data = path.read_bytes()
    _, size = framing.parse(data[:512], limit=cover.LIMIT)
    shown = cover.decode(data[512 : 512 + size], name="cover")
    fields = {name: getattr(shown, name) for name in shown.__dataclass_fields__}
    made = cover.encode(cover.Cover(**(fields | changes)))
    rest = data[framing.footprint(size) :]
    path.write_bytes(cover.member(made) + rest)


# --- damage and attacks ----------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {"ordinal": 2},
        {"count": 9},
        {"sequence": 2},
        {"delivery": "0" * 64},
        {"cutting": "0" * 16},
        {"salt": "0" * 64},
        {"size": 1000},
        {"suite": "x25519"},
    ],
    ids=lambda one: next(iter(one)),
)
def test_no_field_of_a_cover_can_be_changed(
    stick: Path, site: Isolated, changes: dict[str, object]
) -> None:
    """The key is made of the whole cover, so another one opens nothing."""
    lie(volumes(stick)[0], **changes)
    for path in volumes(stick)[1:]:
        path.unlink()
    found = media.find([stick], site.gate.keys)
    assert [one for one in found.candidates if not one.locked] == []
    assert len(found.faults) + len(found.candidates) == 1


def test_flipped_bits_are_named_and_cost_no_more_than_their_slabs(
    stick: Path, site: Isolated
) -> None:
    """Also one in the cover, in framing and in the end: each alone is refused."""
    path = volumes(stick)[1]
    whole, rng = path.read_bytes(), random.Random(11)
    places = [rng.randrange(len(whole)) for _ in range(40)]
    places += [3, 600, 5000, len(whole) - 1, len(whole) - 1500]
    for at in places:
        path.write_bytes(whole)
        flip(path, at)
        error = refused(site, stick)
        assert isinstance(error, FormatError), at
        assert str(path) in error.problem, at
        assert path.name in error.hint, at
        site.forget()
    path.write_bytes(whole)
    site.land(stick)
    assert carried(site) == FILES


def test_what_is_good_of_a_damaged_volume_is_kept(stick: Path, site: Isolated) -> None:
    """One flipped bit costs one slab; the next copy brings it, not all again."""
    path = volumes(stick)[1]
    flip(path, path.stat().st_size // 2)
    with pytest.raises(FormatError):
        site.land(stick)
    arrival = landing.approach(
        media.find([stick], site.gate.keys).candidates, site.gate, now=NOW
    )
    lacking = arrival.staging.bytes_missing()
    arrival.staging.close()
    assert 0 < lacking <= 9 << 20


@pytest.mark.parametrize("cut", [1, 512, 1024, 1025, CHUNK, CHUNK + 1, 2_000_000])
def test_a_truncated_volume_is_refused(stick: Path, site: Isolated, cut: int) -> None:
    """An authenticated end: no shorter volume passes for the whole."""
    path = volumes(stick)[0]
    os.truncate(path, path.stat().st_size - cut)
    assert path.name in refused(site, stick).hint


def test_what_follows_a_volume_is_refused(stick: Path, site: Isolated) -> None:
    """Not a byte of a medium's file is unaccounted for."""
    with volumes(stick)[0].open("ab") as file:
        file.write(b"\0")
    assert "bytes follow the end of the volume" in refused(site, stick).problem


def test_chunks_in_another_order_are_refused(stick: Path, site: Isolated) -> None:
    """Each chunk is good only in its place."""
    path = volumes(stick)[0]
    data = bytearray(path.read_bytes())
    _, size = framing.parse(bytes(data[:512]), limit=cover.LIMIT)
    first = framing.footprint(size) + 512 + 4 * CHUNK
    second = first + CHUNK
    data[first:second], data[second : second + CHUNK] = (
        data[second : second + CHUNK],
        data[first:second],
    )
    path.write_bytes(data)
    assert "does not decrypt" in refused(site, stick).problem


def test_the_chunks_of_one_volume_are_no_good_in_another(
    stick: Path, site: Isolated
) -> None:
    """Each volume has a key of its own."""
    one, two = (path.read_bytes() for path in volumes(stick)[:2])
    _, size = framing.parse(one[:512], limit=cover.LIMIT)
    at = framing.footprint(size) + 512
    spliced = one[:at] + two[at : at + CHUNK] + one[at + CHUNK :]
    volumes(stick)[0].write_bytes(spliced)
    assert volumes(stick)[0].name in refused(site, stick).hint


def test_what_anybody_encrypts_to_the_site_is_verified_like_anything(
    world: World, site: Isolated, tmp_path: Path
) -> None:
    """The public half is no secret: a stranger can encrypt, and is still a stranger."""
    mallory = Crossing(tmp_path / "mallory")
    pinned = mallory.connected.folder("acme/m", {"evil": b"evil bytes"})
    mallory.connected.export(mallory.medium, pinned, recipient=world.key)
    error = refused(site, mallory.medium)
    assert isinstance(error, TrustError)
    assert not isinstance(error, LockedError)


def test_a_stranger_cannot_stop_a_good_delivery(
    world: World, stick: Path, site: Isolated
) -> None:
    """A file that claims to be of it, and that nobody can open, is left alone."""
    bad = stick / "AIRLIFT-plant7-000001.0009-of-0009.tar"
    shutil.copy(volumes(stick)[0], bad)
    lie(bad, delivery=world.done.id, encapsulated=b"nothing")
    faults = [one.locked for one in media.find([bad], site.gate.keys).candidates]
    assert len(faults) == 1
    candidates = media.find([stick], site.gate.keys).candidates
    landing.land(
        [one for one in candidates if one.label.dispatch == world.done.id],
        site.gate,
        Desk(),
        now=NOW,
    )
    assert carried(site) == FILES


# --- other ways in and out -------------------------------------------------------


def test_spares_rebuild_encrypted_volumes_as_they_lie(
    stick: Path, site: Isolated, tmp_path: Path
) -> None:
    """Whoever carries media can mend them, without a key and without reading them."""
    lost = volumes(stick)[1]
    expected = lost.read_bytes()
    lost.unlink()
    repairing.repair([stick], tmp_path / "mended", Silent())
    assert (tmp_path / "mended" / lost.name).read_bytes() == expected
    site.land(stick, tmp_path / "mended")
    assert carried(site) == FILES


def test_an_encrypted_delivery_comes_through_a_pipe(
    world: World, site: Isolated
) -> None:
    """The standard input of one host is the standard output of another."""
    joined = b"".join(path.read_bytes() for path in volumes(world.crossing.medium))
    landing.land_stream(io.BytesIO(joined), site.gate, Desk(), now=NOW)
    assert carried(site) == FILES


def test_an_export_into_a_pipe_gives_the_same_bytes(world: World) -> None:
    """Which way they go is no reason for other bytes."""
    out = io.BytesIO()
    folder = world.crossing.folder / "files"
    connected = world.crossing.connected
    connected.export(folder, capacity=CUT, again=1, recipient=world.key)
    connected.export(folder, capacity=CUT, again=1, recipient=world.key, pipe=out)
    joined = b"".join(path.read_bytes() for path in volumes(folder))
    assert out.getvalue() == joined


@pytest.mark.parametrize("where", [0.1, 0.5, 0.999])
def test_a_damaged_pipe_ends_where_it_is_damaged(
    world: World, site: Isolated, where: float
) -> None:
    """What came before is kept; what follows cannot be placed."""
    paths = volumes(world.crossing.medium)
    joined = bytearray(b"".join(path.read_bytes() for path in paths))
    joined[int(len(joined) * where)] ^= 1
    before = site.fingerprint()
    with pytest.raises((FormatError, TrustError)):
        landing.land_stream(io.BytesIO(bytes(joined)), site.gate, Desk(), now=NOW)
    assert site.fingerprint() == before


def test_plain_and_encrypted_volumes_of_one_delivery_complete_each_other(
    world: World, site: Isolated, tmp_path: Path
) -> None:
    """A lost encrypted volume may come in the open, where no policy forbids it."""
    first, plain = tmp_path / "first", tmp_path / "plain"
    first.mkdir()
    shutil.copy(volumes(world.crossing.medium)[0], first)
    world.crossing.connected.export(plain, capacity=CUT, again=1)
    with pytest.raises(AirliftError):
        site.land(first)
    site.land(plain)
    assert carried(site) == FILES


def test_a_piece_of_a_large_volume_ends_at_a_gibibyte() -> None:
    """A tar header has room for 8 GiB, a medium for 100."""
    layout = cipher.Layout(1024, 3 * (PIECE // CHUNK) * PLAIN + 5)
    per = PIECE // CHUNK
    assert [bool(layout.header(n)) for n in (0, 1, per - 1, per, 3 * per)] == [
        *(True, False, False, True, True)
    ]
    assert layout.at(per) == 1024 + 512 + PIECE + 512
    assert layout.run(per - 2, 64) == 2
    last = framing.parse(layout.header(3 * per), limit=PIECE)
    assert last == ("encrypted/0003", 21)
    assert layout.total == layout.at(3 * per) + 21 + 491 + 1024
