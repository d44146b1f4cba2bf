"""The isolated side has no way out: shown by running it, not by reading it."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from airlift.cli import config
from crossing import Crossing

ISOLATED = (
    *("import", "serve", "list", "show", "inspect", "verify", "activate", "rollback"),
    *("remove", "pin", "gc", "rebuild", "doctor", "watch", "audit", "observe"),
)
ALSO = (
    "request",
    "install",
    "repair",
    "verify-client",
    "token",
    "tls",
    "client-env",
    "systemd",
    "catalogue import",
    "catalogue show",
    "catalogue diff",
    "receipt export",
    "state",
    "policy show",
    "approve",
    "scan attach",
    "audit run",
    "audit freshness",
    "audit inventory",
    "audit bundles",
    "audit outdated",
    "audit withdrawn",
    "audit licences",
    "audit keys",
    "audit waivers",
    "audit waive",
    "audit changes",
    "audit verify",
    "audit trace",
    "audit hosts",
    "audit models",
    "audit diff",
    "audit log",
    "audit export",
    "audit check",
    "audit controls",
)
"""More of them, which the watched crossing does not run."""
OUT = (
    *("airlift.sources", "airlift.fetch", "airlift.outbound"),
    *("httpx", "httpx2", "requests", "huggingface_hub", "pypi_simple"),
)
HEAVY = (
    *("sqlalchemy", "alembic", "aiohttp", "numpy", "tuf", "cryptography", "zstandard"),
    *("airlift.registry", "airlift.store", "airlift.trust", "airlift.serve"),
)

LOADED = """
import contextlib, io, sys
from airlift.cli.main import run
with contextlib.redirect_stdout(io.StringIO()) as said:
    code = run({argv!r})
assert code == 0 and said.getvalue(), (code, said.getvalue())
names = {names!r}
bad = [one for one in sys.modules if one in names or one.startswith(tuple(n + "." for n in names))]
print(" ".join(sorted(bad)))
"""

WATCHED = """
import sys
reached = []
def hook(event, args):
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg",
                 "socket.getaddrinfo", "socket.gethostbyname", "subprocess.Popen",
                 "os.exec", "os.posix_spawn", "os.system", "os.fork", "os.forkpty"):
        reached.append((event, args))
sys.addaudithook(hook)
from airlift.cli.main import run
for argv in {lines!r}:
    code = run(argv)
    assert (code, reached) == (0, []), (argv, code, reached)
bad = [one for one in sys.modules if one in {names!r}]
assert not bad, bad
"""


def fresh(program: str) -> subprocess.CompletedProcess[str]:
    """Run *program* in a fresh interpreter."""
    return subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def loaded(argv: list[str], names: tuple[str, ...]) -> str:
    """Return which of *names* a command loads."""
    done = fresh(LOADED.format(argv=argv, names=names))
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.strip()


@pytest.mark.parametrize("command", [*ISOLATED, *ALSO])
def test_a_command_of_the_isolated_side_loads_no_way_out(command: str) -> None:
    """Neither our network code nor an HTTP client is even imported."""
    assert loaded([*command.split(), "--help"], OUT) == ""


def test_help_loads_nothing_heavy() -> None:
    """``airlift --help`` answers at once, also where a library is broken."""
    assert loaded(["--help"], OUT + HEAVY) == ""


def test_the_probe_sees_what_is_loaded() -> None:
    """A probe that finds nothing anywhere proves nothing."""
    assert "airlift.outbound" in loaded(["export", "--help"], OUT).split()


@pytest.fixture(name="folder", scope="module")
def _folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A delivery on a medium, and an isolated side that waits for it."""
    now = config.now()
    crossing = Crossing(tmp_path_factory.mktemp("gap"), now=now)
    for number, text in enumerate((b"1", b"2"), 1):
        pinned = crossing.connected.folder("acme/m", {"config.json": text})
        crossing.connected.export(crossing.folder / str(number), pinned, now=now)
    crossing.isolated.land(crossing.folder / "1", now=now)
    crossing.isolated.registry.close()
    return crossing.folder


LINES = (
    "inspect MEDIUM",
    "import MEDIUM --yes --quarantine",
    "watch MEDIUM --once --settle 0",
    "list",
    "show acme/m@main",
    "verify",
    "verify --quarantine",
    "activate acme/m@main",
    "remove acme/m@main",
    "rollback",
    "pin acme/m@main --why x",
    "gc --yes",
    "rebuild",
    "doctor",
    "audit run --only Q1 --only Q11 --only Q7 --only Q10 --only Q13",
    "audit verify",
    "audit trace acme/m@main",
    "observe --host gpu-1 --hub MEDIUM --to MEDIUM.json",
    "audit hosts --read MEDIUM.json",
    "audit models",
)


def test_no_command_of_the_isolated_side_opens_a_connection(
    folder: Path, tmp_path: Path
) -> None:
    """Every command, on real input, watched: no connection, no name, no process."""
    home = shutil.copytree(folder / "isolated", tmp_path / "isolated")
    lines = [
        [*line.replace("MEDIUM", str(folder / "2")).split(), "--home", str(home)]
        for line in LINES
    ]
    assert {line[0] for line in lines} == set(ISOLATED) - {"serve"}  # has its own tests
    done = fresh(WATCHED.format(lines=lines, names=OUT))
    assert done.returncode == 0, done.stderr


def test_the_watch_sees_a_connection() -> None:
    """A watch that sees nothing proves nothing."""
    program = WATCHED.replace(
        "code = run(argv)",
        "import socket\n    socket.socket(socket.AF_INET, socket.SOCK_DGRAM)"
        ".connect(('127.0.0.1', 9))\n    code = 0",
    )
    done = fresh(program.format(lines=[[]], names=OUT))
    assert done.returncode == 1
    assert "socket.connect" in done.stderr
