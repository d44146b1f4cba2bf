"""Station signatures, checked by the tools of the stations themselves."""

import shutil
import subprocess
from pathlib import Path

import pytest

from airlift.trust import keys, station

DATA = b"0123  AIRLIFT-plant7-000001.0001-of-0001.tar\n"


@pytest.fixture(name="signed")
def _signed(tmp_path: Path) -> Path:
    key = keys.generate("alice")
    (tmp_path / "SUMS").write_bytes(DATA)
    (tmp_path / "SUMS.sig").write_text(station.sshsig(key, DATA))
    (tmp_path / "SUMS.minisig").write_text(
        station.minisig(key, DATA, comment="delivery 1")
    )
    (tmp_path / "allowed_signers").write_text(station.allowed_signer(key.public))
    (tmp_path / "airlift.pub").write_text(station.minisign_key(key.public))
    return tmp_path


def run(
    folder: Path, *command: str, stdin: bytes = b""
) -> subprocess.CompletedProcess[bytes]:
    """Run a station's tool in *folder*."""
    return subprocess.run(
        command, cwd=folder, input=stdin, capture_output=True, check=False
    )


def ssh_keygen(folder: Path, data: bytes) -> subprocess.CompletedProcess[bytes]:
    """Verify *data* the way README.txt tells a station to."""
    front = ("ssh-keygen", "-Y", "verify", "-f", "allowed_signers", "-I", "airlift")
    return run(folder, *front, "-n", "file", "-s", "SUMS.sig", stdin=data)


@pytest.mark.skipif(not shutil.which("ssh-keygen"), reason="needs OpenSSH")
def test_openssh_accepts_the_signature_and_nothing_else(signed: Path) -> None:
    """A station with only OpenSSH can tell from whom a delivery is."""
    good = ssh_keygen(signed, DATA)
    assert good.returncode == 0, good.stderr
    assert good.stdout.startswith(b'Good "file" signature for airlift')
    assert ssh_keygen(signed, DATA + b"x").returncode != 0


@pytest.mark.skipif(not shutil.which("minisign"), reason="needs minisign")
def test_minisign_accepts_the_signature_and_nothing_else(signed: Path) -> None:
    """A station with only minisign can tell from whom a delivery is."""
    verify = ("minisign", "-V", "-p", "airlift.pub", "-m", "SUMS")
    good = run(signed, *verify)
    assert good.returncode == 0, good.stderr
    assert b"Trusted comment: delivery 1" in good.stdout
    (signed / "SUMS").write_bytes(DATA + b"x")
    assert run(signed, *verify).returncode != 0
