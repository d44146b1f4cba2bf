"""Real weights through the whole crossing, into the libraries people load them with.

A published sentence transformer and a data set are exported from a hub, carried,
imported and served with the real commands; transformers, sentence-transformers and
datasets then give exactly what they give from the files upstream had.
"""

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import venvs
from clients import minilm
from hubs.hub import Hub
from hubs.repository import Repo
from integration.sides import Side

pytestmark = [pytest.mark.clients, pytest.mark.timeout(900)]

PACKAGES = [
    "torch==2.13.0",
    "transformers==5.23.0",
    "sentence-transformers==6.2.0",
    "datasets==5.2.0",
]
SENTENCES = ["Models cross the gap on discs.", "They arrive \u2013 byte for byte."]
ROWS = [{"id": number, "text": f"row {number}"} for number in range(50)]
DATA = {
    "README.md": b"---\nlicense: mit\n---\n# Rows\n",
    "data/train.jsonl": b"".join(json.dumps(one).encode() + b"\n" for one in ROWS[:40]),
    "data/test.jsonl": b"".join(json.dumps(one).encode() + b"\n" for one in ROWS[40:]),
}
OLD = {"config.json": b'{"model_type": "bert"}\n'}
FIRST = f"""\
manifest = 1

[[model]]
repo = "{minilm.NAME}"
revision = "v0"
"""
SECOND = f"""\
manifest = 1

[[model]]
repo = "{minilm.NAME}"

[[dataset]]
repo = "acme/rows"
"""


@dataclass(frozen=True, kw_only=True)
class World:
    """An isolated side that serves what was carried.

    Attributes:
        url: Where.
        commit: Of the model.
        files: What upstream had of the model, by path.
        source: The folder these files came from.
        log: The server's access log.
    """

    url: str
    commit: str
    files: Mapping[str, bytes]
    source: Path
    log: Path


@pytest.fixture(scope="module")
def world(
    environments: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    """Carry a model twice and a data set once; serve what is live below a prefix."""
    folder = tmp_path_factory.mktemp("crossing")
    files = minilm.files(environments)
    model, rows = Repo(minilm.NAME), Repo("acme/rows", kind="datasets")
    model.git_tags["v0"] = model.commit(OLD)
    commit = model.commit(files)
    model.git_tags["v1"] = commit
    rows.commit(DATA)
    with Hub(model, rows) as hub:
        variables = {"HF_ENDPOINT": hub.url, "HF_HUB_DISABLE_TELEMETRY": "1"}
        connected = Side.connected(folder, HF_HOME=str(folder / "hf"), **variables)
        for name, text in (("first", FIRST), ("second", SECOND)):
            manifest = connected.home / f"{name}.toml"
            manifest.write_text(text)
            connected.ok("export", str(manifest), "--to", str(folder / name))
    isolated = connected.isolated(folder)
    for name in ("first", "second"):
        isolated.ok("import", str(folder / name), "--yes")
    log = folder / "access.log"
    with isolated.serving("--prefix", "/airlift", log=str(log)) as url:
        yield World(
            url=url,
            commit=commit,
            files=files,
            source=minilm.folder(environments),
            log=log,
        )


@dataclass(frozen=True, kw_only=True)
class Client:
    """One environment with all three libraries, and a cache of its own."""

    bins: Path
    home: Path
    url: str

    def run(self, code: str, *arguments: object, **more: str) -> Any:
        """Run *code*, which sets ``out``; return its JSON."""
        script = f"import json, sys\n{code}\nprint(json.dumps(out))\n"
        done = subprocess.run(
            [self.bins / "python", "-W", "ignore", "-c", script, *map(str, arguments)],
            env={
                "PATH": os.defpath,
                "HOME": str(self.home),
                "HF_HOME": str(self.home / "hf"),
                "HF_ENDPOINT": self.url,
                "HF_HUB_DISABLE_PROGRESS_BARS": "1",
                "HF_HUB_DISABLE_UPDATE_CHECK": "1",
                "HF_HUB_DISABLE_TELEMETRY": "1",
                **more,
            },
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture
def client(environments: Path, tmp_path: Path, world: World) -> Client:
    """The libraries, with empty caches."""
    bins = venvs.make(environments, *PACKAGES)
    return Client(bins=bins, home=tmp_path, url=world.url)


def snapshot(home: Path, commit: str) -> dict[str, bytes]:
    """Return the files the cache has of the model at *commit*, by path."""
    name = minilm.NAME.replace("/", "--")
    root = home / f"hf/hub/models--{name}/snapshots" / commit
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file()
    }


_ENCODE = f"""
from sentence_transformers import SentenceTransformer
out = []
for one in sys.argv[1:]:
    model = SentenceTransformer(one, device="cpu")
    out.append([[x.hex() for x in v.tolist()] for v in model.encode({SENTENCES!r})])
"""
_LOAD = f"""
import torch
from transformers import AutoModel, AutoTokenizer
out = []
for one in sys.argv[1:]:
    name, _, revision = one.partition("@")
    where = {{"revision": revision}} if revision else {{}}
    tokenizer = AutoTokenizer.from_pretrained(name, **where)
    model = AutoModel.from_pretrained(name, **where).eval()
    with torch.no_grad():
        found = model(**tokenizer({SENTENCES!r}, padding=True, return_tensors="pt"))
    out.append([[x.hex() for x in v.tolist()] for v in found.last_hidden_state.mean(1)])
"""


def test_sentence_transformers_gives_the_embedding_of_the_source_folder(
    client: Client, world: World
) -> None:
    """To the last bit, from upstream's bytes; the server saw nothing go wrong."""
    served, local = client.run(_ENCODE, minilm.NAME, world.source)
    assert served == local
    assert [len(vector) for vector in served] == [384] * len(SENTENCES)
    cached = snapshot(client.home, world.commit)
    assert "model.safetensors" in cached
    assert {path: world.files[path] for path in cached} == cached
    entries = [json.loads(line) for line in world.log.read_text().splitlines()]
    # Optional files are asked for and missing.
    assert {200, 404} <= {one["status"] for one in entries} <= {200, 206, 304, 404}
    assert [one for one in entries if "problem" in one or "aborted" in one] == []


def test_transformers_gives_the_states_of_the_source_folder(
    client: Client, world: World
) -> None:
    """By branch, by tag and by commit; then once more from its cache alone."""
    revisions = ("main", "v1", world.commit)
    names = [f"{minilm.NAME}@{revision}" for revision in revisions]
    *served, local = client.run(_LOAD, *names, world.source)
    assert served == [local] * len(revisions)
    assert client.run(_LOAD, names[0], HF_HUB_OFFLINE="1") == [local]


def test_another_revision_has_other_files(client: Client, world: World) -> None:
    """The tag of an old commit leads there, also while `main` is newer."""
    code = (
        "from huggingface_hub import snapshot_download\n"
        f"out = snapshot_download({minilm.NAME!r}, revision='v0')"
    )
    commit = Path(client.run(code)).name
    assert commit != world.commit
    assert snapshot(client.home, commit) == OLD


def test_datasets_loads_every_row(client: Client) -> None:
    """Its own cache, its own requests, the same repository protocol."""
    code = (
        "from datasets import load_dataset\n"
        "found = load_dataset('acme/rows')\n"
        "out = {name: found[name].to_list() for name in found}"
    )
    assert client.run(code) == {"train": ROWS[:40], "test": ROWS[40:]}


def test_datasets_streams_rows(client: Client) -> None:
    """Without a download: by ranges through the library's file system."""
    code = (
        "from datasets import load_dataset\n"
        "found = load_dataset('acme/rows', split='train', streaming=True)\n"
        "out = [row['id'] for row in found.take(3)]"
    )
    assert client.run(code) == [0, 1, 2]
