"""What was seen on hosts is kept, vouched for by the log, and only goes forward."""

from dataclasses import replace
from pathlib import Path

import pytest

from airlift.digest import sha256
from airlift.errors import FormatError, RegistryError, RequestError
from airlift.format import observation
from airlift.format.observation import Environment, Observation, Runtime, SeenPackage
from airlift.registry import observations, rebuild
from airlift.registry.observations import Kept, ObservedVersion
from airlift.registry.registry import Registry
from airlift.store.blobs import BlobStore
from airlift.trust.verifier import verify
from sites import Site

NOW = "2026-03-20T12:00:00Z"
SEEN = Observation(
    host="gpu-1",
    time="2026-03-19T12:00:00Z",
    tool="airlift 0.1.0",
    looked=("vllm",),
    environments=(
        Environment(
            label="vllm",
            python="3.11.7",
            packages=(
                SeenPackage(name="torch", version="2.9.0", content=None, files=0),
            ),
        ),
    ),
    runtimes=(Runtime(name="ollama", version="0.13.1"),),
)
LATER = replace(SEEN, time="2026-03-20T08:00:00Z", runtimes=())


@pytest.fixture(name="site")
def _site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def take(site: Site, seen: Observation) -> Kept:
    """Take *seen* in."""
    data = observation.encode(seen)
    return observations.take(site.home, site.registry, data, now=NOW, actor="me")


def newest(registry: Registry) -> tuple[Kept, ...]:
    """Return the newest observation of each host."""
    return observations.newest(registry.events())


def test_the_newest_of_each_host_is_what_counts(site: Site) -> None:
    """An old list must not say that a host still has what it has no more."""
    take(site, SEEN)
    other = take(site, replace(SEEN, host="gpu-2"))
    kept = take(site, LATER)
    assert newest(site.registry) == (kept, other)
    assert observations.read(site.home, kept) == LATER
    assert observations.versions(site.home, newest(site.registry)) == (
        *_torch("gpu-1", LATER.time),
        ObservedVersion(
            host="gpu-2",
            name="ollama",
            version="0.13.1",
            time=SEEN.time,
            declared=True,
        ),
        *_torch("gpu-2", SEEN.time),
    )


def _torch(host: str, time: str) -> tuple[ObservedVersion, ...]:
    found = ObservedVersion(
        host=host, name="torch", version="2.9.0", time=time, declared=False
    )
    return (found,)


def test_an_older_one_is_refused_and_the_same_one_changes_nothing(site: Site) -> None:
    """Going back would hide what a host has got since."""
    kept = take(site, LATER)
    assert take(site, LATER) == kept
    assert len(site.registry.events(action=observations.ACTION)) == 1
    with pytest.raises(RequestError) as caught:
        take(site, SEEN)
    assert str(caught.value) == (
        f"the observation of gpu-1 is of {SEEN.time}, one of {LATER.time} is held"
    )


def test_what_is_no_observation_leaves_no_trace(site: Site) -> None:
    """It is read before anything is kept."""
    with pytest.raises(FormatError):
        observations.take(site.home, site.registry, b"{}", now=NOW, actor="me")
    assert newest(site.registry) == ()
    assert not (site.home / "records/observations").exists()


def test_a_file_that_was_changed_afterwards_is_not_believed(site: Site) -> None:
    """The log has its digest: who edits the file does not edit what was seen."""
    kept = take(site, SEEN)
    path = site.home / f"records/observations/{kept.id}.json"
    path.chmod(0o600)
    path.write_bytes(observation.encode(LATER))
    with pytest.raises(RegistryError) as caught:
        observations.read(site.home, kept)
    assert str(caught.value) == f"{path} is not the observation that was taken in"
    path.unlink()
    with pytest.raises(RegistryError, match="no such file"):
        observations.read(site.home, kept)


def test_a_rebuild_has_them_all(site: Site) -> None:
    """They are records, not rows."""
    kept = take(site, SEEN)
    assert kept.id == sha256(observation.encode(SEEN))
    site.registry.close()
    store = BlobStore(site.store.root)
    rebuild.rebuild(site.home, store, verify=verify, now=NOW, actor="me")
    assert newest(site.reopen()) == (kept,)
