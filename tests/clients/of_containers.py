"""What pulls images and artifacts: skopeo, podman, buildah, containerd, oras-py."""

import io
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import MappingProxyType

import venvs
from airlift.digest import sha256
from airlift.payload import oci_layer
from airlift.payload.oci_layer import Member
from clients.matrix import MODEL, Failed, Operation, Place, files_below, run

ARTIFACT, IMAGE = "artifacts/acme/tiny:main", "images/acme/tiny:main"
NO_PREFIX = MappingProxyType({Operation.PREFIX: "asks below /v2/ of a host alone"})
ORAS = "0.2.43"
ORAS_PATIENCE_S = 120
ORAS_REFUSED = "This endpoint requires a token."


@cache
def version(tool: str) -> str:
    """Return the version of the *tool* of this machine, as far as it has one."""
    path = shutil.which(tool)
    if path is None:
        return "(not installed)"
    told = subprocess.run(
        [path, "--version"], capture_output=True, text=True, check=True
    )
    words = told.stdout.split()
    return next((one for one in words if one[0].isdigit()), words[-1])


@dataclass(frozen=True, kw_only=True)
class _Tool:
    """A client of this machine, by the command's name."""

    tool: str
    resumes: bool = False
    holds: Mapping[str, bytes] = field(default_factory=lambda: MODEL)
    cannot: Mapping[Operation, str] = field(default_factory=lambda: NO_PREFIX)

    @property
    def name(self) -> str:
        """The command and its version."""
        return f"{self.tool} {version(self.tool)}"


class Skopeo(_Tool):
    """``skopeo copy`` of the artifact into a folder."""

    def pull(self, place: Place, home: Path, environments: Path) -> Mapping[str, bytes]:
        """Copy, then give each blob its title."""
        out = home / "out"
        options = trusting(place, home, "--src-")
        source = f"docker://{place.host}/{ARTIFACT}"
        run(["skopeo", "copy", *options, source, f"dir:{out}"], {}, home=home)
        manifest = json.loads((out / "manifest.json").read_bytes())
        return {
            layer["annotations"]["org.opencontainers.image.title"]: (
                out / layer["digest"].removeprefix("sha256:")
            ).read_bytes()
            for layer in manifest["layers"]
        }


class SkopeoImage(_Tool):
    """``skopeo copy`` of the image into a folder."""

    @property
    def name(self) -> str:
        """The command, its version and what it copies."""
        return f"{super().name} image"

    def pull(self, place: Place, home: Path, environments: Path) -> Mapping[str, bytes]:
        """Copy, then read each layer."""
        out = home / "out"
        options = trusting(place, home, "--src-")
        source = f"docker://{place.host}/{IMAGE}"
        run(["skopeo", "copy", *options, source, f"dir:{out}"], {}, home=home)
        manifest = json.loads((out / "manifest.json").read_bytes())
        names = [one["digest"].removeprefix("sha256:") for one in manifest["layers"]]
        return untarred([(out / name).read_bytes() for name in names])


class Podman(_Tool):
    """``podman pull`` of the image, unpacked."""

    def pull(self, place: Place, home: Path, environments: Path) -> Mapping[str, bytes]:
        """Pull and mount."""
        source = f"{place.host}/{IMAGE}"
        with storage(self.tool, home) as own:
            run([*own, "pull", *trusting(place, home, "--"), source], {}, home=home)
            folder = run([*own, "image", "mount", source], {}, home=home).strip()
            return files_below(Path(folder) / "models")


class Buildah(_Tool):
    """``buildah from`` the image, as builds of other images begin."""

    def pull(self, place: Place, home: Path, environments: Path) -> Mapping[str, bytes]:
        """Begin a container and mount it."""
        options, source = trusting(place, home, "--"), f"{place.host}/{IMAGE}"
        with storage(self.tool, home) as own:
            made = run([*own, "from", *options, source], {}, home=home).strip()
            folder = run([*own, "mount", made], {}, home=home).strip()
            return files_below(Path(folder) / "models")


class Containerd(_Tool):
    """containerd, by ``ctr``: with the ``hosts.toml`` that nodes of a cluster have."""

    def pull(self, place: Place, home: Path, environments: Path) -> Mapping[str, bytes]:
        """Pull, unpack and mount."""
        hosts = home / "hosts" / "site.example"
        hosts.mkdir(parents=True, exist_ok=True)
        trusted = f'  ca = "{place.authority}"\n' if place.authority else ""
        (hosts / "hosts.toml").write_text(
            f'[host."{place.url}/v2"]\n  capabilities = ["pull", "resolve"]\n'
            f"  override_path = true\n{trusted}"
        )
        source, target = f"site.example/{IMAGE}", home / "mounted"
        target.mkdir(exist_ok=True)
        native = ("--snapshotter", "native")
        user = ("--user", f"airlift:{place.token}") if place.token else ()
        with daemon(home) as ctr:
            fetch = ("pull", *native, "--hosts-dir", hosts.parent, *user, source)
            while True:
                try:
                    run([*ctr, "images", *fetch], {}, home=home)
                    break
                except Failed as error:
                    # The layers' digests are not known yet; other tools wait.
                    if "429" not in str(error):
                        raise
                    time.sleep(0.2)
            run([*ctr, "images", "mount", *native, source, target], {}, home=home)
            try:
                return files_below(target / "models")
            finally:
                run(["umount", target], {"PATH": "/bin:/usr/bin:/sbin"}, home=home)


@dataclass(frozen=True, kw_only=True)
class Oras:
    """``OrasClient.pull`` of the artifact."""

    name: str = f"oras-py {ORAS}"
    resumes: bool = False
    holds: Mapping[str, bytes] = field(default_factory=lambda: MODEL)
    cannot: Mapping[Operation, str] = field(default_factory=lambda: NO_PREFIX)

    def pull(self, place: Place, home: Path, environments: Path) -> Mapping[str, bytes]:
        """Pull into a folder."""
        bins, out = venvs.make(environments, f"oras=={ORAS}"), home / "out"
        told = {"REQUESTS_CA_BUNDLE": str(place.authority)} if place.authority else {}
        insecure = place.url.startswith("http:")
        sign_in = f"c.auth.set_basic_auth('airlift', {place.token!r})\n"
        code = (
            "import oras.client\n"
            f"c = oras.client.OrasClient(hostname={place.host!r}, insecure={insecure})\n"
            f"{sign_in if place.token else ''}"
            f"c.pull(target='{place.host}/{ARTIFACT}', outdir={str(out)!r})\n"
        )
        _told_at_once([bins / "python", "-W", "ignore", "-c", code], told, home=home)
        return files_below(out)


def _told_at_once(
    words: Sequence[str | Path], variables: Mapping[str, str], *, home: Path
) -> None:
    """Run oras-py; stop it when it has told its user that it may not pull.

    It goes on trying for 131 seconds after that, whatever it is answered.

    Raises:
        Failed: It ended with an error, or was stopped.
    """
    with subprocess.Popen(
        words,
        env={"PATH": os.defpath, "HOME": str(home), **variables},
        cwd=home,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        printed = []
        late = threading.Timer(ORAS_PATIENCE_S, process.kill)
        late.start()
        for line in process.stdout:
            printed.append(line)
            if ORAS_REFUSED in line:
                process.kill()
        late.cancel()
    if process.returncode:
        raise Failed("".join(printed))


CLIENTS = (
    Skopeo(tool="skopeo"),
    SkopeoImage(tool="skopeo"),
    Podman(tool="podman"),
    Buildah(tool="buildah"),
    Containerd(tool="containerd", resumes=True, cannot={}),
    Oras(),
)


def trusting(place: Place, home: Path, before: str) -> list[str]:
    """Return the options of tools built on containers/image for *place*."""
    options = []
    if place.url.startswith("http:"):
        options.append(f"{before}tls-verify=false")
    if place.authority:
        folder = home / "certificates"
        folder.mkdir(exist_ok=True)
        shutil.copy(place.authority, folder / "ca.crt")
        options.append(f"{before}cert-dir={folder}")
    if place.token:
        options.append(f"{before}creds=airlift:{place.token}")
    return options


@contextmanager
def storage(tool: str, home: Path) -> Iterator[list[str]]:
    """Give the command of *tool* with a storage of its own below *home*."""
    # Podman takes 50 characters here, which a test's folder exceeds, and wants the
    # same again for the same storage.
    short = Path("/tmp") / f"airlift-{sha256(str(home).encode())[:12]}"
    places = [f"--root={home}/root", f"--runroot={short}/run"]
    if tool == "podman":
        places.append(f"--tmpdir={short}/tmp")
    try:
        yield [tool, *places, "--storage-driver=vfs"]
    finally:
        shutil.rmtree(short, ignore_errors=True)


def packed(files: Mapping[str, bytes]) -> bytes:
    """Return a layer of *files*."""
    members = [Member(path=path, size=len(files[path])) for path in files]
    return b"".join(
        one if isinstance(one, bytes) else files[one.path]
        for one in oci_layer.framed(members)
    )


def untarred(layers: Sequence[bytes]) -> dict[str, bytes]:
    """Return the files below ``models`` of *layers*."""
    found = {}
    for layer in layers:
        with tarfile.open(fileobj=io.BytesIO(layer)) as tar:
            for member in tar.getmembers():
                if (file := tar.extractfile(member)) is not None:
                    found[member.name.removeprefix("models/")] = file.read()
    return found


@contextmanager
def daemon(home: Path) -> Iterator[list[str | Path]]:
    """Run a containerd of its own; give the command that talks to it."""
    # The address of a socket has at most 107 bytes, which a test's folder may exceed.
    with tempfile.TemporaryDirectory(dir="/tmp") as short:
        socket, settings = Path(short) / "c", home / "containerd.toml"
        settings.write_text(
            f'version = 2\nroot = "{home}/containerd"\nstate = "{short}/state"\n'
            'disabled_plugins = ["io.containerd.grpc.v1.cri"]\n'
            f'[grpc]\n  address = "{socket}"\n[ttrpc]\n  address = "{socket}.t"\n'
        )
        ctr: list[str | Path] = ["ctr", "--address", socket]
        with (home / "containerd.log").open("wb") as log:
            own = ["containerd", "--config", str(settings)]
            running = subprocess.Popen(own, stdout=log, stderr=log)
            try:
                _await(ctr, running, home)
                yield ctr
            finally:
                running.terminate()
                running.wait(timeout=30)


def _await(
    ctr: Sequence[str | Path], running: subprocess.Popen[bytes], home: Path
) -> None:
    ends = time.monotonic() + 30
    while True:
        try:
            run([*ctr, "version"], {}, home=home)
        except Failed:
            assert running.poll() is None, (home / "containerd.log").read_text()
            assert time.monotonic() < ends, "containerd does not answer"
            time.sleep(0.05)
        else:
            return
