"""Two readers, one document: they read the same, and refuse the same."""

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest

from airlift.digest import Sha256, sha256
from airlift.errors import AirliftError
from airlift.trust import denials
from airlift.trust.denials import Denial, DenyList, What
from airlift.trust.suites import SUITES
from answering import Answering
from crossing import MODEL, NOW, Crossing
from independent import denying, reader
from independent.covered import Key
from independent.delivery import Site, believe
from independent.reader import read
from independent.record import RefusedError
from independent.specimen import FILES, Specimen, regions
from independent.trust import Past
from policies import document, made

SAMPLES = 1
"""Bytes changed in each header, body and padding."""


@pytest.fixture(scope="module", name="specimen")
def _specimen(tmp_path_factory: pytest.TempPathFactory) -> Specimen:
    return Specimen(tmp_path_factory.mktemp("specimen"))


def test_the_second_reader_shares_no_line_with_airlift() -> None:
    """It proves that the document says enough only while it does not peek."""
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]); import independent.reader;"
        "print([name for name in sys.modules if name.split('.')[0] in"
        " ('airlift', 'tuf', 'securesystemslib')])"
    )
    folder = Path(reader.__file__).parent.parent
    run = subprocess.run(
        [sys.executable, "-c", program, str(folder)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout == "[]\n"


def test_what_is_exported_is_read_byte_for_byte(
    specimen: Specimen, tmp_path: Path
) -> None:
    """Volumes, coded and raw parts, empty and small files: nothing is lost."""
    assert len(specimen.paths) == 2
    found = read(specimen.paths, specimen.reader)
    found.write(tmp_path)
    written = {
        str(path.relative_to(tmp_path / "acme/m")): path.read_bytes()
        for path in tmp_path.rglob("*")
        if path.is_file()
    }
    assert written == FILES


def test_volumes_are_read_in_any_order(specimen: Specimen) -> None:
    """Media come out of an envelope in any order."""
    found = read(specimen.paths[::-1], specimen.reader)
    assert found.files == {"acme/m": FILES}


def test_a_volume_too_few_is_incomplete(specimen: Specimen) -> None:
    """All that is here is good, and is said to be; the rest must come."""
    for left_out in range(2):
        paths = [one for at, one in enumerate(specimen.paths) if at != left_out]
        with pytest.raises(RefusedError) as caught:
            read(paths, specimen.reader)
        assert caught.value.word == "incomplete"


def test_a_second_delivery_follows_the_first(tmp_path: Path) -> None:
    """What a site remembers lets it take the next delivery, and no fork of it."""
    crossing = Crossing(tmp_path)
    connected = crossing.connected
    site = Site(name="plant7", root=connected.publisher.root_bytes(), now=NOW)
    first = connected.export(tmp_path / "1", connected.folder("acme/m", MODEL))
    more = {**MODEL, "config.json": b'{"hidden_size": 8}'}
    second = connected.export(tmp_path / "2", connected.folder("acme/m", more))
    one = read([volume.path for volume in first.volumes], site)
    two = read([volume.path for volume in second.volumes], site, past=one.delivery.past)
    assert two.files == {"acme/m": more}
    assert two.delivery.past.counters["folder", "acme/m"][0] == 2
    lost_first = Past(deliveries={2: two.delivery.past.deliveries[2]})
    with pytest.raises(RefusedError, match=r"trust: older than what the site has"):
        read([volume.path for volume in first.volumes], site, past=lost_first)


def test_a_delivery_that_quotes_the_log_of_its_site_is_read(tmp_path: Path) -> None:
    """From the second receipt on, every delivery does."""
    gap = Answering(tmp_path)
    root = gap.connected.publisher.root_bytes()
    site = Site(name="plant7", root=root, now=NOW)
    first = gap.send()
    gap.take(first)
    gap.read(gap.answer().path.read_bytes())
    second = gap.send()
    assert second.record.log == gap.standing.log is not None
    one = read([volume.path for volume in first.volumes], site)
    two = read([volume.path for volume in second.volumes], site, past=one.delivery.past)
    assert two.files == gap.current()


@pytest.mark.parametrize("suite", SUITES)
def test_what_is_encrypted_to_a_site_is_read(tmp_path: Path, suite: str) -> None:
    """Whoever has the document and the site's key needs no airlift to decrypt."""
    crossing = Crossing(tmp_path)
    connected, isolated = crossing.connected, crossing.isolated
    site = Site(name="plant7", root=connected.publisher.root_bytes(), now=NOW)
    told = isolated.encryption_key(suite)
    sent = connected.export(
        crossing.medium,
        connected.folder("acme/m", FILES),
        recipient=told,
        capacity=4_500_000,
    )
    paths = [one.path for one in sent.volumes]
    assert len(paths) > 1
    (kept,) = json.loads((isolated.home / "encryption-keys").read_bytes())["keys"]
    key = Key(suite=suite, private=bytes.fromhex(kept["secret"]))
    assert key.key_id == told.key_id
    assert read(paths, site, keys=[key]).files == {"acme/m": FILES}
    with pytest.raises(RefusedError, match=r"^trust: encrypted to another key$"):
        read(paths, site)


def test_what_builds_on_an_earlier_delivery_is_read(tmp_path: Path) -> None:
    """An update that travels as pieces gives every byte of the new version."""
    crossing = Crossing(tmp_path)
    connected = crossing.connected
    site = Site(name="plant7", root=connected.publisher.root_bytes(), now=NOW)
    first = connected.export(tmp_path / "1", connected.folder("acme/m", MODEL))
    crossing.isolated.land(tmp_path / "1")
    changed = bytearray(MODEL["model.safetensors"])
    changed[5_000_000:5_000_004] = b"new!"
    more = {**MODEL, "model.safetensors": bytes(changed)}
    pinned = connected.folder("acme/m", more)
    second = connected.export(tmp_path / "2", pinned, build_on="1")
    assert any(table and table.pieces for table in second.packed.heads)
    one = read([volume.path for volume in first.volumes], site)
    held: dict[str, bytes] = {
        sha256(data): data for data in one.files["acme/m"].values()
    }
    paths = [volume.path for volume in second.volumes]
    two = read(paths, site, past=one.delivery.past, held=held)
    assert two.files == {"acme/m": more}
    with pytest.raises(RefusedError, match=r"incomplete: .* is needed and not held"):
        read(paths, site, past=one.delivery.past)
    crossing.isolated.land(tmp_path / "2")
    newest = crossing.isolated.registry.releases()[0]
    found = {
        file.path: b"".join(crossing.isolated.store.read(file.sha256))
        for file in crossing.isolated.registry.files(newest.id)
    }
    assert found == more


def test_a_policy_is_read_and_goes_only_forward(tmp_path: Path) -> None:
    """The rules of a site are signed for it, and no earlier ones are taken again."""
    crossing = Crossing(tmp_path)
    connected, key = crossing.connected, crossing.connected.key
    site = Site(name="plant7", root=connected.publisher.root_bytes(), now=NOW)
    pasts = [Past()]
    for version in (1, 2):
        data = document(made(version, licences=("MIT",), departures=1))
        connected.publisher.set_policy(data, [key], NOW)
        medium = tmp_path / str(version)
        sent = connected.export(medium, connected.folder("acme/m", {"a": b"1"}))
        found = read([one.path for one in sent.volumes], site, past=pasts[-1])
        assert found.delivery.past.policy == data
        assert crossing.isolated.land(medium).arrival.delivery.state.policy == data
        pasts.append(found.delivery.past)
    first = connected.publisher.delivered("plant7", 1)
    later = Past(policy=pasts[2].policy)
    with pytest.raises(RefusedError, match=r"trust: a policy that does not follow"):
        believe(first, site, later)


def test_a_deny_list_is_read_and_only_grows(tmp_path: Path) -> None:
    """What was denied once is denied by whoever reads the format, for ever."""
    crossing = Crossing(tmp_path)
    connected, key = crossing.connected, crossing.connected.key
    site = Site(name="plant7", root=connected.publisher.root_bytes(), now=NOW)
    pasts = [Past()]
    for version in (1, 2):
        entry = Denial(
            what=What.FILE,
            digest=Sha256(sha256(b"%d" % version)),
            since=NOW,
            why="bad",
        )
        connected.publisher.deny([entry], [key], NOW)
        medium = tmp_path / str(version)
        sent = connected.export(medium)
        found = read([one.path for one in sent.volumes], site, past=pasts[-1])
        state = crossing.isolated.land(medium).arrival.delivery.state
        assert found.delivery.past.denials == state.denials
        pasts.append(found.delivery.past)
    first = connected.publisher.delivered("plant7", 1)
    with pytest.raises(RefusedError, match=r"trust: a deny list that does not follow"):
        believe(first, site, Past(denials=pasts[2].denials))
    shorter = pasts[1].denials.replace(b'"version":1', b'"version":3')
    with pytest.raises(RefusedError, match=r"trust: a deny list that lacks an entry"):
        denying.follows(shorter, pasts[2].denials)
    stolen = Denial(
        what=What.KEY, digest=Sha256(key.public.key_id), since=NOW, why="stolen"
    )
    listed = DenyList(version=1, issued=NOW, entries=(stolen,))
    with pytest.raises(RefusedError, match=r"trust: a denied key has a say"):
        denying.check_keys(denials.encode(listed), {key.public.key_id: {}})


@pytest.mark.parametrize("number", [0, 1])
def test_both_readers_refuse_the_same_damage(specimen: Specimen, number: int) -> None:
    """A byte one reader does not look at is a place to hide something in."""
    good, path = specimen.good[number], specimen.paths[number]
    rng, isolated = random.Random(number), specimen.crossing.isolated
    try:
        for region in regions(good):
            for _ in range(SAMPLES):
                at = rng.randrange(region.start, region.stop)
                changed = bytearray(good)
                changed[at] ^= 1 << rng.randrange(8)
                path.write_bytes(changed)
                with pytest.raises(RefusedError):
                    read(specimen.paths, specimen.reader)
                with pytest.raises(AirliftError):
                    isolated.land(specimen.crossing.medium)
                isolated.forget()
    finally:
        path.write_bytes(good)


@pytest.mark.parametrize("number", [0, 1])
def test_both_readers_refuse_every_shortened_volume(
    specimen: Specimen, number: int
) -> None:
    """A copy that was cut off anywhere is seen, at borders above all."""
    good, path = specimen.good[number], specimen.paths[number]
    borders = {region.start for region in regions(good)} | {len(good)}
    try:
        for stop in sorted(border - 1 for border in borders if border):
            path.write_bytes(good[:stop])
            with pytest.raises(RefusedError):
                read(specimen.paths, specimen.reader)
            with pytest.raises(AirliftError):
                specimen.crossing.isolated.land(specimen.crossing.medium)
            specimen.crossing.isolated.forget()
    finally:
        path.write_bytes(good)
