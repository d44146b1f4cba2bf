"""A store on a disk of two megabytes, made for the purpose and really full."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import json, sys
from pathlib import Path
from airlift.digest import sha256
from airlift.errors import StoreError
from airlift.store.blobs import BlobStore

root = Path(sys.argv[1])
store = BlobStore(root)
kept = store.add([b"k" * 70_000])
blobs = [b"%d" % n * 9_000 for n in range(1000)]

def download():
    with store.partial("key") as file:
        for n in range(100):
            file.write(b"x" * 70_000, n * 70_000)

def tried(act):
    before = {str(p) for p in root.rglob("*")}
    try:
        act()
    except StoreError as error:
        left = sorted({str(p) for p in root.rglob("*")} - before)
        return str(error), left
    return "no error", []

results = {
    "stated": tried(lambda: store.add([b"x" * 70_000] * 100, size=7_000_000)),
    "unstated": tried(lambda: store.add([b"x" * 70_000] * 100)),
    "packed": tried(lambda: store.add_small((sha256(b), b) for b in blobs)),
    "partial": tried(download),
}
store.check(kept)
results["kept"] = [name for name, _ in store.all()] == [kept]
store.discard("key")
store.add_small((sha256(b), b) for b in blobs[:5])
results["after"] = sorted(len(p.read_bytes()) for p in root.rglob("*.pack"))
print(json.dumps(results))
"""


@pytest.mark.namespace
@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")
def test_a_full_disk_is_told_and_leaves_nothing_behind(tmp_path: Path) -> None:
    """Whichever way bytes come in; and once there is room, all works again."""
    mounted = f"mount -t tmpfs -o size=2m none {tmp_path}"
    run = f'{mounted} && exec "$0" -c "$1" {tmp_path}/store'
    command = ["unshare", "-m", "sh", "-c", run, sys.executable, SCRIPT]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    found = json.loads(done.stdout)
    root = tmp_path / "store"
    messages = {
        "stated": f"no space left to reserve {root}/partial/.new-",
        "unstated": f"no space left to write {root}/partial/.new-",
        "packed": f"no space left to write {root}/partial/.new-",
        "partial": f"no space left to write {root}/partial/key: 70000 bytes needed, ",
    }
    for way, message in messages.items():
        problem, left = found[way]
        assert problem.startswith(message)
        assert left == ([f"{root}/partial/key"] if way == "partial" else [])
    assert found["stated"][0].split(": ")[1].startswith("7000000 bytes needed, ")
    assert found["kept"]
    assert found["after"] == [8 + 5 * (36 + 9_000)]
