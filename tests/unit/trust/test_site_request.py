"""Requests under their site's key: whose they are is known before they are read."""

from dataclasses import replace
from pathlib import Path

import pytest

from airlift.digest import sha256
from airlift.errors import AirliftError, FormatError, TrustError
from airlift.format import request
from airlift.format.request import Request
from airlift.trust import site_key, site_request
from airlift.trust.site_key import Purpose, SiteKey
from authority import SITE

TOLD = Request(
    site=SITE,
    number=3,
    day="2027-03-04",
    accepted=7,
    root=b"rootroot",
    catalogue=b"cataloge",
    items=(1, 2, 30),
)


@pytest.fixture(name="key", scope="module")
def _key(tmp_path_factory: pytest.TempPathFactory) -> SiteKey:
    return site_key.create(tmp_path_factory.mktemp("key"), SITE)


def refused(data: bytes, key: SiteKey) -> str:
    """Return why *data* is refused."""
    with pytest.raises(AirliftError) as caught:
        site_request.believe(data, {SITE: key.public}, name="it")
    assert isinstance(caught.value, TrustError | FormatError)
    return str(caught.value)


def test_what_a_site_asks_is_believed(key: SiteKey) -> None:
    """With its key, and how much of it there is to read."""
    data = site_request.seal(TOLD, key)
    found = site_request.believe(data, {"plant8": key.public, SITE: key.public})
    assert (found.request, found.key) == (TOLD, key.public)
    assert (found.id, found.size) == (sha256(data), len(data))
    padded = site_request.seal(TOLD, key, padded=True)
    assert len(padded) == request.PADDED
    assert site_request.believe(padded, {SITE: key.public}).request == TOLD


def test_every_flipped_bit_is_refused(key: SiteKey) -> None:
    """Of what is said, of the padding and of the signature."""
    sound = site_request.seal(TOLD, key, padded=True)
    known = f"it is not signed by the key of a site known here; known are `{SITE}`"
    for place in range(8 * len(sound)):
        data = bytearray(sound)
        data[place // 8] ^= 1 << place % 8
        assert refused(bytes(data), key) == known


def test_every_other_length_is_refused(key: SiteKey) -> None:
    """Cut off, or with something behind it."""
    sound = site_request.seal(TOLD, key)
    for end in range(len(sound)):
        assert refused(sound[:end], key)
    assert "is not signed by the key" in refused(sound + b"\0", key)
    assert "has 64 bytes, no request has" in refused(bytes(64), key)
    assert "bytes, no request has" in refused(bytes(1 << 20), key)


def test_a_key_nobody_enrolled_is_told_apart(key: SiteKey, tmp_path: Path) -> None:
    """Also another one of the same site."""
    other = site_key.create(tmp_path, SITE)
    assert "known are `plant7`" in refused(site_request.seal(TOLD, other), key)
    with pytest.raises(TrustError, match="known are none"):
        site_request.believe(site_request.seal(TOLD, key), {})


def test_a_site_asks_for_itself_only(key: SiteKey) -> None:
    """A site must not be able to fill another's media, or learn what it holds."""
    theirs = replace(TOLD, site="plant8")
    with pytest.raises(TrustError) as caught:
        site_request.seal(theirs, key)
    assert str(caught.value) == "the key is of site `plant7`, the request of `plant8`"
    record = request.encode(theirs)
    forged = record + key.sign(Purpose.REQUEST, record)
    assert refused(forged, key) == "it is of site `plant8`, its key of `plant7`"


def test_a_signed_receipt_is_no_request(key: SiteKey) -> None:
    """Whatever a site signs for one purpose counts for no other."""
    record = request.encode(TOLD)
    forged = record + key.sign(Purpose.RECEIPT, record)
    assert "is not signed by the key of a site known here" in refused(forged, key)


def test_what_no_reader_would_take_is_not_signed(key: SiteKey) -> None:
    """A courier is not sent with it."""
    with pytest.raises(FormatError, match="has entries that do not rise"):
        site_request.seal(replace(TOLD, items=(2, 1)), key)
