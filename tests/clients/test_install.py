"""What `airlift install` leaves behind, read offline by the real programs.

Nothing is served here but where a test asks whether a client would fetch anything
again; the variables of each process keep it from looking anywhere else.
"""

import io
import json
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import venvs
from airlift.artifact import Kind
from airlift.digest import sha256
from airlift.install.placing import Way
from airlift.serve.http.server import running
from airlift.serve.http.settings import ServeSettings
from clients import minilm, of_llama
from clients.test_transformers import PACKAGES as LIBRARIES
from depots import BIG, COMMIT, Depot
from hubs.gguf_file import Gguf, number, string, tensor
from wheelhouse import wheel
from wire import clock

pytestmark = pytest.mark.clients

VERSIONS = ["2.4.0", "1.33.0", "0.36.2", "0.23.5"]
PIP, UV = "pip==26.3", "uv==0.13.9"
FILES = {
    "README.md": b"---\nlicense: mit\n---\n",
    "config.json": b'{"model_type": "bert", "hidden_size": 32}\n',
    "model.safetensors": BIG,
    "sub dir/deep/\u00fc+%20 #1.txt": b"odd names\n",
}
WHEELS = (
    wheel("App", "1.0", ["Lib_Core>=1", "gpu"]),
    wheel("Lib.Core", "1.0", payload=b"good"),
    wheel("gpu", "2.1+cu128"),
)


@pytest.fixture
def depot(tmp_path: Path) -> Depot:
    """A site with a model, a data set and a set of wheels."""
    depot = Depot(tmp_path / "site")
    depot.bring(Kind.MODEL, "org/tiny", FILES, refs=("main", "v1.0", "refs/pr/1"))
    depot.bring(Kind.DATASET, "org/data", {"data/train.jsonl": b'{"a": 1}\n' * 200})
    contents = {name: body for name, body, _ in WHEELS}
    depot.bring(Kind.WHEELS, "set", contents, revision="d" * 64, refs=())
    return depot


def outcome(
    command: Sequence[str | Path], home: Path, **more: str
) -> subprocess.CompletedProcess[str]:
    """Run *command* with *more* variables and nothing of this machine."""
    return subprocess.run(
        command,
        env={"PATH": os.defpath, "HOME": str(home), **more},
        cwd=home,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@dataclass(frozen=True, kw_only=True)
class Hub:
    """One version of the client and its cache."""

    version: str
    bins: Path
    home: Path

    @property
    def cache(self) -> Path:
        """What `--to hf-cache` installs into."""
        return self.home / "hf/hub"

    def environment(self, **more: str) -> dict[str, str]:
        """Return the variables of its processes."""
        return {
            "HF_HOME": str(self.home / "hf"),
            "HF_HUB_OFFLINE": "1",
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_UPDATE_CHECK": "1",
            **more,
        }

    def run(self, code: str, **more: str) -> Any:
        """Run *code*, in which ``h`` is the package; return the JSON of ``out``."""
        script = f"import json\nimport huggingface_hub as h\n{code}\nprint(json.dumps(out))\n"
        command = [str(self.bins / "python"), "-W", "ignore", "-c", script]
        done = outcome(command, self.home, **self.environment(**more))
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    def command(self, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run the client's command line."""
        command = [str(self.bins / "hf"), *arguments]
        return outcome(command, self.home, **self.environment(**more))


@pytest.fixture(params=VERSIONS)
def hub(request: pytest.FixtureRequest, environments: Path, tmp_path: Path) -> Hub:
    """One version after another."""
    bins = venvs.make(environments, f"huggingface_hub=={request.param}")
    home = tmp_path / "home"
    home.mkdir()
    return Hub(version=str(request.param), bins=bins, home=home)


def content(folder: str | Path) -> dict[str, bytes]:
    """Return the files below *folder*, hidden ones left out."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in Path(folder).rglob("*")
        if path.is_file() and ".cache" not in path.parts
    }


@pytest.mark.parametrize("revision", ["main", "v1.0", "refs/pr/1", COMMIT])
def test_a_hub_client_without_a_network_loads_the_snapshot(
    hub: Hub, depot: Depot, revision: str
) -> None:
    """By branch, tag, pull request and commit, each byte as it was signed."""
    depot.install("org/tiny", "hf-cache", hub.cache)
    folder = hub.run(f"out = h.snapshot_download('org/tiny', revision={revision!r})")
    assert content(folder) == FILES
    path = hub.run(
        "out = h.hf_hub_download('org/tiny', 'model.safetensors', "
        f"revision={revision!r})"
    )
    assert Path(path).read_bytes() == BIG


def test_a_data_set_is_found_as_one(hub: Hub, depot: Depot) -> None:
    """Data sets lie beside models under a prefix of their own."""
    depot.install("dataset:org/data", "hf-cache", hub.cache)
    folder = hub.run("out = h.snapshot_download('org/data', repo_type='dataset')")
    assert content(folder) == {"data/train.jsonl": b'{"a": 1}\n' * 200}


def test_the_client_sees_a_sound_cache(hub: Hub, depot: Depot) -> None:
    """A cache with warnings is one whose clean-up commands refuse to work."""
    depot.install("org/tiny", "hf-cache", hub.cache, way=Way.LINK)
    found = hub.run(
        "info = h.scan_cache_dir()\n"
        "out = [[str(w) for w in info.warnings], sorted((r.repo_id, "
        "sorted(x.commit_hash for x in r.revisions), sorted(r.refs), r.nb_files) "
        "for r in info.repos)]"
    )
    refs = ["main", "refs/pr/1", "v1.0"]
    assert found == [[], [["org/tiny", [COMMIT], refs, len(FILES)]]]


@pytest.mark.parametrize("hub", VERSIONS[:2], indirect=True)
def test_a_snapshot_is_known_to_be_complete_or_not(hub: Hub, depot: Depot) -> None:
    """The listing beside it is what makes a client notice a file that went away."""
    depot.install("org/tiny", "hf-cache", hub.cache)
    (hub.cache / "models--org--tiny/snapshots" / COMMIT / "config.json").unlink()
    found = hub.run(
        "try:\n    out = h.snapshot_download('org/tiny')\n"
        "except Exception as error:\n    out = [type(error).__name__, str(error)]"
    )
    assert found[0] == "IncompleteSnapshotError"
    assert "config.json" in found[1]


@pytest.mark.parametrize("hub", VERSIONS[:2], indirect=True)
def test_the_client_verifies_what_was_installed(hub: Hub, depot: Depot) -> None:
    """`hf cache verify` compares each file with what the server says of it."""
    depot.install("org/tiny", "hf-cache", hub.cache)
    shelf = depot.site.registry.shelf(depot.site.store)
    settings = ServeSettings(port=0)
    with running(shelf, settings, log=io.StringIO(), clock=clock) as url:
        done = hub.command(
            "cache", "verify", "org/tiny", HF_ENDPOINT=url, HF_HUB_OFFLINE="0"
        )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"Verified {len(FILES)} file(s)" in done.stdout


def fetched(log: io.StringIO) -> list[str]:
    """Return the paths of files whose bytes were asked for."""
    entries = [json.loads(line) for line in log.getvalue().splitlines()]
    return [
        str(one["path"])
        for one in entries
        if one["method"] == "GET" and "/resolve/" in str(one["path"])
    ]


def served(hub: Hub, depot: Depot, code: str) -> tuple[Any, list[str]]:
    """Run *code* beside a server; return ``out`` and the files that were fetched."""
    shelf, log = depot.site.registry.shelf(depot.site.store), io.StringIO()
    with running(shelf, ServeSettings(port=0), log=log, clock=clock) as url:
        out = hub.run(code, HF_ENDPOINT=url, HF_HUB_OFFLINE="0")
    assert log.getvalue()
    return out, fetched(log)


def test_a_client_that_reaches_a_server_fetches_nothing_again(
    hub: Hub, depot: Depot
) -> None:
    """What was installed counts as downloaded, or 100 GB go over the wire twice."""
    depot.install("org/tiny", "hf-cache", hub.cache)
    folder, again = served(hub, depot, "out = h.snapshot_download('org/tiny')")
    assert (content(folder), again) == (FILES, [])


# Versions before 0.24 keep their notes in `.huggingface`, and fetch small files again.
@pytest.mark.parametrize("hub", VERSIONS[:3], indirect=True)
def test_a_local_folder_counts_as_downloaded(hub: Hub, depot: Depot) -> None:
    """By the notes beside the files the client knows each of them again."""
    target = hub.home / "local"
    depot.install("org/tiny", "hf-local", target)
    code = f"out = h.snapshot_download('org/tiny', local_dir={str(target)!r})"
    folder, again = served(hub, depot, code)
    assert (content(folder), again) == (FILES, [])


def test_an_update_is_what_the_client_loads_next(hub: Hub, depot: Depot) -> None:
    """`main` moves with the installation, and the old commit stays loadable."""
    depot.install("org/tiny", "hf-cache", hub.cache)
    new = "e" * 40
    files = {**FILES, "config.json": b'{"model_type": "bert", "hidden_size": 64}\n'}
    depot.bring(Kind.MODEL, "org/tiny", files, revision=new, counter=2)
    depot.install(f"org/tiny@{new}", "hf-cache", hub.cache)
    assert content(hub.run("out = h.snapshot_download('org/tiny')")) == files
    old = hub.run(f"out = h.snapshot_download('org/tiny', revision={COMMIT!r})")
    assert content(old) == FILES


# --- what is built on the hub's cache -----------------------------------------------


_ENCODE = """
import json, sys
from sentence_transformers import SentenceTransformer
out = []
for one in sys.argv[1:]:
    model = SentenceTransformer(one, device="cpu")
    (vector,) = model.encode(["Models cross the gap on discs."])
    out.append([number.hex() for number in vector.tolist()])
print(json.dumps(out))
"""


@pytest.mark.timeout(900)
def test_sentence_transformers_loads_real_weights_without_a_network(
    depot: Depot, environments: Path, tmp_path: Path
) -> None:
    """To the last bit the embedding that the files give from where they came."""
    bins = venvs.make(environments, *LIBRARIES)
    source = minilm.folder(environments)
    depot.bring(Kind.MODEL, minilm.NAME, minilm.files(environments))
    depot.install(minilm.NAME, "hf-cache", tmp_path / "hf/hub")
    home = tmp_path / "home"
    home.mkdir()
    command = [str(bins / "python"), "-W", "ignore", "-c", _ENCODE]
    variables = {"HF_HOME": str(tmp_path / "hf"), "HF_HUB_OFFLINE": "1"}
    done = outcome([*command, minilm.NAME, source], home, **variables)
    assert done.returncode == 0, done.stderr
    installed, original = json.loads(done.stdout.splitlines()[-1])
    assert installed == original
    assert len(installed) == 384


NOISE = Gguf(
    keys=[string("general.architecture", "llama"), number("general.file_type", 7)],
    tensors=[tensor("token_embd.weight", [100_000], kind=24)],
).whole(bytes(100_000))


def test_llama_server_finds_an_installed_model_without_a_network(
    depot: Depot, environments: Path, tmp_path: Path
) -> None:
    """It lists the quantisation, and opens the installed file itself."""
    depot.bring(Kind.GGUF, "Acme/Tiny-GGUF", {"tiny-Q8_0.gguf": NOISE})
    depot.install("Acme/Tiny-GGUF", "hf-cache", tmp_path / "hf/hub")
    build = of_llama.of_wheel(environments)
    variables = {"HF_HOME": str(tmp_path / "hf"), **build.environment}
    listed = outcome([*build.words, "-cl"], tmp_path, **variables)
    assert "Acme/Tiny-GGUF:Q8_0" in listed.stdout, listed.stderr
    words = ["--offline", "-hf", "Acme/Tiny-GGUF:Q8_0", "--port", "0", "-ngl", "0"]
    # The weights are noise: what is asked is which file it tried to load.
    tried = outcome([*build.words, *words], tmp_path, **variables)
    place = tmp_path / "hf/hub/models--Acme--Tiny-GGUF/snapshots" / COMMIT
    assert f"failed to load model '{place / 'tiny-Q8_0.gguf'}'" in tried.stderr


# --- installers -----------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Installer:
    """pip or uv, installing from a folder into a folder."""

    tool: str
    bins: Path
    home: Path

    def install(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """Install without any index."""
        target = self.home / "site"
        common = ("--no-index", "--target", target, *arguments)
        if self.tool == "pip":
            own: list[str | Path] = [self.bins / "python", "-m", "pip", "--isolated"]
            own += ["install", "--disable-pip-version-check"]
        else:
            own = [self.bins / "uv", "pip", "install", "--no-config", "--offline"]
            own += ["--python", self.bins / "python"]
        path = f"{self.bins}:{os.defpath}"
        return outcome([*own, *common], self.home, PATH=path)

    def installed(self) -> dict[str, str]:
        """Return modules by name with the version their code states."""
        return {
            path.parent.name: path.read_text().split("'")[1]
            for path in (self.home / "site").glob("*/__init__.py")
        }


@pytest.fixture(params=["pip", "uv"])
def installer(
    request: pytest.FixtureRequest, environments: Path, tmp_path: Path
) -> Installer:
    """One tool after the other."""
    tool = str(request.param)
    bins = venvs.make(environments, PIP if tool == "pip" else UV)
    home = tmp_path / "home"
    home.mkdir()
    return Installer(tool=tool, bins=bins, home=home)


ALL = {"app": "1.0", "lib_core": "1.0", "gpu": "2.1+cu128"}


@pytest.mark.parametrize("links", ["", "links-set.html"], ids=["folder", "page"])
def test_a_wheelhouse_installs_with_every_digest_checked(
    installer: Installer, depot: Depot, tmp_path: Path, links: str
) -> None:
    """No index, no network, and still nothing unknown gets in."""
    house = tmp_path / "wheels"
    depot.install("set", "wheelhouse", house)
    done = installer.install(
        *("--require-hashes", "--find-links", house / links),
        *("-r", house / "requirements-set.txt"),
    )
    assert (done.returncode, installer.installed()) == (0, ALL), done.stderr


def test_a_damaged_wheel_of_a_wheelhouse_is_refused(
    installer: Installer, depot: Depot, tmp_path: Path
) -> None:
    """The digests of the page stop it even where no requirements state any."""
    house = tmp_path / "wheels"
    depot.install("set", "wheelhouse", house)
    name, good, _ = WHEELS[1]
    evil = wheel("Lib.Core", "1.0", payload=b"evil")[1]
    assert (len(evil), sha256(evil) == sha256(good)) == (len(good), False)
    (house / name).chmod(0o644)
    (house / name).write_bytes(evil)
    done = installer.install("--find-links", house / "links-set.html", "lib-core")
    assert done.returncode != 0
    assert "hash" in done.stderr.lower()
    assert installer.installed() == {}
