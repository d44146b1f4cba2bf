"""Receipts and codes with the real commands, as a courier and two operators use them."""

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from airlift.errors import FormatError, IncompleteError, RequestError, TrustError
from crossing import noise
from integration.sides import SITE, Side

MANIFEST = 'manifest = 1\n\n[[folder]]\nname = "acme/m"\npath = "{}"\n'


@dataclass(frozen=True)
class World:
    """Both sides, enrolled, with one artifact that can change."""

    folder: Path
    connected: Side
    isolated: Side

    def change(self, version: int) -> None:
        """Let the artifact have another version."""
        (self.folder / "in").mkdir(exist_ok=True)
        (self.folder / "in/config.json").write_text(f'{{"version":{version}}}')
        (self.folder / "in/data.bin").write_bytes(noise(30_000, 1))

    def export(self, medium: str, *options: str) -> dict[str, object]:
        """Export it; return what was told."""
        to = ("--to", str(self.folder / medium))
        told = self.connected.json("export", str(self.folder / "m.toml"), *to, *options)
        assert isinstance(told, dict)
        return told

    def path(self, name: str) -> str:
        """Return the path of a file here."""
        return str(self.folder / name)


@pytest.fixture(name="world")
def _world(tmp_path: Path) -> World:
    connected = Side.connected(tmp_path)
    isolated = connected.isolated(tmp_path)
    key = str(tmp_path / "key.pub")
    isolated.ok("trust", "site-key", key)
    connected.ok("site", "enrol", SITE, key, "--yes")
    (tmp_path / "m.toml").write_text(MANIFEST.format(tmp_path / "in"))
    world = World(tmp_path, connected, isolated)
    world.change(1)
    return world


def test_a_delivery_goes_out_and_is_confirmed_by_what_comes_back(world: World) -> None:
    """Exported, handed over, imported, answered, read; and the code is one throughout."""
    made = world.export("one", "--anchor")
    code = made["state_code"]
    assert isinstance(code, str)
    readme = (world.folder / "one" / f"AIRLIFT-{SITE}-000001.README.txt").read_text()
    assert f"It should then print the state code {code}." in readme
    left = ("hand-over", SITE, "1", "--by", "Bob", "--medium", "STICK A3")
    assert world.connected.ok(*left).splitlines() == [
        f"delivery 1 to {SITE} left with Bob on STICK A3",
        f"site {SITE}: 1 handed over; last confirmed never",
    ]
    landed = json.loads(
        world.isolated.ok("import", world.path("one"), "--yes", "--json")
    )
    assert landed["receipt"]["code"] == code
    assert world.isolated.ok("state").split()[0] == code
    told = world.isolated.json("receipt", "export", "--to", world.path("courier"))
    assert (told["number"], told["fresh"]) == (1, False)
    said = world.connected.ok("receipt", "read", told["file"])
    assert said == f"confirmed: {SITE} after delivery 1 says {code}\n"
    shown = world.connected.json("site", "show", SITE)
    assert [one["state"] for one in shown["deliveries"]] == ["confirmed"]
    assert shown["expected_code"] == code
    assert shown["deliveries"][0]["hand_overs"][0]["medium"] == "STICK A3"
    (listed,) = world.connected.json("site", "list")["sites"]
    assert (listed["confirmed"], listed["unconfirmed"]) == (1, 0)


def test_a_lost_delivery_is_told_by_a_code_and_made_good(world: World) -> None:
    """Exit code 8 says that the next delivery has more to carry."""
    world.export("one")
    world.isolated.ok("import", world.path("one"), "--yes")
    first = world.isolated.ok("state").split()[0]
    world.connected.ok("receipt", "read", "--code", first, "--site", SITE)
    world.change(2)
    world.export("two", "--build-on", "confirmed")
    heard = world.connected.json("receipt", "read", "--code", first.lower())
    assert (heard["outcome"], heard["repeat"]) == ("confirmed", True)
    world.change(3)
    made = world.export("three", "--build-on", "confirmed")
    assert made["builds_on"] == [1]
    world.isolated.ok("import", world.path("three"), "--yes")
    explained = world.isolated.ok("state", "explain").splitlines()
    assert explained[0] == f"state code {made['state_code']} of {SITE}"
    assert "never came: delivery 2" in explained
    receipt = world.isolated.json("receipt", "export", "--to", world.path("courier"))
    assert world.connected.ok("receipt", "read", receipt["file"]).splitlines()[1:] == [
        "delivery 2 never came"
    ]
    shown = world.connected.ok("site", "show").splitlines()
    assert shown[0].startswith(
        f"site {SITE}: 2 confirmed, 1 contradicted; last confirmed"
    )


def test_what_is_wrong_with_what_came_back_is_said(world: World) -> None:
    """Each refusal with its exit code: nothing of it changes the ledger."""
    world.export("one")
    world.isolated.ok("import", world.path("one"), "--yes")
    file = Path(world.isolated.json("receipt", "export")["file"])
    forged = world.folder / "forged"
    forged.write_bytes(file.read_bytes().replace(b'"generation":1', b'"generation":2'))
    torn = world.folder / "torn"
    torn.write_bytes(file.read_bytes()[:-30])
    before = world.connected.json("site", "show")
    for code, words, said in (
        (TrustError, (str(forged),), "is signed by no key enrolled here"),
        (FormatError, (str(torn),), "is not two lines, a receipt and its signature"),
        (TrustError, (str(file), "--site", "plant8"), "is a receipt of plant7, not of"),
        (RequestError, (), "say what to read"),
        (RequestError, (world.path("none"),), "there is no receipt at"),
        (RequestError, ("--code", "7K3M"), "has 4 characters, a state code 12"),
        (TrustError, ("--code", "0000-0000-0000", "--json"), ""),
    ):
        lines = world.connected.fails(code.exit_code, "receipt", "read", *words)
        assert said in "\n".join(lines)
    after = world.connected.json("site", "show")
    assert after["doubt"] == "0000-0000-0000"
    assert {**after, "doubt": None} == before
    order = ("export", world.path("m.toml"), "--to", world.path("x"))
    lines = world.connected.fails(
        RequestError.exit_code, *order, "--build-on", "confirmed"
    )
    assert "is in doubt since" in lines[0]
    lines = world.connected.fails(
        RequestError.exit_code, *order, "--build-on", "anchor"
    )
    assert lines[0] == f"airlift: error: no anchor was ever written for {SITE}"
    lines = world.connected.fails(
        RequestError.exit_code, *order, "--anchor", "--build-on", "last"
    )
    assert (
        lines[0] == "airlift: error: an anchor is a new delivery that builds on nothing"
    )


def test_a_refused_import_leaves_a_receipt_that_says_so(world: World) -> None:
    """The sender learns why nothing was taken, without anybody writing it down."""
    world.export("one")
    world.change(2)
    world.export("two", "--build-on", "last")
    world.isolated.fails(
        IncompleteError.exit_code, "import", world.path("two"), "--yes"
    )
    receipt = world.isolated.json("receipt", "export")
    assert (receipt["sequence"], receipt["fresh"]) == (0, False)
    told = world.connected.json("receipt", "read", receipt["file"])
    assert told["refused"] == [{"sequence": 2, "reason": "base"}]
    explained = world.isolated.ok("state", "explain").splitlines()
    assert "refused here: delivery 2, by its base" in explained
