"""Requests as they are read: believed as far as they fit what is known here."""

from dataclasses import replace
from pathlib import Path

import pytest

import catalogues
from airlift.artifact import Kind
from airlift.digest import sha256
from airlift.errors import AirliftError, FormatError, RequestError, TrustError
from airlift.format import catalogue
from airlift.format.request import Request, Want
from airlift.outbound.asked import Desk
from airlift.trust import keys, site_request
from airlift.trust.keys import UnlockedKey
from airlift.trust.site_key import SiteKey
from authority import NOW, SITE, Authority, model

CATALOGUE = catalogues.of(
    catalogues.item("a/model"),
    catalogues.item("b/model"),
    packages=(catalogues.package("demo"),),
)
ID = sha256(catalogue.encode(CATALOGUE))
PREFIX = bytes.fromhex(ID)[:8]


def site_key_of(key: UnlockedKey) -> SiteKey:
    """Return *key* as that of its holder's site."""
    return SiteKey(public=key.public, _key=key)


KEY = site_key_of(keys.generate(SITE))
TOLD = Request(
    site=SITE,
    number=3,
    day="2026-03-01",
    accepted=1,
    root=b"rootroot",
    catalogue=PREFIX,
    items=(1, 2),
    wants=(Want(kind=Kind.MODEL, name="c/model"),),
)


@pytest.fixture(name="desk")
def _desk(tmp_path: Path) -> Desk:
    """A connected side that has made one delivery."""
    side = Authority(tmp_path / "side")
    side.deliver(model())
    return Desk(
        ledger=tmp_path / "ledger",
        keys={SITE: KEY.public},
        publisher=side.publisher,
        find=lambda prefix: CATALOGUE if prefix == PREFIX else None,
        now=NOW,
        actor="ann@desk",
    )


def refused(desk: Desk, told: Request, kind: type[AirliftError]) -> str:
    """Return why the request is refused."""
    with pytest.raises(kind) as caught:
        desk.read(site_request.seal(told, KEY))
    return str(caught.value)


def test_a_request_is_read_as_what_it_asks_for(desk: Desk) -> None:
    """Numbers become the entries they stand for in the catalogue of both."""
    asked = desk.read(site_request.seal(TOLD, KEY))
    assert asked.things == (*CATALOGUE.entries[1:], *TOLD.wants)
    assert asked.labels == (
        f"model b/model at {CATALOGUE.items[1].revision[:12]}",
        "package demo 1.1",
        "model c/model",
    )
    assert not asked.repeat


def test_read_again_it_says_the_same(desk: Desk) -> None:
    """Who builds it reads it a second time."""
    sealed = site_request.seal(TOLD, KEY)
    first, second = desk.read(sealed), desk.read(sealed)
    assert (first.signed, first.things) == (second.signed, second.things)
    assert second.repeat


def test_an_old_request_is_refused(desk: Desk) -> None:
    """Played back by whoever kept a copy, it would bring what was wanted once."""
    old = replace(TOLD, number=2)
    desk.read(site_request.seal(old, KEY))
    desk.read(site_request.seal(TOLD, KEY))
    assert desk.read(site_request.seal(old, KEY)).repeat
    oldest = replace(TOLD, number=1)
    assert refused(desk, oldest, RequestError) == (
        f"request 1 of site {SITE} is older than request 3, which was read before"
    )


def test_two_requests_of_one_number_are_a_find(desk: Desk) -> None:
    """A host restored from a copy, or a stolen key."""
    desk.read(site_request.seal(TOLD, KEY))
    forked = replace(TOLD, anchor=True)
    assert refused(desk, forked, TrustError) == f"site {SITE} has signed two requests 3"


def test_a_new_key_counts_from_one_again(desk: Desk) -> None:
    """A host that was lost has forgotten how far it had counted."""
    desk.read(site_request.seal(TOLD, KEY))
    fresh = site_key_of(keys.generate(SITE))
    later = replace(desk, keys={SITE: fresh.public})
    first = replace(TOLD, number=1)
    assert not later.read(site_request.seal(first, fresh)).repeat
    with pytest.raises(TrustError, match="is not signed by the key of a site"):
        later.read(site_request.seal(replace(TOLD, number=9), KEY))


def test_a_delivery_nobody_made_is_a_find(desk: Desk) -> None:
    """Somebody else sends to the site, or our own records are not what they were."""
    ahead = replace(TOLD, accepted=2)
    assert refused(desk, ahead, TrustError) == (
        f"site {SITE} says that it took delivery 2, and the newest made here is 1"
    )


def test_a_catalogue_nobody_made_here_is_named(desk: Desk) -> None:
    """Its numbers would stand for anything."""
    strange = replace(TOLD, catalogue=b"other123")
    assert refused(desk, strange, RequestError) == (
        "no catalogue made here has an id that begins with 6f74686572313233"
    )
    beyond = replace(TOLD, items=(3,))
    assert refused(desk, beyond, FormatError).startswith("catalogue 1 has no entry 3")


def test_what_was_refused_leaves_no_trace(desk: Desk) -> None:
    """A number counts as read only once all of it was believed."""
    refused(desk, replace(TOLD, number=9, accepted=2), TrustError)
    refused(desk, replace(TOLD, number=9, items=(3,)), FormatError)
    assert not (desk.ledger / SITE / "requests").exists()
    assert not desk.read(site_request.seal(TOLD, KEY)).repeat


def test_a_request_without_entries_needs_no_catalogue(desk: Desk) -> None:
    """A site that never had one can still ask."""
    bare = replace(TOLD, catalogue=b"", items=())
    assert desk.read(site_request.seal(bare, KEY)).things == TOLD.wants


def test_damage_of_what_was_kept_is_said(desk: Desk) -> None:
    """An account of requests that is not whole would let an old one pass."""
    desk.read(site_request.seal(TOLD, KEY))
    (path,) = (desk.ledger / SITE / "requests").iterdir()
    data = path.read_text()
    at = data.index('"sealed":"') + 12
    path.write_text(data[:at] + ("0" if data[at] != "0" else "1") + data[at + 1 :])
    assert refused(desk, replace(TOLD, number=4), FormatError).endswith(
        "`id` is not that of the request"
    )
