"""The worked example of the operations page, run as it stands."""

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).parent.parent.parent / "docs" / "operations.md"


def example() -> str:
    """Return the shell session of the page."""
    (found,) = re.findall(
        r"^```sh worked-example\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL
    )
    return str(found)


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_the_worked_example_works(tmp_path: Path) -> None:
    """What a newcomer pastes first must work to the last line."""
    session = example().replace("8484", str(free_port()))
    folder = str(Path(sys.executable).parent)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", session],
        cwd=tmp_path,
        env={**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert "delivery 1 imported; live set 1" in lines
    assert "delivery 1 to plant7: 2 volume(s), 8 MB carried in 8 MB" in lines
    assert "2 blob(s), 8 MB: 0 problem(s)" in lines
    assert "live set 3 takes the place of 2" in lines
    assert (tmp_path / "pulled.json").read_text() == '{"hidden_size": 4}\n'
