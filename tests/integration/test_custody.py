"""The two-person flow with the real commands, from a lock to what is served."""

import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import pytest

from airlift.cli import config
from airlift.errors import RequestError, TrustError
from integration.sides import Side

CODE = b"print(1)\n"
ACTING = "acme/acting"
WAITS = "content of class `code` is not allowed: run.py; approved by {}"
MANIFEST = """\
manifest = 1

[[folder]]
name = "acme/plain"
path = "plain"
licence = "apache-2.0"

[[folder]]
name = "acme/acting"
path = "acting"
licence = "mit"
"""
POLICY = """\
approvers = ["bob.pub", "carol.pub"]
threshold = 2
departures = 1
classes = ["data", "template", "package"]
licences = ["MIT", "Apache-2.0"]
age-days = 30
"""


@dataclass(frozen=True)
class World:
    """Both sides, and three people with keys of their own.

    Attributes:
        lock: What is to be carried, pinned.
    """

    folder: Path
    connected: Side
    isolated: Side
    lock: Path

    def approve(self, name: str, subject: str, side: Side) -> tuple[str, ...]:
        """Return the words by which *name* approves *subject* on *side*."""
        phrase = ("--passphrase-file", str(self.connected.phrase))
        key = str(self.folder / f"{name}.key")
        return ("approve", subject, "--key", key, *phrase)

    def cross(self) -> None:
        """Have the lock approved, export it, take it in, and look at what waits."""
        self.connected.ok(*self.approve("bob", str(self.lock), self.connected))
        self.connected.ok(*self.export("--require-approval", "1"))
        taken = self.isolated.json("import", str(self.folder / "medium"), "--yes")
        releases = taken["deliveries"][0]["releases"]
        states = {one["name"]: one["state"] for one in releases}
        assert states == {"acme/plain": "live", ACTING: "quarantine"}
        listed = self.isolated.json("list", "--state", "quarantine")
        waits = WAITS.format("0 of 2, 2 more of bob, carol needed")
        assert listed["waiting"] == {listed["releases"][0]["id"]: waits}
        there = self.connected.json("policy", "show")
        assert self.isolated.json("policy", "show")["policy"] == there["policy"]

    def pulled(self) -> bytes | int:
        """Return the file that can run, as a client gets it, or the status."""
        with self.isolated.serving() as address:
            url = f"{address.rstrip('/')}/{ACTING}/resolve/main/run.py"
            try:
                with urllib.request.urlopen(url) as answer:
                    return bytes(answer.read())
            except urllib.error.HTTPError as error:
                error.close()
                return error.code

    def export(self, *words: str) -> tuple[str, ...]:
        """Return the words that export the lock."""
        medium = str(self.folder / "medium")
        return ("export", str(self.lock), "--to", medium, *words)


@pytest.fixture(name="world")
def _world(tmp_path: Path) -> World:
    for path, data in (
        ("plain/config.json", b'{"a": 1}'),
        ("plain/noise.bin", bytes(range(256)) * 40),
        ("acting/run.py", CODE),
    ):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(data)
    (tmp_path / "wanted.toml").write_text(MANIFEST)
    (tmp_path / "policy.toml").write_text(POLICY)
    connected = Side.connected(tmp_path)
    phrase = ("--passphrase-file", str(connected.phrase))
    for name in ("bob", "carol", "mallory"):
        connected.ok("trust", "keygen", name, "--kdf", "low-memory", *phrase)
        for ending in ("key", "pub"):
            made = connected.home / "keys" / f"{name}.{ending}"
            made.rename(tmp_path / f"{name}.{ending}")
    connected.ok("policy", "set", str(tmp_path / "policy.toml"), *phrase)
    connected.ok("lock", str(tmp_path / "wanted.toml"))
    isolated = connected.isolated(tmp_path)
    return World(tmp_path, connected, isolated, tmp_path / "wanted.lock")


def test_a_release_waits_until_two_people_have_approved_it(world: World) -> None:
    """Nothing that can run goes live by one person alone, and nothing else waits."""
    isolated = world.isolated
    world.cross()
    said = isolated.fails(TrustError.exit_code, "activate", ACTING)
    assert said[0].endswith(WAITS.format("0 of 2, 2 more of bob, carol needed"))
    assert world.pulled() == 404

    isolated.ok(*world.approve("bob", ACTING, isolated))
    for name, code, why in (
        ("bob", RequestError.exit_code, "`bob` approved it on"),
        ("mallory", TrustError.exit_code, "is not enrolled to approve"),
    ):
        refused = isolated.fails(code, *world.approve(name, ACTING, isolated))
        assert why in refused[0]
    isolated.fails(TrustError.exit_code, "activate", ACTING)
    told = isolated.json(*world.approve("carol", ACTING, isolated))
    assert told["lacking"] == ""
    isolated.ok("activate", ACTING)
    assert world.pulled() == CODE
    shown = isolated.json("show", ACTING)
    assert [one["by"] for one in shown["approvals"]] == ["bob", "carol"]


def test_nothing_leaves_that_was_not_approved_to_the_byte(world: World) -> None:
    """Neither a lock that nobody approved, nor one that changed, nor a manifest."""
    connected, lock = world.connected, str(world.lock)
    said = connected.fails(TrustError.exit_code, *world.export())
    assert said[0].startswith("airlift: error: wanted.lock is approved by 0 of 1; ")
    connected.ok(*world.approve("bob", lock, connected))
    (world.folder / "acting/run.py").write_bytes(b"print(2)\n")
    connected.ok("lock", str(world.folder / "wanted.toml"))
    said = connected.fails(TrustError.exit_code, *world.export())
    assert "approved by 0 of 1" in said[0]
    assert "the approval by `bob` is of lock" in said[0]

    medium = world.folder / "medium"
    words = ("export", str(world.folder / "wanted.toml"), "--to", str(medium))
    said = connected.fails(RequestError.exit_code, *words)
    assert said[0] == (
        "airlift: error: 1 approvals are needed, and only a lock can be approved"
    )
    assert not medium.exists()


def waive(world: World, name: str, finding: str) -> tuple[str, ...]:
    """Return the words by which *name* accepts *finding* until today is over."""
    phrase = ("--passphrase-file", str(world.connected.phrase))
    key = str(world.folder / f"{name}.key")
    until = ("--until", config.now()[:10], "--reason", "looked at it")
    return ("audit", "waive", finding, "--key", key, *phrase, *until)


def test_a_finding_of_an_audit_is_accepted_by_two_people(world: World) -> None:
    """What lets a risk stand weighs as much as what lets a release in."""
    isolated = world.isolated
    world.cross()
    for name in ("lost", "third"):
        words = (str(world.lock), "--to", str(world.folder / name), "--anchor")
        world.connected.ok("export", *words, "--require-approval", "1")
    isolated.ok("import", str(world.folder / "third"), "--yes")
    (one,) = isolated.run("audit", "bundles", "-q").stdout.split()
    first = isolated.json(*waive(world, "bob", one))
    assert (first["by"], first["lacking"]) == (["bob"], 1)
    assert isolated.run("audit", "bundles", "-q").stdout.split() == [one]
    for name, code, why in (
        ("bob", RequestError.exit_code, "`bob` has accepted it in these words already"),
        ("mallory", TrustError.exit_code, "is not enrolled to approve"),
    ):
        assert why in isolated.fails(code, *waive(world, name, one))[0]
    second = isolated.json(*waive(world, "carol", one))
    assert (second["by"], second["lacking"]) == (["bob", "carol"], 0)
    assert isolated.run("audit", "bundles", "-q").stdout.split() == []
