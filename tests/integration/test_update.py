"""``airlift update`` with the real commands, against a hub that moves on."""

import json
from pathlib import Path

from hubs.hub import Hub
from hubs.repository import Repo
from integration.sides import Side
from moving import tensors

MANIFEST = """manifest = 1
[[model]]
repo = "org/tiny"
licences = ["mit"]
[[model]]
repo = "org/other"
"""
FIRST = {
    "config.json": b'{"hidden_size": 8}',
    "model.safetensors": tensors({"a": ("F32", (64, 512))}),
}
SECOND = {
    "config.json": b'{"hidden_size": 9}',
    "model.safetensors": tensors({"a": ("F32", (64, 512))}, seed=2),
}


def test_weeks_of_an_operator(tmp_path: Path) -> None:
    """Look, lock, carry exactly that, and hear when there is nothing or too little."""
    repo, other = (
        Repo(name, card={"license": "mit"}) for name in ("org/tiny", "org/other")
    )
    repo.commit(dict(FIRST))
    other.commit({"config.json": b"{}"})
    manifest, lock = tmp_path / "weekly.toml", tmp_path / "weekly.lock"
    manifest.write_text(MANIFEST)
    with Hub(repo, other) as hub:
        side = Side.connected(
            tmp_path, HF_ENDPOINT=hub.url, HF_HUB_DISABLE_TELEMETRY="1", HF_TOKEN=""
        )
        side.ok("update", str(manifest), "--write-lock")
        side.ok("export", str(lock), "--to", str(tmp_path / "first"))
        quiet = side.run("update", str(manifest), "--site", "plant7")
        assert (quiet.returncode, quiet.stderr) == (9, "")
        assert quiet.stdout.splitlines()[-1] == "plant7: 2 unchanged; last delivery 1"

        repo.commit(dict(SECOND))
        told = side.json("update", str(manifest), "--write-lock")
        assert told["lock"] == str(lock)
        # What upstream does after it was read is not carried.
        repo.commit({"config.json": b"a third commit"})
        words = ("--site", "plant7", "--build-on", "last")
        medium = str(tmp_path / "second")
        carried = side.json("export", str(lock), *words, "--to", medium)
        assert carried["raw_bytes"] == sum(map(len, SECOND.values())) + 2
        assert carried["stored_bytes"] <= told["sites"][0]["estimates"][0]["carried"]
        assert carried["builds_on"] == [1]

        repo.card["license"] = "other"
        lost = side.run("update", str(manifest), "--write-lock")
        assert (lost.returncode, lost.stderr) == (8, "")
        assert "left out of it, and so kept as they are: org/tiny" in lost.stdout
        locked = json.loads(lock.read_text())
        assert [one["name"] for one in locked["artifacts"]] == ["org/other"]
    assert side.fails(2, "update", str(lock)) == [
        f"airlift: error: {lock} is a lock: what it pins never changes",
        "airlift: hint: name the manifest it was made from",
    ]
