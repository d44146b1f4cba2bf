"""huggingface_hub, four generations of it, against the real server.

The client verifies nothing but lengths, so every byte it stores is compared here.
"""

import json
import os
import random
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import private_ca
import venvs
from airlift.artifact import Kind
from airlift.digest import sha256
from airlift.serve.http.settings import ServeSettings
from airlift.serve.hub.huggingface import HuggingFace
from cutting import cutting
from guarded import Door
from served import World, serving
from shelves import MemoryShelf, cargo, git_oid
from wire import clock

pytestmark = pytest.mark.clients

VERSIONS = ["2.4.0", "1.33.0", "0.36.2", "0.23.5"]
NEW = VERSIONS[:2]
"""Those that speak httpx, list by tree and refuse large files by their size."""

A, B = "a" * 40, "b" * 40
WEIGHTS = random.Random(3).randbytes(1_500_001)
BIG = random.Random(5).randbytes(24_000_001)
"""More than two of the client's chunks, which is all it keeps of a cut transfer."""
MODEL = {
    "README.md": b"---\nlicense: mit\n---\n",
    "config.json": b'{"model_type": "tiny"}\n',
    "model.safetensors": WEIGHTS,
    "empty.bin": b"",
    "sub dir/deep/\u00fc+%20 #1.txt": b"odd names\n",
    "tokenizer/tokenizer.json": random.Random(4).randbytes(70_000),
}
OLD = {"config.json": b"{}\n", "model.safetensors": WEIGHTS[:500_000]}
DATA = {"data/train-0.jsonl": b'{"a": 1}\n' * 500, "README.md": b"# data\n"}
REFS = ["main", "v2", "feature/slash", "refs/pr/1"]


def shelf(folder: Path) -> MemoryShelf:
    """Return two commits of a model, a model of one name part, and a data set."""
    return MemoryShelf(
        folder,
        [
            cargo(Kind.MODEL, "org/tiny", MODEL, revision=A, counter=2, refs=REFS),
            cargo(
                Kind.MODEL,
                "org/tiny",
                OLD,
                revision=B,
                counter=1,
                refs=["v1"],
                upstream={"tags": ("v1",)},
            ),
            cargo(Kind.FOLDER, "single", {"x.txt": b"x"}, revision="c" * 40),
            cargo(Kind.GGUF, "org/big", {"big.gguf": BIG}, revision="e" * 40),
            cargo(Kind.DATASET, "org/data", DATA, revision=B),
        ],
    )


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One server below a path prefix for all tests that do not change it."""
    settings = ServeSettings(port=0, prefix="/mirror/hf")
    with serving(shelf(tmp_path_factory.mktemp("shelf")), settings) as running:
        yield running


@dataclass(frozen=True, kw_only=True)
class Hub:
    """One version of the client with a fresh cache."""

    version: str
    bins: Path
    home: Path
    url: str

    def environment(self, **more: str) -> dict[str, str]:
        """Return the variables its processes see, and no others."""
        return {
            "PATH": os.defpath,
            "HOME": str(self.home),
            "HF_HOME": str(self.home / "hf"),
            "HF_ENDPOINT": self.url,
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_UPDATE_CHECK": "1",
            **more,
        }

    def run(self, code: str, **more: str) -> Any:
        """Run *code*, in which ``h`` is the package; return the JSON of ``out``."""
        script = (
            "import json\nimport huggingface_hub as h\n"
            "from huggingface_hub import utils\napi = h.HfApi()\n"
            f"{code}\nprint(json.dumps(out))\n"
        )
        done = subprocess.run(
            [self.bins / "python", "-W", "ignore", "-c", script],
            env=self.environment(**more),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    def command(self, *arguments: str) -> str:
        """Run the client's command line; return what it prints."""
        name = "hf" if self.version != "0.23.5" else "huggingface-cli"
        done = subprocess.run(
            [self.bins / name, *arguments],
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr


@pytest.fixture(params=VERSIONS)
def version(request: pytest.FixtureRequest) -> str:
    """One version after another."""
    return str(request.param)


@pytest.fixture
def hub(version: str, environments: Path, tmp_path: Path, world: World) -> Hub:
    """A client of the shared server with an empty cache."""
    bins = venvs.make(environments, f"huggingface_hub=={version}")
    return Hub(version=version, bins=bins, home=tmp_path, url=world.url)


def tree(folder: str | Path) -> dict[str, bytes]:
    """Return every file below *folder* by path, without the client's own."""
    root = Path(folder)
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and not path.relative_to(root).parts[0].startswith(".")
    }


def at(url: str, hub: Hub) -> Hub:
    """Return *hub* with another server."""
    return Hub(version=hub.version, bins=hub.bins, home=hub.home, url=url)


# --- downloads --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("revision", "commit", "contents"),
    [
        ("main", A, MODEL),
        ("v2", A, MODEL),
        ("v1", B, OLD),
        ("feature/slash", A, MODEL),
        ("refs/pr/1", A, MODEL),
        (A, A, MODEL),
        (B[:7], B, OLD),
    ],
    ids=["main", "tag", "old-tag", "slash", "pull-request", "commit", "short-commit"],
)
def test_a_snapshot_is_the_release_byte_for_byte(
    hub: Hub, revision: str, commit: str, contents: Mapping[str, bytes]
) -> None:
    """What people do; names with spaces, signs and umlauts included."""
    out = hub.run(f"out = h.snapshot_download('org/tiny', revision={revision!r})")
    assert Path(out).name == commit
    assert tree(out) == contents


def test_a_repository_of_one_name_part_downloads(hub: Hub) -> None:
    """Names like `gpt2` have no organisation."""
    assert tree(hub.run("out = h.snapshot_download('single')")) == {"x.txt": b"x"}


def test_a_data_set_downloads(hub: Hub) -> None:
    """Data sets live below their own path."""
    code = "out = h.snapshot_download('org/data', repo_type='dataset')"
    assert tree(hub.run(code)) == DATA


def test_a_snapshot_into_a_folder_is_the_release(hub: Hub) -> None:
    """VLLM users and scripts keep models outside the cache."""
    target = hub.home / "out"
    code = f"out = h.snapshot_download('org/tiny', local_dir={str(target)!r})"
    hub.run(code)
    assert tree(target) == MODEL


def test_single_files_download_by_name(hub: Hub) -> None:
    """Every file of the release, one by one, with the commit in the path."""
    out = hub.run(
        f"out = {{n: h.hf_hub_download('org/tiny', n) for n in {list(MODEL)!r}}}"
    )
    assert {name: Path(path).read_bytes() for name, path in out.items()} == MODEL


def test_cached_blobs_are_named_by_what_they_hash_to(hub: Hub) -> None:
    """Git's id or SHA-256: direct installs and cache checks rely on it."""
    hub.run("out = h.snapshot_download('org/tiny')")
    blobs = hub.home / "hf/hub/models--org--tiny/blobs"
    names = {
        sha256(content) if len(content) >= 1000 else git_oid(content)
        for content in MODEL.values()
    }
    assert {path.name for path in blobs.iterdir()} == names


def test_a_second_run_transfers_no_file(hub: Hub, world: World) -> None:
    """The cache recognises what it has by the tag."""
    hub.run("out = h.snapshot_download('org/tiny')")
    before = len(world.entries())
    hub.run("out = h.snapshot_download('org/tiny')")
    later = world.entries()[before:]
    sent = [e for e in later if e["method"] == "GET" and "/resolve/" in str(e["path"])]
    assert sent == []


def test_an_update_moves_main_and_transfers_the_difference(
    hub: Hub, tmp_path: Path
) -> None:
    """The next delivery is seen at once; unchanged blobs are not sent again."""
    (tmp_path / "shelf").mkdir()
    changed = {**MODEL, "config.json": b'{"model_type": "new"}\n'}
    changing = shelf(tmp_path / "shelf")
    with serving(changing, ServeSettings(port=0)) as world:
        mine = at(world.url, hub)
        mine.run("out = h.snapshot_download('org/tiny')")
        new = "d" * 40
        release = cargo(
            Kind.MODEL, "org/tiny", changed, revision=new, counter=3, refs=["main"]
        )
        changing.add(release)
        before = len(world.entries())
        out = mine.run("out = h.snapshot_download('org/tiny')")
        sent = [
            str(entry["path"]).rsplit("/", 1)[1]
            for entry in world.entries()[before:]
            if entry["method"] == "GET" and "/resolve/" in str(entry["path"])
        ]
        assert (Path(out).name, tree(out), sent) == (new, changed, ["config.json"])


# --- questions --------------------------------------------------------------------------


def test_existence_is_answered_without_an_error(hub: Hub) -> None:
    """Mirrors without error codes make these raise."""
    out = hub.run(
        "out = [h.file_exists('org/tiny', 'config.json'),"
        " h.file_exists('org/tiny', 'nope.json'),"
        " h.file_exists('org/nope', 'config.json'),"
        " h.file_exists('org/tiny', 'config.json', revision='nope'),"
        " h.repo_exists('org/tiny'), h.repo_exists('org/nope'),"
        " h.repo_exists('org/data', repo_type='dataset'),"
        " h.repo_exists('org/app', repo_type='space'),"
        " api.revision_exists('org/tiny', 'v1'),"
        " api.revision_exists('org/tiny', 'nope')]"
    )
    assert out == [True, False, False, False, True, False, True, False, True, False]


def test_what_is_missing_is_named(hub: Hub) -> None:
    """Repository, revision and file are three errors, which programs tell apart."""
    out = hub.run(
        "out = []\n"
        "for args in [dict(repo_id='org/nope', filename='x'),\n"
        "             dict(repo_id='org/tiny', filename='x', revision='nope'),\n"
        "             dict(repo_id='org/tiny', filename='x')]:\n"
        "    try:\n"
        "        h.hf_hub_download(**args)\n"
        "    except Exception as error:\n"
        "        kinds = (utils.RepositoryNotFoundError,\n"
        "                 utils.RevisionNotFoundError, utils.EntryNotFoundError)\n"
        "        out.append([k.__name__ for k in kinds if isinstance(error, k)])"
    )
    assert out == [
        ["RepositoryNotFoundError"],
        ["RevisionNotFoundError"],
        ["EntryNotFoundError"],
    ]


def test_a_missing_file_is_remembered(hub: Hub) -> None:
    """Transformers probes eight optional files on each load."""
    hub.run(
        "try:\n    h.hf_hub_download('org/tiny', 'nope')\n"
        "except utils.EntryNotFoundError:\n    out = 1"
    )
    known = hub.home / f"hf/hub/models--org--tiny/.no_exist/{A}/nope"
    assert known.exists()


def test_a_repository_is_described_with_sizes(hub: Hub) -> None:
    """Sizes, ids and digests of every file."""
    out = hub.run(
        "i = api.model_info('org/tiny', files_metadata=True)\n"
        "out = [i.id, i.sha, i.private, str(i.last_modified.year),"
        " {s.rfilename: [s.size, s.blob_id, s.lfs and s.lfs['sha256']]"
        " for s in i.siblings}]"
    )
    files = {
        name: [len(content), sha256(content) if len(content) >= 1000 else None]
        for name, content in MODEL.items()
    }
    assert out[:4] == ["org/tiny", A, False, "2026"]
    assert {name: [row[0], row[2]] for name, row in out[4].items()} == files
    assert out[4]["config.json"][1] == git_oid(MODEL["config.json"])


@pytest.mark.parametrize("version", VERSIONS[:3])
def test_unknown_expansions_are_ignored(hub: Hub) -> None:
    """Mirrors broke when a client began to ask for a new property."""
    code = "out = api.model_info('org/tiny', expand=['sha', 'downloads']).sha"
    assert hub.run(code) == A


def test_a_tree_is_listed(hub: Hub) -> None:
    """All files in one page, and folders one level at a time."""
    out = hub.run(
        "out = [sorted(e.path for e in api.list_repo_tree('org/tiny', *a, **k))"
        " for a, k in [((), dict(recursive=True)), ((), {}),"
        " (('tokenizer',), dict(expand=True))]]"
    )
    folders = ["sub dir", "sub dir/deep", "tokenizer"]
    assert out == [
        sorted([*MODEL, *folders]),
        sorted([*(n for n in MODEL if "/" not in n), "sub dir", "tokenizer"]),
        ["tokenizer/tokenizer.json"],
    ]


def test_paths_are_described(hub: Hub) -> None:
    """Unknown paths are left out, not an error."""
    out = hub.run(
        "out = [[e.path, getattr(e, 'size', None)] for e in api.get_paths_info("
        "'org/tiny', ['config.json', 'nope', 'tokenizer'], expand=True)]"
    )
    assert out == [["config.json", len(MODEL["config.json"])], ["tokenizer", None]]


def test_refs_and_history_are_listed(hub: Hub) -> None:
    """Branches and tags apart, whole commits; what was carried as history."""
    out = hub.run(
        "r = api.list_repo_refs('org/tiny', include_pull_requests=True)\n"
        "c = api.list_repo_commits('org/tiny')\n"
        "out = [{b.name: b.target_commit for b in r.branches},"
        " [[t.name, t.ref, t.target_commit] for t in r.tags],"
        " [p.ref for p in r.pull_requests], [x.commit_id for x in c],"
        " c[0].created_at.year]"
    )
    branches = {"feature/slash": A, "main": A, "v2": A}
    tags = [["v1", "refs/tags/v1", B]]
    assert out == [branches, tags, ["refs/pr/1"], [A], 2026]


def test_repositories_are_searched(hub: Hub) -> None:
    """Programs list what a hub has."""
    out = hub.run(
        "out = [[m.id for m in api.list_models(search='tin', limit=5)],"
        " [d.id for d in api.list_datasets()]]"
    )
    assert out == [["org/tiny"], ["org/data"]]


def test_the_file_system_globs_and_reads_ranges(hub: Hub) -> None:
    """Pandas and datasets read models through it."""
    out = hub.run(
        "fs = h.HfFileSystem()\n"
        "f = 'org/tiny/model.safetensors'\n"
        "out = [fs.glob('org/tiny/**/*.json'), fs.info(f)['size'],"
        " fs.read_block(f, 1000, 40).hex(), fs.exists('org/tiny/nope'),"
        " fs.cat_file('datasets/org/data/README.md').decode()]"
    )
    assert out == [
        ["org/tiny/config.json", "org/tiny/tokenizer/tokenizer.json"],
        len(WEIGHTS),
        WEIGHTS[1000:1040].hex(),
        False,
        "# data\n",
    ]


def test_a_token_is_neither_needed_nor_logged(hub: Hub, world: World) -> None:
    """Users have one from elsewhere; it must not end in a log."""
    token = "hf_" + "Canary" * 6
    assert hub.run("out = api.whoami()['name']", HF_TOKEN=token) == "airlift"
    assert "Canary" not in world.log.getvalue()


# --- the command line -------------------------------------------------------------------


def test_the_command_line_downloads_into_a_folder(hub: Hub) -> None:
    """The line that is in every model card."""
    target = hub.home / "out"
    hub.command("download", "org/tiny", "--local-dir", str(target))
    assert tree(target) == MODEL


@pytest.mark.parametrize("version", NEW)
def test_cache_verify_finds_every_file_right_and_a_damaged_one_wrong(hub: Hub) -> None:
    """The only check of content that this client has."""
    hub.command("download", "org/tiny")
    assert f"{len(MODEL)} file" in hub.command("cache", "verify", "org/tiny")
    blob = hub.home / "hf/hub/models--org--tiny/blobs" / sha256(WEIGHTS)
    blob.write_bytes(WEIGHTS[:-1] + b"!")
    with pytest.raises(AssertionError, match=r"model\.safetensors"):
        hub.command("cache", "verify", "org/tiny")


# --- bad networks and large files -------------------------------------------------------


@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
def test_a_cut_download_is_resumed_and_whole(
    hub: Hub, world: World, *, reset: bool
) -> None:
    """New clients resume within the process, old ones on the next try."""
    code = "out = h.hf_hub_download('org/big', 'big.gguf')"
    again = (
        "import time\nout = None\n"
        "for n in range(4):\n"
        "    try:\n"
        f"        {code}\n        break\n"
        "    except Exception as error:\n"
        "        last = error\n        time.sleep(0.1)\n"
        "assert out, last"
    )
    before = len(world.entries())
    with cutting(world.url, after=11_000_000, times=2, reset=reset) as cuts:
        out = at(cuts.url, hub).run(again)
    assert (cuts.made, Path(out).read_bytes() == BIG) == (2, True)
    statuses = [
        entry["status"]
        for entry in world.entries()[before:]
        if entry["method"] == "GET" and "big.gguf" in str(entry["path"])
    ]
    # New clients take a reset for another error and may begin again.
    assert len(statuses) == 3
    assert reset or statuses == [200, 206, 206]


@pytest.mark.parametrize("version", NEW)
def test_a_file_above_the_clients_limit_downloads(hub: Hub, tmp_path: Path) -> None:
    """Told no size, the client fetches what it would refuse: 50 GB, here 1 MB."""
    (tmp_path / "shelf").mkdir()
    table = [HuggingFace(http_limit_bytes=1_000_000)]
    settings = ServeSettings(port=0)
    with serving(shelf(tmp_path / "shelf"), settings, table) as world:
        out = at(world.url, hub).run(
            "h.constants.MAX_HTTP_DOWNLOAD_SIZE = 1_000_000\n"
            "out = h.snapshot_download('org/tiny')"
        )
    assert tree(out) == MODEL


@pytest.mark.parametrize("version", NEW)
def test_a_notice_reaches_the_user(hub: Hub, tmp_path: Path) -> None:
    """A withdrawn model says so inside an unmodified client."""
    (tmp_path / "shelf").mkdir()
    notice = {"notice": "withdrawn; use org/tiny-2"}
    release = cargo(Kind.MODEL, "o/m", {"f": b"1"}, upstream=notice)
    shelf = MemoryShelf(tmp_path / "shelf", [release])
    with serving(shelf, ServeSettings(port=0)) as world:
        mine = at(world.url, hub)
        assert "withdrawn; use org/tiny-2" in mine.command("download", "o/m")


@pytest.mark.parametrize("version", NEW)
def test_the_user_of_a_replaced_commit_is_told(hub: Hub, tmp_path: Path) -> None:
    """Pinned programs go on working; nothing is printed for what is current."""
    (tmp_path / "shelf").mkdir()
    one, two = (
        cargo(
            Kind.MODEL, "o/m", {"f": b"1"}, revision=revision, counter=n, refs=["main"]
        )
        for n, revision in enumerate((A, B), 1)
    )
    with serving(
        MemoryShelf(tmp_path / "shelf", [one, two]), ServeSettings(port=0)
    ) as world:
        mine = at(world.url, hub)
        said = mine.command("download", "o/m", "--revision", A)
        text = "o/m at aaaaaaaaaaaa is superseded here by bbbbbbbbbbbb"
        assert said.count(text) == 1
        for revision in ("main", B):
            said = mine.command("download", "o/m", "--revision", revision)
            assert "superseded" not in said


# --- who may have what ------------------------------------------------------------------


@pytest.fixture
def closed(tmp_path: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """A server whose models have readers; its address, and the token of each."""
    (tmp_path / "shelf").mkdir()
    door = Door(clock())
    door.open("models:single")
    tokens = {
        "alice": door.token("alice", "models:org/*", "datasets:*"),
        "bob": door.token("bob", "datasets:*"),
        "nobody": "hf_" + "x" * 40,
    }
    settings = ServeSettings(port=0, access=door.access())
    with serving(shelf(tmp_path / "shelf"), settings) as world:
        yield world.url, tokens


def test_a_token_opens_what_it_covers(
    hub: Hub, closed: tuple[str, dict[str, str]]
) -> None:
    """Models, data sets, lists and the caller's own name."""
    url, tokens = closed
    out = at(url, hub).run(
        "out = [h.snapshot_download('org/tiny'),"
        " h.snapshot_download('org/data', repo_type='dataset'),"
        " h.snapshot_download('single'), api.whoami()['name'],"
        " sorted(m.id for m in api.list_models())]\n"
        "if hasattr(api, 'auth_check'):\n    api.auth_check('org/tiny')",
        HF_TOKEN=tokens["alice"],
    )
    assert [tree(path) for path in out[:3]] == [MODEL, DATA, {"x.txt": b"x"}]
    assert out[3:] == ["alice", ["org/big", "org/tiny", "single"]]


def test_a_stranger_has_what_is_open_and_learns_of_nothing_else(
    hub: Hub, closed: tuple[str, dict[str, str]]
) -> None:
    """What is closed and what does not exist look the same."""
    url, _ = closed
    out = at(url, hub).run(
        "out = [sorted(m.id for m in api.list_models()), h.repo_exists('org/tiny')]\n"
        "for name in ('org/tiny', 'org/nope'):\n"
        "    try:\n        h.hf_hub_download(name, 'config.json')\n"
        "    except utils.RepositoryNotFoundError as error:\n"
        "        gated = isinstance(error, utils.GatedRepoError)\n"
        "        out.append([error.response.status_code, gated, str(error)])\n"
        "out.append(h.snapshot_download('single'))"
    )
    assert out[:2] == [["single"], False]
    for (status, gated, said), name in zip(
        out[2:4], ("org/tiny", "org/nope"), strict=True
    ):
        assert (status, gated) == (401, False)
        expected = (
            f"{name} is not among the models that anyone may have here; "
            "set HF_TOKEN to a token of this server"
        )
        assert expected in said
    assert tree(out[4]) == {"x.txt": b"x"}


def test_a_caller_who_is_not_covered_is_told_so(
    hub: Hub, closed: tuple[str, dict[str, str]]
) -> None:
    """As a gated model on the hub: the client's own error, with this server's words."""
    url, tokens = closed
    out = at(url, hub).run(
        "out = []\n"
        "def tried(call, *args):\n"
        "    try:\n        call(*args)\n"
        "    except utils.GatedRepoError as error:\n"
        "        out.append([error.response.status_code, str(error)])\n"
        "tried(h.hf_hub_download, 'org/tiny', 'config.json')\n"
        "tried(h.snapshot_download, 'org/tiny')\n"
        "tried(api.model_info, 'org/tiny')\n"
        "tried(getattr(api, 'auth_check', api.model_info), 'org/tiny')",
        HF_TOKEN=tokens["bob"],
    )
    assert [status for status, _ in out] == [403] * 4
    for _, said in out:
        assert "org/tiny is not among the models that bob may have here" in said


def test_a_wrong_token_is_never_taken_for_none(
    hub: Hub, closed: tuple[str, dict[str, str]]
) -> None:
    """Even for what is open: an old token must be noticed, not half of the models."""
    url, tokens = closed
    out = at(url, hub).run(
        "try:\n    h.hf_hub_download('single', 'x.txt')\n    out = 'no error'\n"
        "except Exception as error:\n    out = f'{error} {error.__cause__}'",
        HF_TOKEN=tokens["nobody"],
    )
    assert "this token is not known here" in out


def test_a_private_authority_is_trusted_by_one_variable(
    hub: Hub, tmp_path: Path
) -> None:
    """Sites issue their own certificates; everything works over TLS as well."""
    (tmp_path / "shelf").mkdir()
    ca, context = private_ca.issue(tmp_path)
    settings = ServeSettings(port=0, tls=context)
    name = "SSL_CERT_FILE" if hub.version in NEW else "REQUESTS_CA_BUNDLE"
    with serving(shelf(tmp_path / "shelf"), settings) as world:
        mine = at(world.url, hub)
        code = "out = h.snapshot_download('org/tiny')"
        assert tree(mine.run(code, **{name: str(ca)})) == MODEL
        with pytest.raises(AssertionError, match=r"(?i)certificate"):
            mine.run(
                "h.constants.HF_HUB_ETAG_TIMEOUT = 1\nout = api.model_info('single').id"
            )
