"""Signatures through Sigstore are checked without a network: seen call by call.

The library that checks them has a client in it for each service of Sigstore's. None is
asked, on either side: the trust root is given, and the rest is in the signature.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from integration import signed
from integration.sides import Side
from integration.signed import WHO
from namespace.sealed import SEALED, calls_out, internet, marks, traced
from namespace.test_no_network_calls import TESTS, trace_of

pytestmark = [
    pytest.mark.timeout(900),  # strace, and a host that may be busy
    *marks,
    pytest.mark.skipif(not shutil.which("strace"), reason="needs strace"),
]


def test_neither_side_asks_sigstore_anything(tmp_path: Path) -> None:
    """From the export on, which checks the signature, to the page that shows whose it is."""
    trace = tmp_path / "export"
    world = signed.world(tmp_path, (*SEALED, *traced(str(trace))))
    assert calls_out(trace_of(trace)) == []
    isolated = world.isolated(tmp_path)
    journey = (("import", world.medium, "--yes"), ("show", "acme/tiny"), ("list",))
    for number, words in enumerate(journey):
        trace = tmp_path / f"trace{number}"
        sealed = Side(isolated.home, before=(*SEALED, *traced(str(trace))))
        said = sealed.ok(*words)
        assert internet(trace_of(trace)) == [], words
        assert (WHO in said) is (words[0] == "show")
    release = isolated.json("show", "acme/tiny")["id"]
    trace = tmp_path / "serve"
    driver = str(Path(__file__).with_name("serve_once.py"))
    done = subprocess.run(
        [
            *(*SEALED, sys.executable, driver, str(isolated.home), str(trace)),
            *(f"/-/releases/{release}", "/api/models/acme/tiny"),
        ],
        env={**os.environ, "PYTHONPATH": str(TESTS)},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    page, _, told = done.stdout.decode().rpartition("\n{")
    assert f"by <bdi>{WHO}</bdi>" in page
    assert json.loads("{" + told)["id"] == "acme/tiny"
    assert calls_out(trace_of(trace)) == []
