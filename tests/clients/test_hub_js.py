"""JavaScript's clients of the hub: @huggingface/hub and transformers.js.

They send references unencoded, ask for one byte before each file, and post JSON.
"""

import json
import os
import random
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

import private_ca
import venvs
from airlift.artifact import Kind
from airlift.digest import sha256
from airlift.serve.http.settings import ServeSettings
from cutting import cutting
from guarded import Door
from served import World, serving
from shelves import MemoryShelf, cargo, git_oid
from wire import clock

pytestmark = pytest.mark.clients

PACKAGES = ["@huggingface/hub@2.17.5", "@huggingface/transformers@4.3.1"]
A, B = "a" * 40, "b" * 40
WEIGHTS = random.Random(41).randbytes(1_500_001)
TOKENIZER: dict[str, object] = {
    "version": "1.0",
    "truncation": None,
    "padding": None,
    "added_tokens": [],
    "normalizer": {"type": "Lowercase"},
    "pre_tokenizer": {"type": "BertPreTokenizer"},
    "post_processor": None,
    "decoder": None,
    "model": {
        "type": "WordPiece",
        "vocab": {"[UNK]": 0, "air": 1, "##lift": 2, "gap": 3},
        "unk_token": "[UNK]",
        "continuing_subword_prefix": "##",
        "max_input_chars_per_word": 100,
    },
}
MODEL = {
    "README.md": b"---\nlicense: mit\n---\n",
    "config.json": b'{"model_type": "bert"}\n',
    "model.safetensors": WEIGHTS,
    "empty.bin": b"",
    "sub dir/deep/\u00fc+ x.txt": b"odd names\n",
    "tokenizer.json": json.dumps(TOKENIZER).encode(),
    "tokenizer_config.json": b'{"tokenizer_class": "PreTrainedTokenizerFast"}\n',
}
OLD = {"config.json": b"{}\n"}
REFS = ["main", "feature/slash", "refs/pr/1"]


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> MemoryShelf:
    """Two commits of a model, and a data set."""
    return MemoryShelf(
        tmp_path_factory.mktemp("shelf"),
        [
            cargo(Kind.MODEL, "org/tiny", MODEL, revision=A, counter=2, refs=REFS),
            cargo(Kind.MODEL, "org/tiny", OLD, revision=B, refs=["v1"]),
            cargo(Kind.DATASET, "org/data", {"d.jsonl": b"{}\n"}, revision=B),
        ],
    )


@pytest.fixture(scope="module")
def world(shelf: MemoryShelf) -> Iterator[World]:
    """A server below a path prefix."""
    with serving(shelf, ServeSettings(port=0, prefix="/mirror/hf")) as running:
        yield running


@dataclass(frozen=True, kw_only=True)
class Node:
    """Node.js with both packages, and a cache of its own."""

    modules: Path
    home: Path
    url: str

    def run(self, code: str, **more: str) -> Any:
        """Run *code*, in which ``hub`` is the first package; return ``out``."""
        script = (
            'import * as hub from "@huggingface/hub";\n'
            "const hubUrl = process.env.HUB, repo = 'org/tiny';\n"
            "const log = console.log; console.log = console.error;\n"
            "const bytes = async blob => blob &&"
            " Buffer.from(await blob.arrayBuffer()).toString('hex');\n"
            "let out;\n"
            f"{code}\n"
            "log(JSON.stringify(out));\n"
        )
        # Modules are looked for beside the script.
        path = self.modules / f"{self.home.name}.mjs"
        path.write_text(script)
        program = shutil.which("node")
        assert program
        try:
            done = subprocess.run(
                [program, path],
                env={
                    "PATH": os.defpath,
                    "HOME": str(self.home),
                    "HUB": self.url,
                    "CACHE": str(self.home / "cache"),
                    **more,
                },
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
            )
        finally:
            path.unlink()
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture
def node(environments: Path, tmp_path: Path, world: World) -> Node:
    """A client of the shared server with an empty cache."""
    modules = venvs.node(environments, *PACKAGES)
    return Node(modules=modules, home=tmp_path, url=world.url)


def tree(folder: Path) -> dict[str, bytes]:
    """Return every file below *folder* by path."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


# --- @huggingface/hub -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "commit", "contents"),
    [
        ("", A, MODEL),
        (", revision: 'feature/slash'", A, MODEL),
        (", revision: 'refs/pr/1'", A, MODEL),
        (", revision: 'v1'", B, OLD),
        (f", revision: '{B}'", B, OLD),
    ],
    ids=["default", "slash", "pull-request", "tag", "commit"],
)
def test_a_snapshot_is_the_release_byte_for_byte(
    node: Node, options: str, commit: str, contents: Mapping[str, bytes]
) -> None:
    """Empty files and odd names included; only `#`, `?` and `%` it cannot ask for."""
    out = node.run(
        "out = await hub.snapshotDownload("
        f"{{repo, hubUrl, cacheDir: process.env.CACHE{options}}});"
    )
    assert Path(out).name == commit
    assert tree(Path(out)) == contents


def test_files_are_downloaded_by_name(node: Node) -> None:
    """Each after a request for its first byte, whose headers name size and tag."""
    out = node.run(
        "out = {};\n"
        f"for (const path of {json.dumps(list(MODEL))})\n"
        "  out[path] = await bytes(await hub.downloadFile({repo, path, hubUrl}));\n"
        "out.nope = await hub.downloadFile({repo, path: 'nope', hubUrl});"
    )
    expected = {path: content.hex() for path, content in MODEL.items()}
    assert out == {**expected, "nope": None}


def test_a_file_is_described_by_its_first_byte(node: Node) -> None:
    """The tag is SHA-256 for large files and git's id for small ones."""
    out = node.run(
        "out = [];\n"
        "for (const path of ['model.safetensors', 'config.json', 'empty.bin']) {\n"
        "  const i = await hub.fileDownloadInfo({repo, path, hubUrl});\n"
        "  out.push([i.size, i.etag, i.xet ?? null]);\n"
        "}"
    )
    assert out == [
        [len(WEIGHTS), f'"{sha256(WEIGHTS)}"', None],
        [len(MODEL["config.json"]), f'"{git_oid(MODEL["config.json"])}"', None],
        [0, f'"{git_oid(b"")}"', None],
    ]


def test_files_and_paths_are_listed(node: Node) -> None:
    """A tree in one page; paths by a body of JSON, unknown ones left out."""
    out = node.run(
        "out = {files: [], info: null};\n"
        "for await (const f of hub.listFiles({repo, hubUrl, recursive: true}))\n"
        "  if (f.type === 'file') out.files.push(f.path);\n"
        "const paths = ['config.json', 'nope', 'model.safetensors'];\n"
        "out.info = (await hub.pathsInfo({repo, hubUrl, paths}))"
        ".map(i => [i.path, i.size, i.lfs?.oid ?? null]);"
    )
    assert out == {
        "files": sorted(MODEL),
        "info": [
            ["config.json", len(MODEL["config.json"]), None],
            ["model.safetensors", len(WEIGHTS), sha256(WEIGHTS)],
        ],
    }


def test_repositories_are_found_and_missed(node: Node) -> None:
    """By code: without it, the questions raise instead of saying no."""
    out = node.run(
        "const tiny = {repo, hubUrl}, nope = {repo: 'org/nope', hubUrl};\n"
        "const data = {repo: {type: 'dataset', name: 'org/data'}, hubUrl};\n"
        "const space = {repo: {type: 'space', name: 'org/app'}, hubUrl};\n"
        "out = [];\n"
        "for (const one of [tiny, nope, data, space])\n"
        "  out.push(await hub.repoExists(one));\n"
        "for (const path of ['config.json', 'nope'])\n"
        "  out.push(await hub.fileExists({...tiny, path}));\n"
        "const names = [];\n"
        "for await (const m of hub.listModels({hubUrl})) names.push(m.name);\n"
        "out.push(names, (await hub.modelInfo({name: repo, hubUrl})).name);"
    )
    answers = [True, False, True, False, True, False]
    assert out == [*answers, ["org/tiny"], "org/tiny"]


def test_a_token_opens_what_is_closed(node: Node, shelf: MemoryShelf) -> None:
    """The error of a stranger has a status and says what to do."""
    door = Door(clock())
    token = door.token("alice", "models:org/*")
    code = (
        "const path = 'config.json', accessToken = process.env.TOKEN;\n"
        "out = {file: await bytes(await hub.downloadFile("
        "{repo, path, hubUrl, accessToken}))};\n"
        "out.name = (await hub.whoAmI({hubUrl, accessToken})).name;\n"
        "await hub.downloadFile({repo, path, hubUrl})"
        ".catch(e => { out.status = e.statusCode; out.said = e.message; });"
    )
    with serving(shelf, ServeSettings(port=0, access=door.access())) as closed:
        out = replace(node, url=closed.url).run(code, TOKEN=token)
    assert (out["file"], out["name"]) == (MODEL["config.json"].hex(), "alice")
    assert out["status"] == 401
    assert "set HF_TOKEN to a token of this server" in out["said"]


def test_a_private_authority_is_trusted_by_one_variable(
    node: Node, shelf: MemoryShelf, tmp_path: Path
) -> None:
    """Node.js has a variable of its own."""
    ca, context = private_ca.issue(tmp_path)
    code = (
        "out = await bytes(await hub.downloadFile({repo, path: 'config.json', hubUrl}))"
    )
    with serving(shelf, ServeSettings(port=0, tls=context)) as world:
        mine = replace(node, url=world.url)
        assert mine.run(code, NODE_EXTRA_CA_CERTS=str(ca)) == MODEL["config.json"].hex()
        with pytest.raises(AssertionError, match="fetch failed"):
            mine.run(code)


def test_a_cut_download_is_an_error_and_the_next_is_whole(
    node: Node, world: World
) -> None:
    """This client does not resume; it must not keep a short file."""
    code = (
        "const get = () => hub.downloadFileToCacheDir({repo, hubUrl,"
        " path: 'model.safetensors', cacheDir: process.env.CACHE});\n"
        "out = [await get().then(() => 'done', () => 'failed'), await get()];"
    )
    with cutting(world.url, after=700_000, times=1) as cuts:
        first, path = replace(node, url=cuts.url).run(code)
    assert (first, Path(path).read_bytes() == WEIGHTS) == ("failed", True)


# --- transformers.js --------------------------------------------------------------------


def test_transformers_js_loads_a_tokenizer(node: Node, world: World) -> None:
    """The runtime of browsers; it takes the server's address from its own settings."""
    before = len(world.entries())
    out = node.run(
        'const t = await import("@huggingface/transformers");\n'
        "t.env.remoteHost = hubUrl + '/';\n"
        "t.env.allowLocalModels = false;\n"
        "t.env.cacheDir = process.env.CACHE;\n"
        "const made = await t.AutoTokenizer.from_pretrained(repo);\n"
        "out = Array.from((await made('Airlift gap lost')).input_ids.data, Number);"
    )
    assert out == [1, 2, 3, 0]
    asked = {str(one["path"]).rpartition("/")[2] for one in world.entries()[before:]}
    assert {"tokenizer.json", "tokenizer_config.json"} <= asked
