"""Real clients with nothing but what ``airlift client-env`` prints, and with less."""

import contextlib
import os
import ssl
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import private_ca
import venvs
from airlift.serve.http.settings import ServeSettings
from airlift.serve.hub.huggingface import HuggingFace
from airlift.serve.wheels.simple_index import SimpleIndex
from clients.matrix import BIG, MODEL, shelf
from guarded import Door
from served import World, serving

pytestmark = pytest.mark.clients

PREFIX = "/site/airlift"
FILE = "Acme/Tiny/resolve/main/model.safetensors"
HUB = """
import huggingface_hub
print(huggingface_hub.hf_hub_download("Acme/Tiny", "model.safetensors"))
"""
NODE = """
const ask = { headers: { Authorization: `Bearer ${process.env.HF_TOKEN}` } };
const got = await fetch(`${process.env.HF_ENDPOINT}/FILE`, ask);
if (!got.ok) throw new Error(`${got.status} ${await got.text()}`);
require("fs").writeFileSync("out", Buffer.from(await got.arrayBuffer()));
"""


@dataclass(frozen=True, kw_only=True)
class Family:
    """A kind of client: what it is made of, what to run, and what it leaves behind.

    Attributes:
        wanted: A package for its environment; empty for a program of this machine.
        script: For ``sh``; ``$bins`` is its environment.
        left: Which file has the bytes afterwards; empty where it prints the path.
        told: What it prints when its token is not known, so that people learn why.
    """

    wanted: str
    script: str
    left: str = ""
    told: str = "401"


UNKNOWN = "this token is not known here"
FAMILIES = {
    "huggingface_hub 2": Family(
        wanted="huggingface_hub==2.4.0", script=f"$bins/python -c '{HUB}'", told=UNKNOWN
    ),
    "huggingface_hub 1": Family(
        wanted="huggingface_hub==1.33.0",
        script=f"$bins/python -c '{HUB}'",
        told=UNKNOWN,
    ),
    "huggingface_hub 0": Family(
        wanted="huggingface_hub==0.36.2",
        script=f"$bins/python -c '{HUB}'",
        told=UNKNOWN,
    ),
    "pip": Family(
        wanted="pip==26.3",
        script="$bins/python -m pip install --no-input --target out app",
        left="out/app/payload.bin",
    ),
    "uv": Family(
        wanted="uv==0.13.9",
        script="$bins/uv pip install --no-config --python $bins/python"
        " --target out app",
        left="out/app/payload.bin",
    ),
    "curl": Family(
        wanted="",
        script=f'curl -sS --fail-with-body -o out "$HF_ENDPOINT/{FILE}"'
        ' -H "Authorization: Bearer $HF_TOKEN" || { cat out >&2; exit 1; }',
        left="out",
        told=UNKNOWN,
    ),
    "node": Family(
        wanted="",
        script=f"node -e '(async () => {{{NODE.replace('FILE', FILE)}}})()'",
        left="out",
        told=UNKNOWN,
    ),
}


@contextlib.contextmanager
def site(folder: Path) -> Iterator[tuple[World, Door, Path]]:
    """Serve below a prefix, over TLS, to callers who show a token."""
    (folder / "shelf").mkdir()
    ca, context = private_ca.issue(folder)
    door = Door()
    settings = ServeSettings(
        port=0, prefix=PREFIX, tls=context, access=door.access(required=True)
    )
    table = (SimpleIndex(), HuggingFace())
    with serving(shelf(folder / "shelf"), settings, table) as world:
        yield world, door, ca


def printed(world: World, ca: Path, token: Path) -> str:
    """Return what ``airlift client-env`` prints for clients of *world*."""
    words = ("--url", world.url, "--ca", str(ca), "--token-file", str(token))
    line = [sys.executable, "-m", "airlift", "client-env", *words]
    done = subprocess.run(line, capture_output=True, text=True, check=True)
    return done.stdout


def run(family: Family, settings: str, home: Path, bins: Path) -> tuple[int, str]:
    """Run the client in a shell that read *settings*; return its code and words."""
    done = subprocess.run(
        ["sh", "-c", f'eval "$settings"; unset settings; {family.script}'],
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "bins": str(bins),
            "settings": settings,
        },
        cwd=home,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=120,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("name", FAMILIES)
def test_a_client_needs_nothing_but_what_is_printed(
    name: str, tmp_path: Path, environments: Path
) -> None:
    """Address, prefix, authority and token: one line for a shell to read.

    With a token that is not known it fails, and says why.
    """
    family = FAMILIES[name]
    bins = venvs.make(environments, family.wanted) if family.wanted else tmp_path
    home, token = tmp_path / "home", tmp_path / "token"
    home.mkdir()
    with site(tmp_path) as (world, door, ca):
        for known in (False, True):
            mine = door.token(f"k{known}", "models:acme/*", "wheels:*")
            token.write_text(mine if known else "hf_" + "x" * 40)
            code, said = run(family, printed(world, ca, token), home, bins)
            assert mine not in said
            if not known:
                assert code != 0
                assert family.told in said
                continue
            assert code == 0, said
            left = family.left or said.strip().splitlines()[-1]
            assert (home / left).read_bytes() == BIG
        callers = {e.get("caller") for e in world.entries() if e["status"] == 200}
        # Newer hub clients ask one open path, without saying who they are.
        assert callers - {None} == {"kTrue"}
    assert MODEL["model.safetensors"] == BIG


def test_the_world_is_really_closed(tmp_path: Path) -> None:
    """A test with a door that stands open proves nothing."""
    with site(tmp_path) as (world, door, ca):
        door.token("nobody", "*")
        trusting = ssl.create_default_context(cafile=str(ca))
        assert trusting.verify_mode is ssl.CERT_REQUIRED
        done = subprocess.run(
            ["curl", "-s", "--cacert", str(ca), "-o", "-", f"{world.url}/{FILE}"],
            capture_output=True,
            check=False,
        )
        assert BIG[:100] not in done.stdout
        assert world.entries(1)[0]["status"] == 401
