"""The units ``airlift systemd`` makes, judged by systemd itself."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from commands import Shell

needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd is not installed"
)
NAMES = (
    "airlift-serve.socket",
    "airlift-serve.service",
    "airlift-audit.service",
    "airlift-audit.timer",
    "airlift-verify.service",
    "airlift-verify.timer",
)
ODD = 'a b%c"d$e'
"""A path in which everything means something to systemd."""


def analyzed(*arguments: str | Path) -> str:
    """Return what systemd says of units, which must please it."""
    done = subprocess.run(
        ["systemd-analyze", *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    """Run commands for a home that need not exist."""
    return Shell(tmp_path / ODD, capsys)


@needs_systemd
@pytest.mark.parametrize(
    "listen", ["127.0.0.1:8484", "[::]:8484", "8484", "/run/airlift.sock"]
)
def test_systemd_takes_every_unit_without_a_word(
    shell: Shell, tmp_path: Path, listen: str
) -> None:
    """An unknown or misspelt setting is ignored with a warning: no sandbox at all."""
    folder = tmp_path / "units"
    shell.good("systemd", "--user", "daemon", "--listen", listen, "--write", folder)
    assert sorted(path.name for path in folder.iterdir()) == sorted(NAMES)
    paths = [folder / name for name in NAMES]
    assert analyzed("verify", "--man=no", *paths) == ""


@needs_systemd
@pytest.mark.parametrize("unit", ["airlift-serve", "airlift-verify", "airlift-audit"])
def test_the_sandbox_is_as_tight_as_systemd_can_judge(
    shell: Shell, tmp_path: Path, unit: str
) -> None:
    """Of ten points of exposure less than one is left."""
    shell.good("systemd", "--user", "daemon", "--write", tmp_path / "units")
    path = tmp_path / "units" / f"{unit}.service"
    said = analyzed("security", "--offline=true", "--threshold=8", path)
    (level,) = re.findall(r"exposure level for \S+: ([0-9.]+) SAFE", said)
    assert float(level) < 1


def test_no_service_has_a_network_of_its_own(shell: Shell) -> None:
    """The server answers on the socket it is given; none can call anybody."""
    said = shell.good("systemd", "--user", "daemon").out
    assert said.count("\nPrivateNetwork=yes\n") == 3
    assert said.count("\nRestrictAddressFamilies=AF_UNIX\n") == 3


def test_a_path_means_itself_wherever_it_stands(shell: Shell) -> None:
    """A dollar sign is a variable in a command line and nowhere else."""
    said = shell.good("systemd", "--user", "daemon").out
    home = str(shell.home).replace("%", "%%").replace('"', '\\"')
    command = home.replace("$", "$$")
    assert f'\nReadOnlyPaths="{home}"\n' in said
    assert f'\nReadWritePaths="{home}"\n' in said
    assert f' serve --home "{command}"\n' in said
    assert f' verify --home "{command}"\n' in said
    assert "\nExecReload=/bin/kill -HUP $MAINPID\n" in said


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--listen", "models:8484"], "`models:8484` is not where one can listen"),
        (["--listen", "8484\nUser=root"], "is not where one can listen"),
        (["--user", "a b"], "`a b` is not the name of a user"),
    ],
)
def test_what_would_make_another_unit_is_refused(
    shell: Shell, arguments: list[str], problem: str
) -> None:
    """A line break would be a setting of its own."""
    done = shell("systemd", "--user", "daemon", *arguments)
    assert done.code == 2
    assert problem in done.err


def test_a_home_below_home_is_still_seen(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Hiding all homes would hide the store."""
    said = Shell(Path("/home/air/lift"), capsys).good("systemd", "--user", "daemon").out
    assert said.count("\nProtectHome=read-only\n") == 3
    hidden = Shell(tmp_path, capsys).good("systemd", "--user", "daemon").out
    assert hidden.count("\nProtectHome=yes\n") == 3


@needs_systemd
def test_a_watched_folder_gets_a_unit_of_its_own(shell: Shell, tmp_path: Path) -> None:
    """It may write two folders, wherever they are, and reach nobody."""
    watched, folder = tmp_path / ODD / "drop", tmp_path / "units"
    shell.good("systemd", "--watch", watched, "--user", "daemon", "--write", folder)
    path = folder / "airlift-watch.service"
    assert analyzed("verify", "--man=no", path) == ""
    text = path.read_text()
    assert "\nPrivateNetwork=yes\n" in text
    told = str(watched).replace("%", "%%").replace('"', '\\"')
    command = told.replace("$", "$$")
    assert f'airlift watch "{command}" --home ' in text
    assert f'"{told}"\n' in text.partition("ReadWritePaths=")[2]
    said = analyzed("security", "--offline=true", "--threshold=8", path)
    (level,) = re.findall(r"exposure level for \S+: ([0-9.]+) SAFE", said)
    assert float(level) < 1
