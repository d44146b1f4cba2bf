"""Transparent mode: unconfigured clients, a site's own DNS and its own authority."""

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest

import venvs
from airlift.cli import config
from airlift.digest import sha256
from airlift.serve.access import authority
from crossing import Crossing
from hubs.gguf_file import Gguf, number, string, tensor
from namespace.sealed import SEALED, marks
from namespace.transparent_names import NAMES

pytestmark = [*marks, pytest.mark.clients, pytest.mark.timeout(600)]

TESTS = Path(__file__).parent.parent
WEIGHTS = random.Random(5).randbytes(3_000_000)
MODEL = Gguf(
    keys=[string("general.architecture", "llama"), number("general.file_type", 7)],
    tensors=[tensor("a", [len(WEIGHTS)], kind=24)],
).whole(WEIGHTS)
FILES = {"tiny-Q8_0.gguf": MODEL, "README.md": b"# tiny\n"}


def test_clients_that_know_nothing_of_the_site_pull_from_it(tmp_path: Path) -> None:
    """No variable but the authority's: names of the public lead to this server.

    Where nothing can be told to a client, the site's DNS can still lead it here.
    """
    now = config.now()
    crossing = Crossing(tmp_path / "crossing", now=now)
    medium = tmp_path / "medium"
    pinned = crossing.connected.folder("acme/Tiny-GGUF", FILES)
    crossing.connected.export(medium, pinned, now=now)
    crossing.isolated.land(medium, now=now)
    crossing.isolated.registry.close()
    folder = tmp_path / "site"
    made = authority.create(folder, below=NAMES, passphrase="five words", now=now)
    (folder / "server.pem").write_bytes(made.server(NAMES, now=now, days=1))
    lines = [f"127.0.0.1 {name}" for name in ("localhost", *NAMES)]
    (folder / "hosts").write_text("\n".join(lines) + "\n")
    kept = venvs.kept() or tmp_path / "clients"
    bins = venvs.make(kept, "huggingface_hub==2.4.0")
    target = tmp_path / "target"
    target.mkdir()
    words = [crossing.isolated.home, folder, bins, target]
    done = subprocess.run(
        [
            *SEALED,
            "-m",
            sys.executable,
            "-m",
            "namespace.transparent",
            *map(str, words),
        ],
        cwd=TESTS,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    for path, content in FILES.items():
        assert (target / "hub" / path).read_bytes() == content
    pulled = json.loads(done.stdout.splitlines()[-1])
    assert list(pulled.values()) == [[sha256(MODEL)]] * 2
