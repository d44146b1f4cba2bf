"""The isolated side asks the kernel for no network: seen from below, call by call."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from crossing import noise
from integration.sides import Side
from namespace.sealed import SEALED, calls_out, internet, marks, traced

pytestmark = [
    pytest.mark.timeout(900),  # strace, and a host that may be busy
    *marks,
    pytest.mark.skipif(not shutil.which("strace"), reason="needs strace"),
]

TESTS = Path(__file__).parent.parent
FILES = {"config.json": b'{"hidden_size": 4}', "noise.bin": noise(3_000_000)}


@pytest.fixture(scope="module", name="connected")
def _connected(tmp_path_factory: pytest.TempPathFactory) -> Side:
    """A connected side with a delivery in ``medium`` beside it."""
    folder = tmp_path_factory.mktemp("connected")
    side = Side.connected(folder)
    (side.home / "model").mkdir()
    for path, data in FILES.items():
        (side.home / "model" / path).write_bytes(data)
    text = 'manifest = 1\n\n[[folder]]\nname = "acme/m"\npath = "model"\n'
    (side.home / "m.toml").write_text(text)
    side.ok("export", str(side.home / "m.toml"), "--to", str(folder / "medium"))
    return side


def trace_of(path: Path) -> str:
    """Return a finished trace; the tracer outlives what it traces by a moment."""
    ends = time.monotonic() + 20
    while time.monotonic() < ends:
        if path.exists() and "+++" in path.read_text().rpartition("\n")[0][-80:]:
            return path.read_text()
        time.sleep(0.02)
    pytest.fail(f"no end of the trace in {path}")


def test_a_call_out_would_be_seen(tmp_path: Path) -> None:
    """Otherwise all that follows would prove nothing."""
    program = (
        "import socket\n"
        "for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):\n"
        "  with socket.socket(socket.AF_INET, kind) as s:\n"
        "    try: s.connect(('192.0.2.1', 53))\n"
        "    except OSError as error: print(error.strerror)\n"
    )
    trace = tmp_path / "trace"
    done = subprocess.run(
        [*SEALED, *traced(str(trace)), sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "Network is unreachable\n" * 2
    assert len(calls_out(trace_of(trace))) == 2


def test_no_command_of_the_isolated_side_uses_the_network(
    connected: Side, tmp_path: Path
) -> None:
    """Not to look up a name, not to say hello, not even to its own host."""
    home, medium = tmp_path / "isolated", str(connected.home.parent / "medium")
    root = str(connected.home / "root.json")
    journey = (
        ("trust", "init", "--root", root, "--site", "plant7", "--yes"),
        ("inspect", medium),
        ("import", medium, "--dry-run"),
        ("import", medium, "--yes"),
        ("list",),
        ("show", "acme/m"),
        ("verify",),
        ("pin", "acme/m", "--why", "audit"),
        ("gc", "--yes"),
        ("rebuild",),
        ("doctor",),
        ("remove", "acme/m"),
        ("activate", "acme/m"),
        ("rollback",),
        ("verify",),
    )
    for number, words in enumerate(journey):
        trace = tmp_path / f"trace{number}"
        side = Side(home, before=(*SEALED, *traced(str(trace))))
        done = side.run(*words)
        assert done.returncode == 0, f"{words}: {done.stderr}{done.stdout}"
        assert internet(trace_of(trace)) == [], words


def test_serving_answers_and_never_asks(connected: Side, tmp_path: Path) -> None:
    """The one command with a socket listens; it connects to nothing."""
    isolated = connected.isolated(tmp_path)
    isolated.ok("import", str(connected.home.parent / "medium"), "--yes")
    trace = tmp_path / "trace"
    driver = str(Path(__file__).with_name("serve_once.py"))
    paths = ("/acme/m/resolve/main/config.json", "/api/models/acme/m")
    done = subprocess.run(
        [*SEALED, sys.executable, driver, str(isolated.home), str(trace), *paths],
        env={**os.environ, "PYTHONPATH": str(TESTS)},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    config, told = done.stdout.splitlines()
    assert config == FILES["config.json"]
    assert b'"acme/m"' in told
    seen = trace_of(trace)
    assert calls_out(seen) == []
    listening = [line for line in internet(seen) if " bind(" in line]
    assert len(listening) == 1
    assert 'inet_addr("127.0.0.1")' in listening[0]
    assert " accept4(" in seen or " accept(" in seen
