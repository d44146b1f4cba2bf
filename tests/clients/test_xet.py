"""hf_xet, pinned, against the content-addressed store that is made of plain files.

Its protocol is undocumented: these tests say whether it still is what it was. The
library verifies nothing, so every byte it stores is compared here.
"""

import json
import os
import random
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

import private_ca
import venvs
from airlift.artifact import Kind
from airlift.digest import sha256
from airlift.serve.dialect import Answer, Dialect, Pass, Request, Shelf
from airlift.serve.http.settings import ServeSettings
from airlift.serve.hub.huggingface import HuggingFace
from airlift.serve.hub.xet import XORB_BYTES, Xet
from airlift.store.span import Span
from cutting import cutting
from guarded import Door
from served import World, serving
from shelves import MemoryShelf, cargo
from wire import clock

pytestmark = pytest.mark.clients

HUBS = ["2.4.0", "1.33.0", "0.36.2"]
XET = "hf_xet==1.8.0"
COMMIT = "a" * 40
BIG = random.Random(31).randbytes(2 * XORB_BYTES + 1_000_003)
"""Three pseudo-xorbs."""
SMALL = random.Random(32).randbytes(150_001)
"""Two chunks of one pseudo-xorb."""
MODEL = {"big.bin": BIG, "small.bin": SMALL, "config.json": b"{}\n"}
LEAST = 1000
LOWERED = (
    "from huggingface_hub import constants\nconstants.MAX_HTTP_DOWNLOAD_SIZE = 100_000"
)
TABLE = (Xet(), HuggingFace(xet=True, xet_least_bytes=LEAST))


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> MemoryShelf:
    """One model with files of three sizes."""
    release = cargo(Kind.MODEL, "org/tiny", MODEL, revision=COMMIT, refs=["main"])
    return MemoryShelf(tmp_path_factory.mktemp("shelf"), [release])


@pytest.fixture(scope="module")
def world(shelf: MemoryShelf) -> Iterator[World]:
    """A server with the store, below a path prefix."""
    settings = ServeSettings(port=0, prefix="/mirror/hf")
    with serving(shelf, settings, TABLE) as running:
        yield running


@dataclass(frozen=True, kw_only=True)
class Client:
    """One version of huggingface_hub with the pinned xet library and a fresh cache."""

    bins: Path
    home: Path
    url: str

    def fetch(self, *paths: str, before: str = "", **more: str) -> dict[str, str]:
        """Download *paths*; return the SHA-256 of each as the client stored it.

        Args:
            paths: Of the one repository.
            before: Code to run first, in which ``h`` is the package.
            more: Further variables.
        """
        script = (
            "import json, sys, hashlib, pathlib\nimport huggingface_hub as h\n"
            f"{before}\n"
            "def digest(path):\n"
            "    with open(path, 'rb') as f:\n"
            "        return hashlib.file_digest(f, 'sha256').hexdigest()\n"
            "print(json.dumps({p: digest(h.hf_hub_download('org/tiny', p))"
            " for p in sys.argv[1:]}))\n"
        )
        done = subprocess.run(
            [self.bins / "python", "-W", "ignore", "-c", script, *paths],
            env={
                "PATH": os.defpath,
                "HOME": str(self.home),
                "HF_HOME": str(self.home / "hf"),
                "HF_ENDPOINT": self.url,
                "HF_HUB_DISABLE_PROGRESS_BARS": "1",
                "HF_HUB_DISABLE_UPDATE_CHECK": "1",
                **more,
            },
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        found: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
        return found


@pytest.fixture(params=HUBS)
def client(
    request: pytest.FixtureRequest, environments: Path, tmp_path: Path, world: World
) -> Client:
    """A client of the shared server with an empty cache."""
    bins = venvs.make(environments, f"huggingface_hub=={request.param}", XET)
    return Client(bins=bins, home=tmp_path, url=world.url)


def paths(entries: list[dict[str, Any]]) -> list[str]:
    """Return method and path of each entry, less what changes."""
    return [
        f"{one['method']} {one['path'].removeprefix('/mirror/hf')}" for one in entries
    ]


# --- the bytes --------------------------------------------------------------------------


def test_files_of_every_size_arrive_byte_for_byte(client: Client, world: World) -> None:
    """Through the store where they are large enough, plainly where they are not."""
    before = len(world.entries())
    got = client.fetch(*MODEL)
    assert got == {path: sha256(content) for path, content in MODEL.items()}
    asked = paths(world.entries()[before:])
    fetched = {path for path in asked if "/xet/xorbs/" in path}
    assert fetched == {
        *(f"GET /xet/xorbs/{sha256(BIG)}/{number}" for number in range(3)),
        f"GET /xet/xorbs/{sha256(SMALL)}/0",
    }
    assert "GET /org/tiny/resolve/main/config.json" in asked
    assert "GET /org/tiny/resolve/main/big.bin" not in asked


def test_a_file_above_the_clients_limit_arrives(client: Client) -> None:
    """Also with 0.36, which has no other way; the limit is 50 GB, here 100 kB."""
    assert client.fetch("big.bin", before=LOWERED) == {"big.bin": sha256(BIG)}


def test_without_the_store_the_lowered_limit_is_a_limit(
    client: Client, shelf: MemoryShelf
) -> None:
    """The proof that the test above lowers what the client looks at."""
    with serving(shelf, ServeSettings(port=0), [HuggingFace()]) as plain:
        mine = replace(client, url=plain.url)
        with pytest.raises(AssertionError, match="too large"):
            mine.fetch("big.bin", before=LOWERED)


def test_a_snapshot_is_the_release(client: Client) -> None:
    """New clients list a tree first, where nothing says xet, and ask per file."""
    snapshot = (
        "h.hf_hub_download = lambda _, p: f\"{h.snapshot_download('org/tiny')}/{p}\""
    )
    got = client.fetch(*MODEL, before=snapshot)
    assert got == {path: sha256(content) for path, content in MODEL.items()}


def test_a_client_that_is_told_not_to_speak_it_fetches_plainly(
    client: Client, world: World
) -> None:
    """Its users have a way around the store, up to the size the client takes."""
    before = len(world.entries())
    got = client.fetch("big.bin", HF_HUB_DISABLE_XET="1")
    assert got == {"big.bin": sha256(BIG)}
    assert [path for path in paths(world.entries()[before:]) if "/xet" in path] == []


# --- bad networks -----------------------------------------------------------------------


def test_parts_that_are_cut_are_fetched_again(client: Client, world: World) -> None:
    """A dropped connection costs a part, never a byte."""
    with cutting(world.url, after=20_000_000, times=2) as cuts:
        got = replace(client, url=cuts.url).fetch("big.bin")
    assert (got, cuts.made) == ({"big.bin": sha256(BIG)}, 2)


def test_a_wrong_byte_goes_unnoticed(client: Client, tmp_path: Path) -> None:
    """Why airlift hashes what it holds, and `verify-client` what clients hold.

    Should this fail, the client has begun to verify: the names of parts must then be
    what it expects.
    """
    (tmp_path / "shelf").mkdir()
    release = cargo(Kind.MODEL, "org/tiny", {"small.bin": SMALL}, revision=COMMIT)
    lying = MemoryShelf(tmp_path / "shelf", [release])
    damaged = SMALL[:-1] + bytes([SMALL[-1] ^ 1])
    (tmp_path / "damaged").write_bytes(damaged)
    span = Span(path=tmp_path / "damaged", offset=0, length=len(damaged))
    lying.replace_span(sha256(SMALL), span)
    with serving(lying, ServeSettings(port=0), TABLE) as world:
        got = replace(client, url=world.url).fetch("small.bin")
    assert got == {"small.bin": sha256(damaged)}


# --- callers ----------------------------------------------------------------------------


def test_under_access_control_a_token_is_enough(
    client: Client, shelf: MemoryShelf
) -> None:
    """The store is asked with a pass, its parts with signed addresses; no token shows."""
    door = Door(clock())
    token = door.token("alice", "models:org/*")
    with serving(shelf, ServeSettings(port=0, access=door.access()), TABLE) as world:
        mine = replace(client, url=world.url)
        got = mine.fetch("small.bin", "big.bin", HF_TOKEN=token)
        entries = world.entries()
    assert got == {"small.bin": sha256(SMALL), "big.bin": sha256(BIG)}
    of_store = [one for one in entries if "/xet/xorbs/" in str(one["path"])]
    assert {one.get("caller") for one in of_store} == {"alice"}


def test_under_access_control_a_stranger_gets_nothing(
    client: Client, shelf: MemoryShelf
) -> None:
    """Neither a file nor the knowledge that there is one."""
    door = Door(clock())
    door.token("alice", "models:org/*")
    with (
        serving(shelf, ServeSettings(port=0, access=door.access()), TABLE) as world,
        pytest.raises(AssertionError, match="RepositoryNotFoundError"),
    ):
        replace(client, url=world.url).fetch("small.bin")


def test_what_anyone_may_have_needs_no_token(
    client: Client, shelf: MemoryShelf
) -> None:
    """A server whose public part is large files works for strangers as well."""
    door = Door(clock())
    door.open("models:org/*")
    with serving(shelf, ServeSettings(port=0, access=door.access()), TABLE) as world:
        got = replace(client, url=world.url).fetch("small.bin")
    assert got == {"small.bin": sha256(SMALL)}


@dataclass(frozen=True)
class Hasty:
    """The hub's dialect, whose passes end at once."""

    inner: HuggingFace

    def answer(self, request: Request, shelf: Shelf) -> Answer | None:
        """Answer like the hub."""
        return self.inner.answer(replace(request, issue=_ended), shelf)


def _ended() -> Pass:
    return Pass(bearer="ended", expires=1_000_000_000)


def test_a_pass_that_ended_is_asked_for_again(
    client: Client, shelf: MemoryShelf
) -> None:
    """Downloads outlast passes; the xet library then asks the same address itself."""
    table: tuple[Dialect, ...] = (TABLE[0], Hasty(TABLE[1]))
    with serving(shelf, ServeSettings(port=0), table) as world:
        got = replace(client, url=world.url).fetch("small.bin")
        asked = [path for path in paths(world.entries()) if "xet-read-token" in path]
    assert got == {"small.bin": sha256(SMALL)}
    assert len(asked) >= 2


def test_a_private_authority_is_enough(
    client: Client, shelf: MemoryShelf, tmp_path: Path
) -> None:
    """The xet library trusts what the client is told to trust, over TLS as well."""
    ca, context = private_ca.issue(tmp_path)
    variables = {"SSL_CERT_FILE": str(ca), "REQUESTS_CA_BUNDLE": str(ca)}
    with serving(shelf, ServeSettings(port=0, tls=context), TABLE) as world:
        got = replace(client, url=world.url).fetch("small.bin", **variables)
    assert got == {"small.bin": sha256(SMALL)}
