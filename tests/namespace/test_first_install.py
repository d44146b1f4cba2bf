"""First install: an empty host, a folder that was carried, no network.

The kit is made from the index this environment is configured for. Then every command
of its page of instructions is executed, as printed, where there is no network.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from integration.sides import SITE, Side
from namespace.sealed import SEALED, marks

pytestmark = [*marks, pytest.mark.index, pytest.mark.timeout(900)]

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
FILES = {"config.json": b'{"hidden_size": 4}', "model.safetensors": bytes(300_000)}


@dataclass(frozen=True, kw_only=True)
class Carried:
    """What crosses the gap: a kit, a delivery, and what was told by telephone."""

    kit: Path
    medium: Path
    told: dict[str, Any]


@pytest.fixture(scope="module", name="carried")
def _carried(tmp_path_factory: pytest.TempPathFactory) -> Carried:
    folder = tmp_path_factory.mktemp("connected")
    side = Side.connected(folder)
    words = ("--python", PYTHON, "--platform", "x86_64-manylinux_2_28")
    told = side.json("bootstrap", str(folder / "kit"), *words)
    for path, data in FILES.items():
        (side.home / "model").mkdir(exist_ok=True)
        (side.home / "model" / path).write_bytes(data)
    manifest = side.home / "m.toml"
    manifest.write_text('manifest = 1\n\n[[folder]]\nname = "acme/m"\npath = "model"\n')
    side.ok("export", str(manifest), "--to", str(folder / "medium"))
    # The host that made it is out of reach; what was carried is all there is.
    kit = shutil.copytree(folder / "kit", folder / "carried" / "kit")
    return Carried(kit=Path(kit), medium=folder / "medium", told=told)


class Empty:
    """A host with Python, the usual tools and nothing else."""

    def __init__(self, folder: Path) -> None:
        (folder / "bin").mkdir()
        self.folder = folder
        python = folder / "bin" / f"python{PYTHON}"
        base = Path(sys.base_prefix) / "bin" / f"python{PYTHON}"
        python.write_text(f'#!/bin/sh\nexec {base} "$@"\n')
        python.chmod(0o755)
        self.environment = {
            "HOME": str(folder),
            "LANG": "C.UTF-8",
            "PATH": f"{folder / 'bin'}:/usr/bin:/bin",
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        }

    def run(self, command: str, place: Path) -> "subprocess.CompletedProcess[str]":
        """Run a shell command in *place*, without a network."""
        return subprocess.run(
            [*SEALED, "sh", "-c", command],
            cwd=place,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    def ok(self, command: str, place: Path) -> str:
        """Run a shell command that succeeds; return what it printed."""
        done = self.run(command, place)
        assert done.returncode == 0, f"$ {command}\n{done.stdout}{done.stderr}"
        return done.stdout


def instructions(kit: Path) -> list[str]:
    """Return the commands of the kit's page, in order."""
    page = (kit / "INSTALL.txt").read_text().replace("\\\n", " ")
    found = re.findall(r"^ {7}(\S.*)$", page, re.MULTILINE)
    return [" ".join(line.split()) for line in found]


def shortened(lines: Sequence[str]) -> list[str]:
    """Return the commands without their options, as a table of contents."""
    return [" ".join(line.split()[:3]) for line in lines]


def test_the_page_of_instructions_is_complete(carried: Carried) -> None:
    """What is executed below is the whole page and nothing but the page."""
    assert shortened(instructions(carried.kit)) == [
        "sha256sum -c SHA256SUMS",
        "sha256sum SHA256SUMS",
        f"python{PYTHON} -m venv",
        "/opt/airlift/bin/python -m pip",
        "/opt/airlift/bin/airlift --version",
        "/opt/airlift/bin/airlift trust init",
        "/opt/airlift/bin/airlift import /media/stick",
        "/opt/airlift/bin/airlift serve",
    ]


def test_an_empty_host_gets_from_the_kit_to_a_verified_model(
    carried: Carried, tmp_path: Path
) -> None:
    """If one package is missing from the kit, nobody there can fetch it."""
    host, said = Empty(tmp_path), {}
    answers = {
        "trust init": f' --fingerprint "{carried.told["words"]}"',
        "import": " --yes",
    }
    for command in instructions(carried.kit)[:-1]:
        typed = command.replace("/opt/airlift", str(tmp_path / "airlift"))
        typed = typed.replace("/media/stick", str(carried.medium))
        for name, answer in answers.items():
            typed += answer if f"/airlift {name} " in typed else ""
        said[command] = host.ok(typed, carried.kit)
    assert f"{carried.told['sums_sha256']}  SHA256SUMS\n" in said.values()
    checks = said["sha256sum -c SHA256SUMS"].splitlines()
    assert len(checks) == len(carried.told["wheels"]) + 4
    assert all(line.endswith(": OK") for line in checks)
    airlift = str(tmp_path / "airlift/bin/airlift")
    (row,) = host.ok(f"{airlift} list", tmp_path).splitlines()[1:]
    assert re.fullmatch(r"live +folder +acme/m +\w{12} +2 +300 kB +\S+", row)
    assert "airlift " in said["/opt/airlift/bin/airlift --version"].replace(",", " ")
    host.ok(f"{airlift} verify", tmp_path)
    host.ok(f"{airlift} doctor", tmp_path)
    done = host.run(f"{airlift} plan x.toml", tmp_path)
    assert done.returncode != 0


def test_a_changed_wheel_is_not_installed(carried: Carried, tmp_path: Path) -> None:
    """Pip itself compares each wheel with the page of digests."""
    kit = Path(shutil.copytree(carried.kit, tmp_path / "kit"))
    wheel = next((kit / "wheels").glob("click-*.whl"))
    data = bytearray(wheel.read_bytes())
    data[len(data) // 2] ^= 1
    wheel.write_bytes(data)
    host = Empty(tmp_path)
    done = host.run("sha256sum -c SHA256SUMS", kit)
    assert done.returncode == 1
    assert f"wheels/{wheel.name}: FAILED" in done.stdout.splitlines()
    pip = (
        f"python{PYTHON} -m pip install --no-index --find-links wheels --no-deps "
        f"--require-hashes -r requirements.txt --target {tmp_path}/there"
    )
    done = host.run(pip, kit)
    assert done.returncode == 1
    assert "DO NOT MATCH THE HASHES" in done.stderr
    assert not (tmp_path / "there").exists()


def test_the_wrong_root_is_not_accepted(carried: Carried, tmp_path: Path) -> None:
    """A kit with somebody else's root fails at the telephone."""
    side = Side(tmp_path / "isolated")
    words = carried.told["words"].split()
    words[3] = "abandon" if words[3] != "abandon" else "ability"
    init = ("trust", "init", "--site", SITE, "--root", str(carried.kit / "root.json"))
    done = side.run(*init, "--fingerprint", " ".join(words))
    assert done.returncode in (2, 5), done.stderr
    assert not (tmp_path / "isolated" / "registry.db").exists()
    groups = "0" * 64
    error, *_ = side.fails(5, *init, "--fingerprint", groups)
    assert "fingerprint" in error
