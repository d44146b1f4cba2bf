"""What the signed deny list does in the registry."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from airlift.digest import sha256
from airlift.format import dispatch
from airlift.inbound import holding
from airlift.registry.held import State
from airlift.trust.denials import Denial, What
from authority import NOW, SITE, key, land, resign
from sites import Site, document

WHY = "the key of its author was stolen"
FILES = {"config.json": b"{}", "model.safetensors": b"w" * 40}
MODEL = document("org/model", FILES)


@pytest.fixture(name="site")
def _site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path)
    site.hold(*FILES.values())
    with closing(site.registry):
        yield site


def _deny(site: Site, what: What, digest: str) -> None:
    entry = Denial(what=what, digest=digest, since=NOW, why=WHY)  # type: ignore[arg-type]
    site.side.publisher.deny([entry], site.side.signers, NOW)


def _forged(site: Site) -> dict[str, bytes]:
    """Return a delivery of ``MODEL``, approved once and denied since.

    The connected side refuses to make it, so a thief of the dispatcher's key does.
    """
    offered = site.side.deliver()
    name = next(one for one in offered if one.startswith("records/dispatch/"))
    record = dispatch.decode(offered[name])
    data = dispatch.encode(replace(record, releases=(sha256(MODEL),)))
    target = {"length": len(data), "hashes": {"sha256": sha256(data)}}

    def redirect(signed: dict[str, Any]) -> None:
        signed["targets"] = {dispatch.target_name(SITE, record.sequence): target}

    forged = resign(offered, {f"site-{SITE}": redirect}, site.side.signers)
    return {
        **forged,
        name: data,
        f"records/releases/{sha256(MODEL)}.json": MODEL,
    }


def test_a_denied_release_that_a_thief_sends_is_not_live(site: Site) -> None:
    """Approved once, it is vouched for still; the list decides."""
    site.side.deliver(MODEL)  # approved, and on a medium that never came
    _deny(site, What.RELEASE, sha256(MODEL))
    forged = land(_forged(site), site.registry.trust_state())
    (one,) = forged.releases
    site.registry.record(forged, site.store, live=[one.id], now=NOW, actor="tester")
    (held,) = site.registry.releases()
    assert (held.state, held.denied) == (State.QUARANTINE, WHY)
    shelf = site.registry.shelf(site.store)
    assert shelf.span(sha256(FILES["config.json"])) is None


def test_an_import_says_that_what_it_brings_is_denied(site: Site) -> None:
    """Who imports reads the reason before anything is taken in."""
    site.side.deliver(MODEL)
    _deny(site, What.FILE, sha256(FILES["config.json"]))
    forged = land(_forged(site), site.registry.trust_state())
    (one,) = forged.releases
    said = holding.foreseen(forged, one, _NoDesk(), now=NOW)  # type: ignore[arg-type]
    digest = sha256(FILES["config.json"])[:16]
    assert said == f"file {digest} is denied: {WHY}"


class _NoDesk:
    """A desk that is not asked: what is denied is not for it to hold."""

    def holds(self, _: object) -> str:
        raise AssertionError


def test_the_reason_that_is_signed_takes_the_place_of_one_given_here(
    site: Site,
) -> None:
    """A database made again has only what is signed to go by, and must say the same."""
    site.bring(MODEL)
    site.registry.deny([sha256(MODEL)], why="a rumour", now=NOW, actor="tester")
    _deny(site, What.RELEASE, sha256(MODEL))
    site.bring()
    (held,) = site.registry.releases()
    assert held.denied == WHY


def test_a_new_list_makes_a_new_live_set_and_the_same_list_none(site: Site) -> None:
    """Servers look again at what is denied when there is a new live set, only then."""
    site.bring(MODEL)
    before = site.registry.generations(newest=1)[0].number
    _deny(site, What.FILE, sha256(b"nothing held here"))
    site.bring()
    assert site.registry.generations(newest=1)[0].number == before + 1
    site.bring()
    assert site.registry.generations(newest=1)[0].number == before + 1


def test_a_list_of_many_entries_is_gone_by(site: Site) -> None:
    """More entries than one statement of SQLite takes values."""
    site.bring(MODEL)
    entries = [
        Denial(what=What.FILE, digest=sha256(b"%d" % one), since=NOW, why=WHY)
        for one in range(1_200)
    ]
    entries.append(Denial(what=What.RELEASE, digest=sha256(MODEL), since=NOW, why=WHY))
    site.side.publisher.deny(entries, site.side.signers, NOW)
    site.bring()
    assert site.registry.shelf(site.store).files(sha256(MODEL)) == ()
    assert len(site.registry.custody().denials().entries) == len(entries)


def test_denied_keys_are_no_digests_of_files(site: Site) -> None:
    """A key id is not a file; the table of what is not served has no use for it."""
    _deny(site, What.KEY, key("mallory").public.key_id)
    site.bring(MODEL)
    (held,) = site.registry.releases()
    assert (held.state, held.denied) == (State.LIVE, "")
    (listed,) = site.registry.custody().denials().entries
    assert listed.what is What.KEY
