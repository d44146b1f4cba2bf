"""A model signed through Sigstore, with the real commands, and with no network."""

import json
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from integration import signed
from integration.sides import Side
from integration.signed import HOW, IDENTITY_FILE, WHO, WHY, WITHOUT, World
from sigstores import IDENTITY


@pytest.fixture(scope="module", name="world")
def _world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return signed.world(tmp_path_factory.mktemp("sigstore"))


def attested(side: Side) -> dict[str, Any]:
    """Return the one attestation of the release, as *side* shows it to scripts."""
    (one,) = side.json("show", "acme/tiny")["attestations"]
    return dict(one)


def test_a_site_shows_who_signed_known_to_whom_and_when(
    world: World, tmp_path: Path
) -> None:
    """Judged from what was carried, by the site itself; and it goes live by itself."""
    side = world.isolated(tmp_path)
    side.ok("import", world.medium, "--yes")
    found = attested(side)
    assert (found["title"], found["valid"], found["checked"], found["by"]) == (
        "model signature",
        True,
        True,
        [WHO],
    )
    assert found["words"] == ["2 files are as they were signed"]
    shown = side.ok("show", "acme/tiny")
    assert f"model signature by {WHO}" in shown
    assert "live" in shown
    with side.serving() as address:
        release = side.json("show", "acme/tiny")["id"]
        url = f"{address.rstrip('/')}/-/releases/{release}"
        with urllib.request.urlopen(url) as answer:
            page = answer.read().decode()
    assert f"by <bdi>{WHO}</bdi>" in page


def test_the_trust_root_is_handed_on_to_other_verifiers(
    world: World, tmp_path: Path
) -> None:
    """The signature as it was made, and the file that they ask for."""
    side = world.isolated(tmp_path)
    side.ok("import", world.medium, "--yes")
    evidence = tmp_path / "evidence"
    side.ok("show", "acme/tiny", "--to", str(evidence))
    signature = (world.folder / "tiny" / "model.sig").read_bytes()
    assert (evidence / "model.sig").read_bytes() == signature
    (root,) = evidence.glob("*.trusted_root.json")
    told = json.loads((world.folder / "trusted_root.json").read_bytes())
    assert json.loads(root.read_bytes()) == told


def test_without_the_extra_it_waits_and_says_what_to_bring(
    world: World, tmp_path: Path
) -> None:
    """The delivery is taken; nothing is called valid, and nothing is called wrong."""
    side = world.isolated(tmp_path, bare=True)
    side.ok("import", world.medium, "--yes")
    found = attested(side)
    assert (found["valid"], found["checked"], found["problem"]) == (
        False,
        False,
        f"{WHY}: {HOW}",
    )
    (shown,) = side.json("list")["releases"]
    assert shown["state"] == "quarantine"
    told = side.ok("show", "acme/tiny")
    assert f"attestation: UNCHECKED, {WHY}: {HOW}" in told
    with side.serving() as address:
        release = side.json("show", "acme/tiny")["id"]
        url = f"{address.rstrip('/')}/-/releases/{release}"
        with urllib.request.urlopen(url) as answer:
            page = answer.read().decode()
    assert "<strong>Unchecked:</strong> attestation" in page
    # Once the extra is there, it is judged; that it goes live is for a person to say.
    whole = Side(side.home)
    assert attested(whole)["by"] == [WHO]
    whole.ok("activate", "acme/tiny")
    (shown,) = whole.json("list")["releases"]
    assert shown["state"] == "live"


def test_without_the_extra_no_export_is_begun(world: World, tmp_path: Path) -> None:
    """It says so at once, instead of leaving the signature out."""
    (tmp_path / "sitecustomize.py").write_text(WITHOUT)
    bare = Side(world.connected.home, {"PYTHONPATH": str(tmp_path)})
    lines = bare.fails(
        2,
        *("export", str(world.folder / "wanted.lock"), "--to", str(tmp_path / "m")),
        *("--model-signer", str(world.folder / "acme.toml")),
    )
    assert lines == [f"airlift: error: {WHY}", f"airlift: hint: {HOW}"]
    assert not (tmp_path / "m").exists()


def test_a_signature_by_somebody_else_is_named_and_travels_as_a_file(
    world: World, tmp_path: Path
) -> None:
    """Whoever exports learns whose it is, and no site is told that it was checked."""
    other = IDENTITY_FILE.replace("release@", "mallory@")
    root = world.folder / "trusted_root.json"
    (tmp_path / "trusted_root.json").write_bytes(root.read_bytes())
    (tmp_path / "other.toml").write_text(other)
    folder = tmp_path / "apart"
    side = Side.connected(folder)
    done = side.run(
        *("export", str(world.folder / "wanted.lock"), "--to", str(tmp_path / "m")),
        *("--model-signer", str(tmp_path / "other.toml")),
    )
    assert done.returncode == 0, done.stderr
    assert (
        "acme/tiny: model.sig is a model signature that was not believed: its signature"
        " through Sigstore is not right: Certificate's SANs do not match"
        f" mallory@acme.example; actual SANs: {{'{IDENTITY}'}}"
    ) in done.stderr
    isolated = side.isolated(folder)
    isolated.ok("import", str(tmp_path / "m"), "--yes")
    assert isolated.json("show", "acme/tiny")["attestations"] == []
