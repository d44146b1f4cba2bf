"""The tests of what runs on the isolated side, run where there is no network."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from namespace.sealed import SEALED, marks

pytestmark = [*marks, pytest.mark.timeout(600)]

ROOT = Path(__file__).parent.parent.parent
SUITES = (
    "tests/journey/test_crossing.py",
    "tests/unit/registry/test_registry.py",
    "tests/unit/store/test_blobs.py",
    "tests/unit/trust/test_client.py",
    "tests/unit/trust/test_site.py",
    "tests/unit/trust/test_verifier.py",
)


def test_there_is_no_network_where_these_run() -> None:
    """Neither the world nor this very host can be reached from there."""
    program = (
        "import socket; s = socket.socket(); print(s.connect_ex(('127.0.0.1', 9)))"
    )
    done = subprocess.run(
        [*SEALED, sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
    )
    assert os.strerror(int(done.stdout)) == "Network is unreachable"


def test_inbound_registry_store_and_trust_work_without_a_network() -> None:
    """All of them pass, and none is skipped for want of one."""
    words = ["-q", "-p", "no:cacheprovider", "-p", "no:randomly", *SUITES]
    done = subprocess.run(
        [*SEALED, sys.executable, "-m", "pytest", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:]
    (count,) = re.findall(
        r"^(\d+) passed(?:, \d+ skipped)? in ", done.stdout, re.MULTILINE
    )
    assert int(count) > 60
