"""People cosign the log of a site with the real commands."""

from pathlib import Path

import pytest

from airlift.errors import RequestError, TrustError
from integration.sides import Side


@pytest.fixture(name="site")
def _site(tmp_path: Path) -> Side:
    """An isolated side that has signed its log."""
    connected = Side.connected(tmp_path)
    isolated = connected.isolated(tmp_path)
    isolated.ok("receipt", "export", "--to", str(tmp_path))
    phrase = ("--passphrase-file", str(connected.phrase))
    connected.ok("trust", "keygen", "mallory", "--kdf", "low-memory", *phrase)
    return isolated


def words(folder: Path, name: str, *more: str) -> tuple[str, ...]:
    """Return the words by which *name* cosigns."""
    (path,) = folder.glob(f"connected/keys/{name}.key")
    phrase = str(next(folder.rglob("phrase*")))
    return ("log", "cosign", "--key", str(path), "--passphrase-file", phrase, *more)


def test_a_person_cosigns_and_the_log_says_so(site: Side, tmp_path: Path) -> None:
    """From the key to what an auditor is told, and to what is kept elsewhere."""
    kept = tmp_path / "kept"
    done = site.run(*words(tmp_path, "alice", "--to", str(kept)))
    assert done.returncode == 0, done.stderr
    size = site.json("log", "show")["size"] - 1
    assert (
        f"{size} events are to be cosigned; of those since event 0 are\n" in done.stderr
    )
    assert f"cosigned by alice: {size} events, root " in done.stdout
    assert kept.read_bytes().count(b"\xe2\x80\x94 airlift/") == 2
    told = site.ok("log", "verify", "--against", str(kept))
    assert f"the first {size} cosigned by alice at " in told
    assert told.endswith("nothing was changed\n")
    lines = site.fails(RequestError.exit_code, *words(tmp_path, "alice"))
    assert f"`alice` has cosigned these {size} events" in lines[-2]
    last = site.json("log", "show", "--newest", "1")["events"][-1]
    assert (last["action"], last["outcome"]) == ("cosign", "refused")


def test_whoever_has_no_say_does_not_cosign(site: Side, tmp_path: Path) -> None:
    """That they tried is in the log."""
    lines = site.fails(TrustError.exit_code, *words(tmp_path, "mallory"))
    assert lines[-2:] == [
        (
            "airlift: error: the key of `mallory` has no say at this site; those of alice"
            " have"
        ),
        "airlift: hint: `airlift policy show` says whose have",
    ]
    assert site.json("log", "verify")["cosigned"] == []
    tried = site.json("log", "show", "--newest", "1")["events"][-1]
    assert (tried["action"], tried["subject"]) == ("cosign", "mallory")
    assert tried["outcome"] == "refused"
