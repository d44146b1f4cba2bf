"""``airlift observe``: a host is looked at, and nothing of it is given away."""

import getpass
import json
import socket
from pathlib import Path

import pytest

from airlift.cli import config
from airlift.format import observation
from audited import World, model
from commands import Shell
from observed import environment, put
from wheelhouse import wheel

COMMIT = "a" * 40


@pytest.fixture(name="world")
def _world(tmp_path: Path) -> World:
    world = World(tmp_path / "site")
    world.bring(model(), now=config.now())
    put(world, "org/model", "hf-cache", tmp_path / "private" / "hub")
    environment(tmp_path / "private" / "env", wheel("good", "1.0")[:2])
    return world


@pytest.fixture(name="host")
def _host(world: World, capsys: pytest.CaptureFixture[str]) -> Shell:
    """Commands on the runtime's host, which has no registry."""
    return Shell(world.home.with_name("none"), capsys)


def observe(host: Shell, tmp_path: Path, *more: str) -> Path:
    """Look at the folders of this test; return what was written."""
    target = tmp_path / "gpu-1.json"
    host.good(
        *("observe", "--host", "gpu-1", "--to", target),
        *("--hub", tmp_path / "private/hub"),
        *("--python", f"vllm={tmp_path / 'private/env'}"),
        *("--runtime", "Ollama=0.13.1", *more),
    )
    return target


def test_a_host_is_written_down_without_its_secrets(
    host: Shell, tmp_path: Path
) -> None:
    """The file leaves the host on a stick: names and digests, no path, user, address."""
    data = observe(host, tmp_path).read_bytes()
    seen = observation.decode(data, name="it")
    assert (seen.host, seen.looked) == ("gpu-1", ("hub", "vllm"))
    assert [(one.name, one.revision) for one in seen.models] == [("org/model", COMMIT)]
    (found,) = seen.environments
    assert [(one.name, one.version) for one in found.packages] == [("good", "1.0")]
    assert [(one.name, one.version) for one in seen.runtimes] == [("ollama", "0.13.1")]
    text = data.decode()
    for secret in (str(tmp_path), "private", socket.gethostname()):
        assert secret not in text
    assert f'"{getpass.getuser()}"' not in text


def test_what_was_seen_is_taken_in_and_compared(
    host: Shell, tmp_path: Path, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """One file, carried, answers what runs where."""
    target = observe(host, tmp_path)
    site = Shell(world.home, capsys)
    told = site.good("observe", "--read", target, "--json").json
    assert told["host"] == "gpu-1"
    # Once more changes nothing.
    done = site("audit", "hosts", "--read", target, "--json")
    assert done.code == 0
    rows = done.json["questions"][0]["rows"]
    assert [(row["name"], row["state"]) for row in rows] == [
        ("org/model", "approved"),
        ("good", "foreign"),
    ]
    assert [one["severity"] for one in done.json["findings"]] == ["medium"]


def test_what_cannot_be_read_ends_with_code_8(host: Shell, tmp_path: Path) -> None:
    """Half a host must not pass for a whole one."""
    (tmp_path / "private/env/bare-1.0.dist-info").mkdir()
    done = host(
        *("observe", "--host", "gpu-1", "--to", tmp_path / "it.json"),
        *("--python", tmp_path / "private/env"),
    )
    assert done.code == 8
    assert "warning: python: bare 1.0 has no RECORD that can be read" in done.err
    told = json.loads((tmp_path / "it.json").read_bytes())
    assert told["unread"] == ["python: bare 1.0 has no RECORD that can be read"]


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("--to", "x"), "--host and --to are needed, or --read"),
        (
            ("--host", "GPU 1", "--to", "x", "--python", "{env}"),
            "`GPU 1` is no name of a host",
        ),
        (
            ("--host", "a", "--to", "x", "--python", "hub={env}"),
            "`hub` is no label of its own",
        ),
        (
            ("--host", "a", "--to", "x", "--python", "{env}", "--runtime", "ollama"),
            "`ollama` is no runtime with its version",
        ),
        (
            ("--host", "a", "--to", "x", "--python", "e={hub}"),
            "holds no Python packages",
        ),
    ],
)
def test_what_would_be_misread_is_refused(
    host: Shell, tmp_path: Path, arguments: tuple[str, ...], problem: str
) -> None:
    """A wrong label would be compared with another host's past."""
    places = {"env": tmp_path / "private/env", "hub": tmp_path / "private/hub"}
    done = host("observe", *(one.format(**places) for one in arguments))
    assert done.code == 2
    assert problem in done.err
