"""A site's key on its way: made on one side, compared, enrolled on the other."""

import json
from pathlib import Path

import pytest

from airlift.trust import site_key
from commands import Done, Shell
from integration.sides import SITE, Side


@pytest.fixture(scope="module", name="made")
def _made(tmp_path_factory: pytest.TempPathFactory) -> Side:
    return Side.connected(tmp_path_factory.mktemp("made"))


@pytest.fixture(name="connected")
def _connected(made: Side, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(made.copied(tmp_path).home, capsys)


@pytest.fixture(name="isolated")
def _isolated(made: Side, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    shell = Shell(tmp_path / "isolated", capsys)
    root = made.home / "root.json"
    shell.good("trust", "init", "--site", SITE, "--root", root, "--yes")
    return shell


def carried(isolated: Shell, folder: Path) -> tuple[Path, Done]:
    """Return the public half of the site's key in a file, and what was said."""
    target = folder / "plant7-key.json"
    return target, isolated.good("trust", "site-key", target)


def test_a_site_key_is_enrolled_by_its_words(
    isolated: Shell, connected: Shell, tmp_path: Path
) -> None:
    """The whole way, as two people do it over the telephone."""
    file, said = carried(isolated, tmp_path)
    words = said.lines[1].removeprefix("in words: ")
    assert len(words.split()) == 16
    assert said.lines[2:] == [
        f"public half for the connected side: {file}",
        f"there: `airlift site enrol {SITE} {file.name}`, and compare",
    ]
    done = connected.good("site", "enrol", SITE, file, "--fingerprint", words)
    assert done.lines == [
        *said.lines[:2],
        f"it counts now: receipts and requests it signs are {SITE}'s",
    ]
    again = connected.good("site", "enrol", SITE, file, "--yes")
    assert again.lines[-1].startswith("it counted already: ")


def test_nobody_compared_nothing_is_enrolled(
    isolated: Shell, connected: Shell, tmp_path: Path
) -> None:
    """A key nobody compared may be anybody's."""
    file, _ = carried(isolated, tmp_path)
    done = connected("site", "enrol", SITE, file)
    assert (done.code, done.out) == (2, "")
    assert "error: the site key was not enrolled: nobody compared its" in done.err
    other = "0" * 64
    wrong = connected("site", "enrol", SITE, file, "--fingerprint", other)
    assert wrong.code == 5
    assert f"expected {other}\n" in wrong.err
    assert not (connected.home / "ledger" / SITE / "enrolled-keys").exists()


def test_a_site_keys_file_is_no_approvers(
    isolated: Shell, connected: Shell, tmp_path: Path
) -> None:
    """Given a role, the host that serves would decide what it takes."""
    file, _ = carried(isolated, tmp_path)
    done = connected("trust", "rotate", "--approver", file)
    assert done.code == 4
    assert "is a site key, which signs receipts and requests only" in done.err
    # Rewritten as a person's, it is still the key that was enrolled.
    connected.good("site", "enrol", SITE, file, "--yes")
    stated = json.loads(file.read_bytes()) | {"format": "airlift/public-key/1"}
    file.write_text(json.dumps(stated, separators=(",", ":"), sort_keys=True))
    phrase = ("--passphrase-file", connected.home / "phrase")
    done = connected("trust", "rotate", "--approver", file, *phrase)
    assert done.code == 5
    assert f"the key of `{SITE}` is the site key of `{SITE}`" in done.err


def test_a_key_is_replaced_on_both_sides_or_not_at_all(
    isolated: Shell, connected: Shell, tmp_path: Path
) -> None:
    """The connected side hears of a new key from people, never from the key."""
    file, said = carried(isolated, tmp_path)
    connected.good("site", "enrol", SITE, file, "--yes")
    first = json.loads(file.read_bytes())["key_id"]
    new = isolated.good("trust", "site-key", file, "--replace", "--json").json
    assert new["key_id"] != first
    assert new["words"] != said.lines[1].removeprefix("in words: ")
    done = connected("site", "enrol", SITE, file, "--yes")
    assert done.code == 2
    assert f"site `{SITE}` has another key, enrolled " in done.err
    done = connected.good("site", "enrol", SITE, file, "--yes", "--replace", "--json")
    assert done.json == {
        "site": SITE,
        "key_id": new["key_id"],
        "words": new["words"],
        "changed": True,
    }
    log = (isolated.home / "records" / "events.jsonl").read_text().splitlines()
    detail = [json.loads(line)["detail"] for line in log if '"site-key"' in line]
    assert detail == [
        {"key_id": first, "encrypted": False},
        {"key_id": new["key_id"], "encrypted": False, "replaced": first},
    ]


def test_a_key_can_be_under_a_passphrase_from_the_start(
    made: Side, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """For sites where nothing imports unattended."""
    shell = Shell(tmp_path / "isolated", capsys)
    (tmp_path / "phrase").write_text("five random words or more\n")
    shell.good(
        *("trust", "init", "--site", SITE, "--root", made.home / "root.json", "--yes"),
        *("--passphrase-file", tmp_path / "phrase", "--kdf", "low-memory"),
    )
    assert '"secret"' not in (shell.home / "site-key").read_text()
    assert shell.good("trust", "site-key", "--json").json["site"] == SITE


def test_a_site_of_before_gets_its_key_when_it_is_first_needed(
    isolated: Shell,
) -> None:
    """Registries made by an earlier airlift have none."""
    (isolated.home / "site-key").unlink()
    one = isolated.good("trust", "site-key", "--json").json
    two = isolated.good("trust", "site-key", "--json").json
    assert one == two
    assert (isolated.home / "site-key").stat().st_mode & 0o777 == 0o600


def test_the_key_of_another_site_is_not_used(isolated: Shell, tmp_path: Path) -> None:
    """A home put together of two sites' files must not speak for either."""
    other = site_key.create(tmp_path, "plant8")
    (isolated.home / "site-key").write_bytes((tmp_path / "site-key").read_bytes())
    done = isolated("trust", "site-key")
    assert (done.code, done.out) == (5, "")
    assert "error: the site key here is of site `plant8`, and this is `plant7`" in (
        done.err
    )
    assert other.site == "plant8"
