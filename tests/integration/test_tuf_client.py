"""The adapter for tuf-conformance, against a repository of airlift's on loopback."""

import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from airlift.cli import config
from airlift.digest import sha256
from authority import Authority, model, release_id

SCRIPT = Path(__file__).parent.parent.parent / "scripts" / "tuf_client.py"


class Served:
    """A repository as TUF clients ask for it, and the client's own folder.

    Args:
        folder: Where both go.
        address: Of the server.
    """

    def __init__(self, folder: Path, address: str) -> None:
        self.folder, self.address = folder, address
        self.side = Authority(folder / "side", now=config.now())
        self.publish()

    def publish(self) -> None:
        """Make the next delivery, and serve what is signed now."""
        self.side.deliver(model(), now=config.now())
        web = self.folder / "web"
        shutil.rmtree(web, ignore_errors=True)
        shutil.copytree(self.side.folder / "metadata", web / "metadata")
        newest = max(
            int(one.name.split(".")[0]) for one in web.rglob("*.timestamp.json")
        )
        shutil.copy(
            web / "metadata" / f"{newest}.timestamp.json",
            web / "metadata" / "timestamp.json",
        )
        name = release_id(model())
        (web / "targets" / "releases").mkdir(parents=True)
        (web / "targets" / "releases" / f"{name}.{name}.json").write_bytes(model())

    def run(self, *words: str) -> int:
        """Run the adapter; return its exit code."""
        done = subprocess.run(
            [
                *(sys.executable, str(SCRIPT)),
                *("--metadata-dir", str(self.folder / "client")),
                *("--metadata-url", f"{self.address}/metadata/"),
                *("--target-name", f"releases/{release_id(model())}.json"),
                *("--target-base-url", f"{self.address}/targets/"),
                *("--target-dir", str(self.folder / "downloads")),
                *words,
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return done.returncode

    def trusted(self, role: str) -> int:
        """Return the version of *role* that the client trusts."""
        data = (self.folder / "client" / f"{role}.json").read_bytes()
        return int(json.loads(data)["signed"]["version"])


@pytest.fixture(name="served")
def _served(tmp_path: Path) -> Iterator[Served]:
    (tmp_path / "web").mkdir()
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path / "web"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield Served(tmp_path, f"http://127.0.0.1:{server.server_port}")
        finally:
            server.shutdown()
            thread.join()


def test_the_adapter_does_what_the_suite_asks_for(served: Served) -> None:
    """Three commands; what is trusted afterwards lies in the folder."""
    root = served.folder / "root.json"
    root.write_bytes(served.side.publisher.root_bytes())
    assert served.run("init", str(root)) == 0
    assert served.run("refresh") == 0
    before = served.trusted("timestamp")
    served.publish()
    assert served.run("download") == 0
    assert served.trusted("timestamp") == before + 1
    (got,) = (one for one in (served.folder / "downloads").iterdir())
    assert sha256(got.read_bytes()) == release_id(model())


def test_the_adapter_refuses_what_a_client_must(served: Served) -> None:
    """A version turned back, and a target that is not the one signed for."""
    root = served.folder / "root.json"
    root.write_bytes(served.side.publisher.root_bytes())
    old = (served.folder / "web" / "metadata" / "timestamp.json").read_bytes()
    assert served.run("init", str(root)) == 0
    served.publish()
    assert served.run("refresh") == 0
    newest = served.trusted("timestamp")
    (served.folder / "web" / "metadata" / "timestamp.json").write_bytes(old)
    assert served.run("refresh") == 1
    assert served.trusted("timestamp") == newest
    served.publish()
    for path in (served.folder / "web" / "targets").rglob("*.json"):
        path.write_bytes(b"x" * len(model()))
    assert served.run("download") == 1
