"""Every client does every operation: pull, resume, sign in, TLS, path prefix.

Each pulled byte is compared here; clients themselves check lengths at best.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

import private_ca
from airlift.serve import Means, dialects
from airlift.serve.access import credentials
from airlift.serve.dialect import Dialect
from airlift.serve.distribution import oci_image
from airlift.serve.distribution.derived import Derived
from airlift.serve.distribution.kept_digests import KeptDigests
from airlift.serve.http.settings import ServeSettings
from clients import (
    of_containers,
    of_hub,
    of_hub_js,
    of_installers,
    of_llama,
    of_ollama,
)
from clients.matrix import Client, Failed, Operation, Place, shelf
from cutting import cutting
from guarded import Door
from served import World, serving
from shelves import MemoryShelf

pytestmark = pytest.mark.clients

CLIENTS: tuple[Client, ...] = (
    *of_hub.CLIENTS,
    *of_hub_js.CLIENTS,
    *of_installers.CLIENTS,
    *of_llama.CLIENTS,
    *of_ollama.CLIENTS,
    *of_containers.CLIENTS,
)
CUT_AFTER = 15_000_000
ATTEMPTS = 3


def _every(operation: Operation) -> pytest.MarkDecorator:
    """Return the parameters of a test that all clients but the unable ones run."""
    able = [client for client in CLIENTS if operation not in client.cannot]
    return pytest.mark.parametrize("client", able, ids=[one.name for one in able])


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> MemoryShelf:
    """What all servers of this suite serve."""
    return shelf(tmp_path_factory.mktemp("shelf"))


@pytest.fixture(scope="module")
def table(held: MemoryShelf) -> Iterator[Sequence[Dialect]]:
    """Every dialect, the layers of images ready."""
    with (
        KeptDigests(None) as kept,
        Derived(held, kept, wanted=oci_image.layers, say=print) as derived,
    ):
        ends = time.monotonic() + 60
        for layer in oci_image.layers(held):
            while derived.sha256(layer) is None:
                assert time.monotonic() < ends, "the layers are not ready"
                time.sleep(0.01)
        yield dialects(Means(digests=derived))


@pytest.fixture(scope="module")
def plain(held: MemoryShelf, table: Sequence[Dialect]) -> Iterator[World]:
    """A server without prefix, TLS or access control."""
    with serving(held, ServeSettings(port=0), table) as world:
        yield world


def _same(got: Mapping[str, bytes], client: Client) -> None:
    # Names first: a whole comparison of 24 MB would print both sides.
    assert sorted(got) == sorted(client.holds)
    assert [path for path in got if got[path] != client.holds[path]] == []


@_every(Operation.PULL)
def test_a_pull_gives_the_exact_bytes(
    client: Client, plain: World, tmp_path: Path, environments: Path
) -> None:
    """The one thing everything else is for."""
    got = client.pull(Place(url=plain.url), tmp_path, environments)
    _same(got, client)


@_every(Operation.RESUME)
def test_a_cut_transfer_ends_whole(
    client: Client,
    held: MemoryShelf,
    table: Sequence[Dialect],
    tmp_path: Path,
    environments: Path,
) -> None:
    """Some go on by themselves, some in their next run; none may keep a short file."""
    with (
        serving(held, ServeSettings(port=0), table) as world,
        cutting(world.url, after=CUT_AFTER, times=1) as cuts,
    ):
        for attempt in range(ATTEMPTS):
            try:
                got = client.pull(Place(url=cuts.url), tmp_path, environments)
                break
            except Failed:
                if attempt == ATTEMPTS - 1:
                    raise
        else:
            pytest.fail("no attempt ended")
        entries = world.entries()
    assert cuts.made == 1
    _same(got, client)
    if client.resumes:
        assert 206 in {entry["status"] for entry in entries}


@_every(Operation.AUTH)
def test_a_token_opens_what_is_closed_without_one(
    client: Client,
    held: MemoryShelf,
    table: Sequence[Dialect],
    tmp_path: Path,
    environments: Path,
) -> None:
    """Nothing without a token, nothing with a wrong one, everything with the right."""
    door = Door()
    token = door.token("host", "*")
    wrong = credentials.fresh_token()
    homes = [tmp_path / name for name in ("none", "wrong", "right")]
    for home in homes:
        home.mkdir()
    with serving(held, door.settings(), table) as world:
        for shown, home in zip(("", wrong), homes, strict=False):
            with pytest.raises(Failed):
                client.pull(Place(url=world.url, token=shown), home, environments)
        whole = {entry["bytes"] for entry in world.entries()}
        right = Place(url=world.url, token=token)
        got = client.pull(right, homes[-1], environments)
    assert max(map(int, map(str, whole)), default=0) < 10_000
    _same(got, client)
    assert token not in world.log.getvalue()


@_every(Operation.TLS)
def test_a_private_authority_is_enough_for_tls(
    client: Client,
    held: MemoryShelf,
    table: Sequence[Dialect],
    tmp_path: Path,
    environments: Path,
) -> None:
    """Isolated sites have their own authority and no other."""
    authority, context = private_ca.issue(tmp_path)
    home = tmp_path / "home"
    home.mkdir()
    with serving(held, ServeSettings(port=0, tls=context), table) as world:
        with pytest.raises(Failed):
            client.pull(Place(url=world.url), home, environments)
        trusting = Place(url=world.url, authority=authority)
        _same(client.pull(trusting, home, environments), client)


@_every(Operation.PREFIX)
def test_a_path_prefix_is_followed(
    client: Client,
    held: MemoryShelf,
    table: Sequence[Dialect],
    tmp_path: Path,
    environments: Path,
) -> None:
    """Behind a proxy, airlift is often one path among others."""
    with serving(held, ServeSettings(port=0, prefix="/models/airlift"), table) as world:
        got = client.pull(Place(url=world.url), tmp_path, environments)
    _same(got, client)
