"""`airlift install` and `airlift verify-client`, as they are typed."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

import commands
from airlift.artifact import Kind, Release, ReleaseFile
from airlift.digest import Sha256, sha256
from airlift.format import release as documents
from airlift.registry.registry import Registry
from commands import Shell
from depots import BIG, COMMIT, Depot, tree

LABEL = f"model:org/tiny@{COMMIT[:12]}"
SNAPSHOT = f"models--org--tiny/snapshots/{COMMIT}"
KNOWN = "known are folder, hf-cache, hf-local, ollama, wheelhouse"
SIZE = f"{(len(BIG) + 3) / 1000:.3g} kB"


def spoil(place: Path) -> None:
    """Change one byte of the file that *place* leads to."""
    place = place.resolve()
    place.chmod(0o644)
    place.write_bytes(b"x" + BIG[1:])


# --- install ------------------------------------------------------------------------


def test_a_release_is_installed_and_said_to_be(run: Shell, tmp_path: Path) -> None:
    """Whoever waits for it learns how and where it went."""
    hub = tmp_path / "hub"
    done = run.good("install", "org/tiny", "--to", "hf-cache", "--into", hub, "--copy")
    assert done.lines == [f"{LABEL}: 2 copied; {SIZE}", f"  hf-cache: {hub}"]
    done = run.good("install", "org/tiny", "--to", "hf-cache", "--into", hub)
    assert done.lines == [f"{LABEL}: 2 there already; 0 B", f"  hf-cache: {hub}"]


def test_programs_get_all_of_it(run: Shell, tmp_path: Path) -> None:
    """A job that installs must not read sentences."""
    out = tmp_path / "out"
    done = run.good(*("install", "org/tiny", "--copy", "--json", "--to"), out)
    (told,) = done.json["installed"]
    assert len(told.pop("id")) == 64
    assert told == {
        "kind": "model",
        "name": "org/tiny",
        "revision": COMMIT,
        "to": "folder",
        "folder": str(out),
        "ways": {"clone": 0, "link": 0, "copy": 2},
        "written": len(BIG) + 3,
        "present": 0,
        "names": [],
        "notes": [],
    }


def test_the_log_says_what_went_where(run: Shell, site: Depot, tmp_path: Path) -> None:
    """When a release is withdrawn, somebody asks which hosts have it."""
    run.good("install", "org/tiny", "--to", "hf-cache", "--into", tmp_path / "hub")
    event = site.site.reopen().events()[-1]
    assert (event.action, event.subject, event.outcome) == ("install", LABEL, "done")
    assert event.detail["folder"] == str(tmp_path / "hub")
    assert event.detail["written"] == len(BIG) + 3


@pytest.mark.parametrize(
    ("told", "place"),
    [
        ({"HF_HUB_CACHE": "a", "HF_HOME": "b"}, "a"),
        ({"HF_HOME": "b", "XDG_CACHE_HOME": "c"}, "b/hub"),
        ({"XDG_CACHE_HOME": "c"}, "c/huggingface/hub"),
        ({"HOME": "d"}, "d/.cache/huggingface/hub"),
    ],
)
def test_hub_clients_find_it_by_their_own_settings(
    site: Depot, tmp_path: Path, told: dict[str, str], place: str
) -> None:
    """Nobody should have to say twice where a cache is."""
    environment = {key: str(tmp_path / value) for key, value in told.items()}
    done = elsewhere(site, environment, "org/tiny", "--to", "hf-cache")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / place / SNAPSHOT / "config.json").read_bytes() == b"{}\n"


def test_ollama_finds_it_by_its_own_settings(site: Depot, tmp_path: Path) -> None:
    """What cannot be installed there says so with the folder's kind."""
    told = {"OLLAMA_MODELS": str(tmp_path / "models")}
    done = elsewhere(site, told, "org/tiny", "--to", "ollama")
    assert (done.returncode, done.stderr.splitlines()[0]) == (
        2,
        "airlift: error: org/tiny has no GGUF file that Ollama can run alone",
    )


def elsewhere(
    site: Depot, environment: dict[str, str], *arguments: str
) -> subprocess.CompletedProcess[str]:
    """Install with *environment* and nothing else of this machine's."""
    command = commands.line("install", *arguments, "--home", site.site.home)
    told = {"HOME": str(site.folder), "PATH": os.defpath, **environment}
    return subprocess.run(
        command, env=told, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (
            ["--to", "olama"],
            f"there is no runtime `olama`; {KNOWN}",
        ),
        (["--to", "wheelhouse"], "`--to wheelhouse` has no usual folder"),
        (
            ["--to", "./x", "--into", "y"],
            f"there is no runtime `./x`; {KNOWN}",
        ),
    ],
)
def test_a_slip_of_the_pen_makes_no_folder(
    run: Shell, arguments: list[str], problem: str
) -> None:
    """A model in a folder that no runtime looks into would only look installed."""
    done = run("install", "org/tiny", *arguments)
    assert (done.code, done.err.splitlines()[0]) == (2, f"airlift: error: {problem}")


def test_all_releases_are_looked_at_before_the_first_is_installed(
    run: Shell, tmp_path: Path
) -> None:
    """An error in the second name after an hour of the first helps nobody."""
    hub = tmp_path / "hub"
    done = run("install", "org/tiny", "no/such", "--to", "hf-cache", "--into", hub)
    assert (done.code, hub.exists()) == (2, False)


def test_ctrl_c_leaves_nothing_half_visible(site: Depot, tmp_path: Path) -> None:
    """A real signal to a real process, while it copies."""
    size = 200 << 20
    big = tmp_path / "big"
    with big.open("wb") as file:
        file.truncate(size)
    zeros = sha256(bytes(size))
    store = site.site.home / "store"
    place = store / "blobs/sha256" / zeros[:2] / zeros
    big.chmod(0o444)
    big.rename(place)
    site.site.store = type(site.site.store)(store)
    registry = site.site.reopen()
    bring_sparse(site, zeros, size)
    registry.close()
    hub = tmp_path / "hub"
    command = commands.line(
        *("install", "org/sparse", "--to", "hf-cache", "--into", hub, "--copy"),
        *("--home", site.site.home),
    )
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    ends = time.monotonic() + 30
    while not list(hub.rglob(".airlift-new-*/*")):
        assert time.monotonic() < ends
        assert process.poll() is None, process.communicate()
        time.sleep(0.002)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert (process.returncode, said.strip()) == (130, b"airlift: error: interrupted")
    assert tree(hub) == {}


def bring_sparse(site: Depot, digest: Sha256, size: int) -> None:
    """Deliver a model whose one file lies in the store already."""
    file = ReleaseFile(path="model.bin", size=size, sha256=digest)
    made = Release(
        kind=Kind.MODEL, name="org/sparse", revision=COMMIT, counter=1, files=(file,)
    )
    site.site.bring(documents.encode(made))


# --- verify-client ------------------------------------------------------------------


@pytest.fixture
def hub(run: Shell, tmp_path: Path) -> Path:
    """A hub's cache with the model."""
    place = tmp_path / "hub"
    run.good("install", "org/tiny", "--to", "hf-cache", "--into", place)
    return place


def test_a_sound_cache_is_said_to_be(run: Shell, hub: Path) -> None:
    """One line, with how much was really looked at."""
    done = run.good("verify-client", "--cache", hub)
    assert done.lines == [f"cache {hub}: 2 intact; {SIZE}"]


def test_damage_is_an_exit_code(run: Shell, hub: Path) -> None:
    """A nightly job must notice without reading."""
    spoil(hub / SNAPSHOT / "model.safetensors")
    done = run("verify-client", "--cache", hub, "org/tiny")
    bad = sha256(b"x" + BIG[1:])
    assert done.code == 6
    verdict = f"its {len(BIG)} bytes hash to {bad}, expected {sha256(BIG)}"
    assert done.lines == [
        f"damaged {SNAPSHOT}/model.safetensors: {verdict}  ({LABEL})",
        f"cache {hub}: 1 intact, 1 damaged; {SIZE}",
    ]
    assert done.err.splitlines() == [
        "airlift: error: 1 file(s) are damaged or missing",
        "airlift: hint: `airlift install REFERENCE --to RUNTIME --replace` mends them",
    ]


def test_programs_get_every_finding(run: Shell, hub: Path) -> None:
    """With the counts of each kind, also where there is none."""
    (hub / SNAPSHOT / "x.py").write_text("print(1)")
    done = run.good("verify-client", "--cache", hub, "--json")
    assert done.json == {
        "places": [
            {
                "what": "cache",
                "folder": str(hub),
                "counts": {
                    "intact": 2,
                    "damaged": 0,
                    "missing": 0,
                    "extra": 1,
                    "unknown": 0,
                    "stale": 0,
                    "denied": 0,
                    "unreadable": 0,
                },
                "bytes": len(BIG) + 3,
                "findings": [
                    {
                        "what": "extra",
                        "path": f"{SNAPSHOT}/x.py",
                        "problem": "it is in none of the records",
                        "release": "",
                    }
                ],
            }
        ]
    }
    assert run("verify-client", "--cache", hub, "--json", "--strict").code == 5


def test_a_denied_release_is_an_exit_code_of_its_own(run: Shell, hub: Path) -> None:
    """It is whole, and nobody may use it."""
    with_denial(run)
    done = run("verify-client", "--cache", hub)
    assert (done.code, done.err.splitlines()[0]) == (
        5,
        "airlift: error: 1 denied release(s) are here",
    )


def with_denial(run: Shell) -> None:
    """Deny the model on the site."""
    registry = Registry.open(run.home)
    held = registry.find("org/tiny")
    registry.deny([held.id], why="bad", now="2026-11-23T12:00:00Z", actor="a")
    registry.close()


def test_a_host_without_a_registry_checks_against_a_list(
    run: Shell, hub: Path, tmp_path: Path
) -> None:
    """GPU hosts have a runtime and a cache, and nothing else of airlift's."""
    listed = tmp_path / "tiny.json"
    listed.write_text(run.good("show", "org/tiny", "--json").out)
    bare = tmp_path / "nothing"
    command = ("verify-client", "--cache", hub, "--against", listed, "--home", bare)
    assert commands.process(*command).out.splitlines() == [
        f"cache {hub}: 2 intact; {SIZE}"
    ]
    spoil(hub / SNAPSHOT / "model.safetensors")
    assert commands.process(*command).code == 6
    assert not bare.exists()


def test_a_changed_list_is_refused(run: Shell, hub: Path, tmp_path: Path) -> None:
    """Who changed the model could change the digest in a list that lies beside it."""
    listed = tmp_path / "tiny.json"
    told = run.good("show", "org/tiny", "--json").json
    told["file_list"][1]["sha256"] = sha256(b"x" + BIG[1:])
    listed.write_text(json.dumps(told))
    done = run("verify-client", "--cache", hub, "--against", listed)
    assert done.code == 4
    assert f"{listed} says it is of release {told['id']}, it is of " in done.err


def test_without_a_folder_the_usual_ones_are_checked(
    site: Depot, hub: Path, tmp_path: Path
) -> None:
    """An empty machine is an error, not a good result."""
    command = commands.line("verify-client", "--home", site.site.home)
    told = {"HOME": str(tmp_path / "nobody"), "PATH": os.defpath}

    def outcome(**more: str) -> tuple[int, str]:
        done = subprocess.run(
            command,
            env={**told, **more},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return done.returncode, (done.stdout or done.stderr).splitlines()[0]

    assert outcome(HF_HUB_CACHE=str(hub)) == (0, f"cache {hub}: 2 intact; {SIZE}")
    looked = "{0}/.cache/huggingface/hub and {0}/.ollama/models".format(
        tmp_path / "nobody"
    )
    problem = f"airlift: error: no runtime keeps anything in {looked}"
    assert outcome() == (2, problem)
