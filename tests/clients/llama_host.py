"""A host that runs llama-server: what it downloads, and what it answers."""

import contextlib
import json
import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from clients import of_llama
from clients.matrix import Failed, Place, run

PATIENCE_S = 240


@dataclass(frozen=True, kw_only=True)
class Llama:
    """llama-server on one host.

    Attributes:
        environments: Where clients are installed.
        home: The host's home; its cache of models is in it.
        build: Which llama-server.
    """

    environments: Path
    home: Path
    build: Callable[[Path], of_llama.Build] = of_llama.of_wheel

    def fetch(self, place: Place, wanted: str) -> dict[str, bytes]:
        """Let it download *wanted* and fail to load it; return its cache by path."""
        build = self.build(self.environments)
        words = [*build.words, "-hf", wanted, "--port", "0", "-ngl", "0"]
        variables = {**of_llama.told(place, self.home), **build.environment}
        with pytest.raises(Failed):
            run(words, variables, home=self.home)
        hub = self.home / "hf/hub"
        return {
            "/".join(path.relative_to(hub).parts[3:]): path.read_bytes()
            for path in hub.glob("models--*/snapshots/**/*.gguf")
        }

    @contextlib.contextmanager
    def running(self, *words: str | Path, url: str = "") -> Iterator[str]:
        """Run the server until it is ready; give its URL."""
        build = self.build(self.environments)
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        fixed = ["--port", str(port), "-c", "256", "-np", "1", "--no-warmup"]
        log = self.home / "llama.log"
        with log.open("w") as out:
            process = subprocess.Popen(
                [*build.words, *words, *fixed, *build.options],
                env={
                    "PATH": os.defpath,
                    "HOME": str(self.home),
                    **of_llama.told(Place(url=url), self.home),
                    **build.environment,
                },
                stdout=out,
                stderr=out,
            )
        try:
            base = f"http://127.0.0.1:{port}"
            _wait(base, process, log)
            yield base
        finally:
            process.terminate()
            process.wait(30)


def _wait(base: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    ends = time.monotonic() + PATIENCE_S
    while True:
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < ends, log.read_text()
        with contextlib.suppress(OSError, urllib.error.URLError):
            urllib.request.urlopen(f"{base}/health", timeout=5).close()
            return
        time.sleep(0.2)


def ask(base: str, path: str, shape: Mapping[str, Any]) -> Any:
    """Ask a runtime for something; return its answer, decoded."""
    told = {"Content-Type": "application/json"}
    body = json.dumps({"temperature": 0, "seed": 1, **shape}).encode()
    request = urllib.request.Request(f"{base}{path}", data=body, headers=told)
    with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
        return json.load(answer)
