"""Encryption to a site with the real commands, from the key to what goes live."""

import shutil
import subprocess
from pathlib import Path

import pytest

from airlift.errors import FormatError, RequestError, TrustError
from airlift.inbound import media
from airlift.inbound.decrypting import DecryptedFile
from airlift.trust import encryption_key
from crossing import noise
from integration.sides import SITE, Side

MANIFEST = 'manifest = 1\n[[folder]]\nname = "acme/secret"\npath = "input"\n'
THERE = "`airlift trust encryption-key FILE`"
POLICY = """\
approvers = ["bob.pub"]
threshold = 1
encrypted = true
"""


class World:
    """Both sides, something to carry, and a key that is enrolled or not."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.medium = folder, folder / "medium"
        self.connected = Side.connected(folder)
        self.isolated = self.connected.isolated(folder)
        (folder / "input").mkdir()
        for number, name in enumerate(("a.bin", "b.bin", "c.bin")):
            (folder / "input" / name).write_bytes(noise(1_000_000, number))
        self.manifest = folder / "wanted.toml"
        self.manifest.write_text(MANIFEST)

    def enrol(self) -> str:
        """Make a key, carry it over, compare it; return its words."""
        file = str(self.folder / "plant7-encryption.json")
        made = self.isolated.json("trust", "encryption-key", file)
        words: str = made["words"]
        self.connected.ok("site", "enrol", SITE, file, "--fingerprint", words)
        return words

    def export(self, *options: str) -> tuple[str, ...]:
        """Return the words of an export to the medium."""
        return ("export", str(self.manifest), "--to", str(self.medium), *options)

    def demand(self) -> None:
        """Let the site's policy demand encryption."""
        phrase = ("--passphrase-file", str(self.connected.phrase))
        keygen = ("trust", "keygen", "bob", "--kdf", "low-memory")
        self.connected.ok(*keygen, *phrase)
        shutil.copy(self.connected.home / "keys" / "bob.pub", self.folder)
        file = self.folder / "policy.toml"
        file.write_text(POLICY)
        self.connected.ok("policy", "set", str(file), *phrase)


@pytest.fixture(name="world")
def _world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_a_delivery_is_encrypted_carried_and_taken_in(world: World) -> None:
    """The whole way, as it is typed."""
    lines = world.connected.fails(RequestError.exit_code, *world.export("--encrypt"))
    assert lines == [
        f"airlift: error: no encryption key of site `{SITE}` is enrolled",
        f"airlift: hint: there: {THERE}; here: `airlift site enrol {SITE} FILE`",
    ]
    words = world.enrol()
    assert len(words.split()) == 16
    world.connected.ok(*world.export("--encrypt", "--slip", "--spare", "1"))
    shown = world.connected.json("inspect", str(world.medium))
    (delivery,) = shown["deliveries"]
    assert delivery["verdict"] == "not verified: this host cannot read it"
    assert (delivery["site"], delivery["sequence"], delivery["volumes"]) == (SITE, 1, 1)
    said = world.connected.ok("inspect", str(world.medium))
    assert "and this host has no key to decrypt with\n" in said
    world.connected.ok("check", str(world.medium))
    seen = world.isolated.json("inspect", str(world.medium))["deliveries"][0]
    assert [one["name"] for one in seen["releases"]] == ["acme/secret"]
    assert seen["verdict"] == "believed here, signed by alice"
    done = world.isolated.json("import", str(world.medium), "--yes")
    assert [one["state"] for one in done["deliveries"][0]["releases"]] == ["live"]


def test_nothing_beside_encrypted_volumes_tells_what_they_hold(world: World) -> None:
    """Slip, sums, spares, notes and scan reports lie on the same medium."""
    world.enrol()
    told = world.connected.json(*world.export("--encrypt", "--slip", "--spare", "1"))
    known = (told["dispatch"], told["dispatch"].upper(), told["state_code"])
    secret = ("acme", "secret", "a.bin", *known, *told["releases"])
    for path in world.medium.iterdir():
        data = path.read_bytes().decode("latin-1")
        assert [word for word in secret if word in data] == [], path.name
    slip = next(world.medium.glob("*.slip.html")).read_text()
    assert "encrypted to the site: this paper does not tell" in slip
    report = world.folder / "report.txt"
    report.write_text("a.bin: OK\n")
    by = ("--by", "eve", "--result", "clean", "--scanner", "clam", "1")
    attach = ("scan", "attach", str(report), *by, "--site", SITE)
    lines = world.connected.fails(
        RequestError.exit_code, *attach, "--to", str(world.medium)
    )
    assert lines[0] == (
        "airlift: error: the delivery is encrypted, and the report tells what it holds"
    )
    world.connected.ok(*attach)


def test_a_policy_that_demands_encryption_is_met_and_enforced(world: World) -> None:
    """A downgrade to the open is noticed on the far side, whoever did it."""
    world.demand()
    lines = world.connected.fails(RequestError.exit_code, *world.export())
    assert "no encryption key of site `plant7` is enrolled" in lines[0]
    world.enrol()
    world.connected.ok(*world.export())  # without --encrypt: the policy says so
    assert b"acme" not in next(world.medium.glob("*.tar")).read_bytes()
    world.isolated.ok("import", str(world.medium), "--yes")
    told = world.isolated.ok("policy", "show")
    assert "deliveries must come encrypted\n" in told


def test_volumes_in_the_open_are_refused_where_the_policy_forbids_them(
    world: World,
) -> None:
    """Also of the first delivery that brings the policy, and from a pipe."""
    world.enrol()
    world.demand()
    world.connected.ok(*world.export())
    opened = world.folder / "opened.tar"
    decrypt(world, next(world.medium.glob("*.tar")), opened)
    lines = world.isolated.fails(TrustError.exit_code, "import", str(opened), "--yes")
    assert lines[0] == (
        f"airlift: error: {opened}: it is not encrypted, and version 1 of the site's "
        "policy demands it"
    )
    assert world.isolated.json("list")["releases"] == []
    world.isolated.ok("import", str(world.medium), "--yes")


def decrypt(world: World, volume: Path, target: Path) -> None:
    """Write what is inside of an encrypted volume, as a thief of the key could."""
    keys = encryption_key.opener(world.isolated.home)
    with media.opened(volume, keys=keys) as source, target.open("wb") as out:
        assert isinstance(source, DecryptedFile)
        out.write(source.take(source._layout.size))


def test_a_watch_takes_encrypted_volumes_and_their_spares(world: World) -> None:
    """Nobody watches, and a lost volume is still rebuilt."""
    world.enrol()
    cut = ("--volume-size", "1200000", "--spare", "1")
    world.connected.ok(*world.export("--encrypt", *cut))
    volumes = sorted(world.medium.glob("*.tar"))
    assert len(volumes) > 2
    drop = world.folder / "drop"
    drop.mkdir()
    for path in (*volumes[1:], *world.medium.glob("*.spare")):
        shutil.copy(path, drop)
    once = ("watch", str(drop), "--settle", "0", "--once", "--consume", "delivery")
    told = world.isolated.ok(*once)
    assert f"{volumes[0].name}: rebuilt from spares\n" in told
    assert f"delivery 1 to {SITE}: complete; live set 1\n" in told
    assert list(drop.iterdir()) == []
    assert list((world.isolated.home / "watch" / "rebuilt").iterdir()) == []


def test_a_watch_rebuilds_a_delivery_of_which_only_a_spare_came(world: World) -> None:
    """A spare says only what media say; what it is of turns out when it is opened."""
    world.enrol()
    world.connected.ok(*world.export("--encrypt", "--spare", "1"))
    drop = world.folder / "drop"
    drop.mkdir()
    shutil.copy(next(world.medium.glob("*.spare")), drop)
    once = ("watch", str(drop), "--settle", "0", "--once", "--consume", "delivery")
    assert f"delivery 1 to {SITE}: complete; live set 1\n" in world.isolated.ok(*once)
    assert list((world.isolated.home / "watch" / "rebuilt").iterdir()) == []


def test_an_encrypted_delivery_flows_through_two_commands(world: World) -> None:
    """`export --to - | import -`, and damage on the way is refused."""
    world.enrol()
    words = ("export", str(world.manifest), "--to", "-", "--encrypt")
    made = subprocess.run(
        world.connected.words(*words), capture_output=True, check=True
    )
    data = bytearray(made.stdout)
    data[len(data) // 2] ^= 1
    bad = subprocess.run(
        world.isolated.words("import", "-", "--yes"),
        input=bytes(data),
        capture_output=True,
        check=False,
    )
    assert bad.returncode == FormatError.exit_code
    assert b"does not decrypt" in bad.stderr
    subprocess.run(
        world.isolated.words("import", "-", "--yes"),
        input=made.stdout,
        capture_output=True,
        check=True,
    )
    assert world.isolated.json("list")["releases"][0]["state"] == "live"


def test_a_key_is_shown_replaced_and_forgotten(world: World) -> None:
    """After a theft: a new one counts, media under way still open, then no longer."""
    first = world.isolated.json("trust", "encryption-key")
    assert first == world.isolated.json("trust", "encryption-key")
    world.enrol()
    world.connected.ok(*world.export("--encrypt"))
    second = world.isolated.json("trust", "encryption-key", "--replace")
    assert second["key_id"] != first["key_id"]
    world.isolated.ok("inspect", str(world.medium))
    assert world.isolated.json("trust", "encryption-key", "--forget")["forgotten"] == 1
    lines = world.isolated.fails(
        TrustError.exit_code, "import", str(world.medium), "--yes"
    )
    assert f"and this host has {second['key_id'][:16]}" in lines[0]
    file = str(world.folder / "new.json")
    world.isolated.ok("trust", "encryption-key", file)
    enrol = ("site", "enrol", SITE, file, "--yes")
    lines = world.connected.fails(RequestError.exit_code, *enrol)
    assert "has another encryption key, enrolled" in lines[0]
    world.connected.ok(*enrol, "--replace")
    shutil.rmtree(world.medium)
    again = ("export", "--again", "1", "--to", str(world.medium), "--encrypt")
    world.connected.ok(*again)
    world.isolated.ok("import", str(world.medium), "--yes")


def test_the_file_of_another_use_is_not_taken_for_this_one(world: World) -> None:
    """A signing key to encrypt with, or the reverse, would fail behind the gap."""
    file = world.folder / "other.json"
    file.write_text('{"format":"airlift/other/1"}')
    lines = world.connected.fails(
        FormatError.exit_code, "site", "enrol", SITE, str(file), "--yes"
    )
    assert "`format` is `airlift/other/1`" in lines[0]
