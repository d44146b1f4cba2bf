"""Revoking a model with the real commands, while a server runs."""

import urllib.error
import urllib.request
from pathlib import Path

import pytest

from airlift.errors import RegistryError, RequestError, TrustError
from integration.sides import Side

GOOD, BAD = "acme/good", "acme/bad"
WHY = "its author's key was stolen"
MANIFEST = """\
manifest = 1

[[folder]]
name = "acme/good"
path = "good"

[[folder]]
name = "acme/bad"
path = "bad"
"""


@pytest.fixture(name="sides")
def _sides(tmp_path: Path) -> tuple[Side, Side]:
    """Both sides, once the site serves two models."""
    for name in ("good", "bad"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text(f'{{"name": "{name}"}}')
    (tmp_path / "wanted.toml").write_text(MANIFEST)
    connected = Side.connected(tmp_path)
    isolated = connected.isolated(tmp_path)
    medium = str(tmp_path / "medium")
    connected.ok("export", str(tmp_path / "wanted.toml"), "--to", medium)
    isolated.ok("import", medium, "--yes")
    return connected, isolated


def _status(address: str, name: str) -> int:
    url = f"{address.rstrip('/')}/{name}/resolve/main/config.json"
    try:
        with urllib.request.urlopen(url) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


def _deny(connected: Side, *words: str) -> tuple[str, ...]:
    phrase = ("--passphrase-file", str(connected.phrase))
    return ("trust", "deny", *words, "--why", WHY, *phrase)


def test_a_model_is_revoked_at_a_site_that_serves_it(
    sides: tuple[Side, Side], tmp_path: Path
) -> None:
    """From `trust deny` to the next request: two commands here, one there."""
    connected, isolated = sides
    medium = tmp_path / "revocations"
    with isolated.serving() as address:
        assert (_status(address, GOOD), _status(address, BAD)) == (200, 200)
        told = connected.json(*_deny(connected, BAD))
        (entry,) = told["denied"]
        assert (entry["what"], entry["why"]) == ("release", WHY)
        connected.ok("export", "--revocations-only", "--to", str(medium))
        said = isolated.ok("import", str(medium), "--yes")
        assert said.splitlines()[0].split() == [
            *("denied,", "not", "served", "any", "more", "folder", BAD),
            said.splitlines()[0].split()[-1],
        ]
        assert (_status(address, GOOD), _status(address, BAD)) == (200, 404)
    assert sum(one.stat().st_size for one in medium.iterdir()) < 40 << 10
    shown = isolated.json("trust", "denied")
    assert (shown["version"], shown["denied"]) == (1, told["denied"])
    assert shown["held"] == [entry["digest"]]
    assert isolated.fails(RequestError.exit_code, "activate", BAD)[0].endswith(
        f"is denied: {WHY}"
    )
    folder = str(tmp_path / "installed")
    said_no = isolated.fails(RequestError.exit_code, "install", BAD, "--to", folder)
    assert WHY in said_no[0]


def test_what_is_denied_can_be_named_in_every_way(sides: tuple[Side, Side]) -> None:
    """Whoever is in a hurry has a name, a digest of a file, or a line of a log."""
    connected, isolated = sides
    held = {one["name"]: one for one in isolated.json("list")["releases"]}
    connected.ok(*_deny(connected, held[BAD]["id"][:8]))
    connected.ok(*_deny(connected, "--file", "ab" * 32))
    revision = held[GOOD]["revision"]
    told = connected.json(*_deny(connected, f"folder:{GOOD}@{revision[:12]}"))
    assert [one["what"] for one in told["denied"]] == ["file", "release", "release"]
    assert told["version"] == 3
    assert connected.json("trust", "denied") == told


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ((), "nothing is named that is to be denied"),
        (("acme/other",), "nothing that was approved is `acme/other`"),
        (("--file", "abc"), "`abc` is not a SHA-256 of 64 digits"),
    ],
)
def test_what_names_nothing_denies_nothing(
    sides: tuple[Side, Side], words: tuple[str, ...], problem: str
) -> None:
    """A mistyped name must not look like a revocation."""
    connected, _ = sides
    said = connected.fails(RequestError.exit_code, *_deny(connected, *words))
    assert said[0] == f"airlift: error: {problem}"
    assert connected.json("trust", "denied")["version"] == 0


def test_a_delivery_of_revocations_carries_no_content(
    sides: tuple[Side, Side], tmp_path: Path
) -> None:
    """Who names a manifest too has made a mistake, and is told."""
    connected, _ = sides
    to = ("--to", str(tmp_path / "no"))
    for words in ((str(tmp_path / "wanted.toml"),), ("--again", "1"), ("--anchor",)):
        said = connected.fails(
            RequestError.exit_code, "export", "--revocations-only", *words, *to
        )
        assert said[0] == (
            "airlift: error: --revocations-only carries no content and builds on none"
        )


def test_a_site_keeps_its_mark_elsewhere(
    sides: tuple[Side, Side], tmp_path: Path
) -> None:
    """A home that is put back whole neither imports nor lists."""
    _, isolated = sides
    place = tmp_path / "elsewhere" / "mark.json"
    place.parent.mkdir()
    assert isolated.json("trust", "mark") == {"mark": None}
    assert isolated.json("trust", "mark", str(place)) == {"mark": str(place)}
    old = isolated.copied(tmp_path / "old")
    isolated.ok("remove", BAD)
    said = old.fails(RegistryError.exit_code, "list")
    assert said[0].startswith("airlift: error: this registry is at live set 1")
    place.unlink()
    assert any("mark" in one for one in isolated.run("doctor").stdout.splitlines())
    isolated.fails(RegistryError.exit_code, "remove", GOOD)
    assert isolated.json("trust", "mark", "--forget") == {"mark": None}
    isolated.ok("remove", GOOD)


def test_a_host_set_up_again_is_told_what_it_had(
    sides: tuple[Side, Side], tmp_path: Path
) -> None:
    """Its senders say the number with the fingerprint; older media are refused."""
    connected, _ = sides
    again = Side(tmp_path / "again")
    root = str(connected.home / "root.json")
    again.ok(
        *("trust", "init", "--root", root, "--site", "plant7", "--yes"),
        *("--least", "2"),
    )
    said = again.fails(
        TrustError.exit_code, "import", str(tmp_path / "medium"), "--yes"
    )
    assert said[0].endswith(
        "delivery 1 is older than delivery 2, the oldest that this site takes since it"
        " was set up"
    )
    connected.ok("export", "--revocations-only", "--to", str(tmp_path / "second"))
    again.ok("import", str(tmp_path / "second"), "--yes")


def test_a_frozen_site_ends_doctor_with_an_error(
    sides: tuple[Side, Side], tmp_path: Path
) -> None:
    """What a monitor runs each night must not be green for ever."""
    _, isolated = sides
    isolated.ok("doctor", "--fresh-within", "1d")
    empty = sides[0].isolated(tmp_path / "empty")
    said = empty.fails(TrustError.exit_code, "doctor", "--fresh-within", "1d")
    assert said[0].startswith("airlift: error: ")
