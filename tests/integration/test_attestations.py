"""Attestations with the real commands: from a lock to what a site shows of them."""

import json
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from integration.sides import Side

MANIFEST = """\
manifest = 1

[[folder]]
name = "acme/tiny"
path = "tiny"
licence = "mit"
"""


@dataclass(frozen=True)
class World:
    """Both sides, and a delivery between them that says all that can be said."""

    folder: Path
    connected: Side
    isolated: Side

    def shown(self) -> dict[str, Any]:
        """Return what the isolated side shows of the release, by title."""
        told = self.isolated.json("show", "acme/tiny")
        return {one["title"]: one for one in told["attestations"]}


@pytest.fixture(scope="module", name="world")
def _world(tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("attested")
    (folder / "tiny").mkdir()
    (folder / "tiny" / "config.json").write_text("{}")
    (folder / "tiny" / "LICENSE").write_text("take it")
    (folder / "wanted.toml").write_text(MANIFEST)
    connected = Side.connected(folder)
    phrase = ("--passphrase-file", str(connected.phrase))
    connected.ok(
        *("trust", "keygen", "models", "--scheme", "ecdsa-sha2-nistp256"),
        *("--kdf", "low-memory", *phrase),
    )
    lock = str(folder / "wanted.lock")
    connected.ok("lock", str(folder / "wanted.toml"))
    connected.ok("approve", lock, "--site", "plant7", "--key", "alice", *phrase)
    isolated = connected.isolated(folder)
    medium = str(folder / "medium")
    connected.ok("export", lock, "--to", medium, "--attest", "--oms", "models")
    isolated.ok("import", medium, "--yes")
    return World(folder, connected, isolated)


def test_a_site_shows_who_said_what(world: World) -> None:
    """In JSON, for the scripts that decide by it."""
    shown = world.shown()
    assert shown.keys() == {"provenance", "licences", "approvals", "model signature"}
    assert {one["valid"] for one in shown.values()} == {True}
    assert shown["licences"]["words"] == ["mit; texts: LICENSE"]
    assert shown["approvals"]["words"][0].endswith(
        ": valid signature of somebody enrolled here"
    )
    assert [who.split()[0] for who in shown["model signature"]["by"]] == ["models"]
    version = shown["provenance"]["predicate"]["runDetails"]["builder"]["version"]
    assert version.keys() == {"airlift"}


def test_a_person_reads_it_too(world: World) -> None:
    """A line each, and in full where it is asked for."""
    lines = world.isolated.ok("show", "acme/tiny").splitlines()
    told = [line.split(maxsplit=1)[1] for line in lines if line.startswith("attested")]
    assert sorted(one.partition(" by ")[0] for one in told) == [
        "approvals",
        "licences",
        "model signature",
        "provenance",
    ]
    full = world.isolated.ok("show", "acme/tiny", "--attestations")
    assert "2 files are as they were signed" in full
    assert "  said by   alice (ed25519 " in full


def test_evidence_is_handed_to_others(world: World) -> None:
    """Files and keys as other verifiers take them."""
    folder = world.folder / "evidence"
    told = world.isolated.json("show", "acme/tiny", "--to", str(folder))
    names = sorted(path.name for path in folder.iterdir())
    assert sorted(Path(path).name for path in told["written"]) == names
    assert [name for name in names if name.endswith(".sig")] == ["model.sig"]
    assert len([name for name in names if name.endswith(".json")]) == 3
    (pem,) = [name for name in names if name.endswith(".pem")]
    assert (folder / pem).read_text().startswith("-----BEGIN PUBLIC KEY-----")
    bundle = json.loads((folder / "model.sig").read_text())
    assert bundle["mediaType"] == "application/vnd.dev.sigstore.bundle.v0.3+json"


def test_the_page_shows_it(world: World) -> None:
    """Where most readers look."""
    with world.isolated.serving() as address:
        release = world.isolated.json("show", "acme/tiny")["id"]
        with urllib.request.urlopen(
            f"{address.rstrip('/')}/-/releases/{release}"
        ) as answer:
            page = answer.read().decode()
    assert "Attested" in page
    assert "model signature" in page
    assert "not valid" not in page


def test_a_key_for_models_that_is_for_something_else_is_refused(world: World) -> None:
    """Before anything is fetched."""
    manifest = str(world.folder / "wanted.toml")
    medium = str(world.folder / "other")
    lines = world.connected.fails(
        2, "export", manifest, "--to", medium, "--oms", "alice"
    )
    assert lines[0] == (
        "airlift: error: key `alice` is for ed25519, model signatures need"
        " ecdsa-sha2-nistp256"
    )


def test_no_key_that_is_trusted_is_guessed(world: World) -> None:
    """A file that is neither key nor certificate is named."""
    manifest = str(world.folder / "wanted.toml")
    other = str(world.folder / "tiny" / "LICENSE")
    lines = world.connected.fails(
        2,
        *("export", manifest, "--to", str(world.folder / "other")),
        *("--model-signer", other),
    )
    assert lines[0] == (
        "airlift: error: `LICENSE` is no public key in PEM, and no certificate"
    )


def test_a_scan_of_one_delivery_is_stated_with_the_next(world: World) -> None:
    """Signed then, by who exports; the site sees whose word it is, and of how much."""
    report = world.folder / "report.txt"
    report.write_text("nothing found\n")
    attached = world.connected.json(
        *("scan", "attach", str(report), "--by", "carol"),
        *("--scanner", "Looker", "1.0", "--result", "clean"),
    )
    record = next(Path(attached["kept"]).parent.glob("*.json"))
    lock, medium = str(world.folder / "wanted.lock"), str(world.folder / "second")
    lines = world.connected.fails(
        2, "export", lock, "--to", medium, "--scan", str(record)
    )
    assert lines[0] == (
        "airlift: error: --scan says which scans are stated, and nothing is without"
        " --attest"
    )
    world.connected.ok(
        *("export", lock, "--to", medium, "--attest", "--oms", "models"),
        *("--scan", str(record)),
    )
    world.isolated.ok("import", medium, "--yes")
    (words,) = world.shown()["virus scans"]["words"]
    assert words.startswith("clean (Looker 1.0, 0 opened, ")
    assert words.endswith(", by carol); it could open 2 of 2 files")
