"""Facts of blobs are kept once per set of rules."""

from pathlib import Path

import pytest

from airlift.digest import Sha256, sha256
from airlift.errors import RegistryError
from airlift.registry.blob_facts import BlobFacts
from sites import Site

ONE, TWO = sha256(b"one"), sha256(b"two")
NOW = "2026-03-05T06:00:00Z"


@pytest.fixture(name="site")
def _site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_what_was_kept_is_known_by_its_rules(site: Site) -> None:
    """Newer rules look again, and what older ones said stays."""
    with BlobFacts(site.home) as kept:
        kept.keep({(ONE, "a.json"): ("r1", {"format": "json"})}, now=NOW)
        kept.keep({(ONE, "a.json"): ("r2", {"format": "text"})}, now=NOW)
        assert kept.known([ONE, TWO], ["r1"], dict) == {
            (ONE, "a.json"): {"format": "json"}
        }
        assert kept.known([ONE], ["r2"], dict) == {(ONE, "a.json"): {"format": "text"}}
        assert kept.known([ONE], ["r3"], dict) == {}


def test_one_blob_has_facts_by_each_name(site: Site) -> None:
    """What a file can do depends on what it is called."""
    with BlobFacts(site.home) as kept:
        told = {(ONE, name): ("r", {"format": name}) for name in ("a.py", "a.txt")}
        kept.keep(told, now=NOW)
        assert set(kept.known([ONE], ["r"], dict)) == {(ONE, "a.py"), (ONE, "a.txt")}


def test_many_blobs_are_asked_for_at_once(site: Site) -> None:
    """More than one statement takes."""
    blobs = [sha256(str(n).encode()) for n in range(1200)]
    with BlobFacts(site.home) as kept:
        kept.keep({(one, "x"): ("r", {"format": "json"}) for one in blobs}, now=NOW)
        assert len(kept.known(blobs, ["r"], dict)) == 1200


def test_facts_are_not_kept_while_another_process_writes(site: Site) -> None:
    """The caller goes on without."""
    told = {(Sha256(ONE), "a"): ("r", {"format": "json"})}
    with BlobFacts(site.home) as kept:
        with site.registry.exclusive("import"), pytest.raises(RegistryError) as caught:
            kept.keep(told, now=NOW)
        assert "is writing" in str(caught.value)
        assert kept.known([ONE], ["r"], dict) == {}
