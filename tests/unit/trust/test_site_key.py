"""Site keys: they speak for a site, and for nobody else."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airlift.errors import AirliftError, FormatError, RequestError, TrustError
from airlift.trust import keys, metadata, public, site_key, strict
from airlift.trust.enrolled import SiteKeys
from airlift.trust.plan import RolePlan
from airlift.trust.site_key import Purpose, SiteKey
from authority import CHEAP, NOW, SITE, Authority, key

PHRASE = "correct horse battery staple"
BY = (NOW, "root@here")
_MADE = keys.generate(SITE)
ONE = SiteKey(public=_MADE.public, _key=_MADE)


def test_a_key_signs_without_anybody_watching(tmp_path: Path) -> None:
    """An import at night has to leave a receipt behind."""
    made = site_key.create(tmp_path, SITE)
    read = site_key.load(tmp_path)
    assert read.public == made.public == site_key.read_public(tmp_path)
    assert read.site == SITE
    signature = read.sign(Purpose.REQUEST, b"payload")
    assert len(signature) == site_key.SIGNATURE_BYTES
    assert site_key.verifies(read.public, Purpose.REQUEST, b"payload", signature)


def test_a_key_file_is_its_owners_alone(tmp_path: Path) -> None:
    """It may be unencrypted, so nobody else may read it."""
    site_key.create(tmp_path, SITE)
    assert (tmp_path / site_key.FILE).stat().st_mode & 0o777 == 0o600
    site_key.create(tmp_path, SITE, replace=True)
    assert (tmp_path / site_key.FILE).stat().st_mode & 0o777 == 0o600


def test_a_key_is_replaced_only_where_that_is_asked_for(tmp_path: Path) -> None:
    """A second first use must not cost the key that was enrolled."""
    first = site_key.create(tmp_path, SITE)
    with pytest.raises(RequestError, match="is there already"):
        site_key.create(tmp_path, SITE)
    assert site_key.read_public(tmp_path) == first.public
    second = site_key.create(tmp_path, SITE, replace=True)
    assert site_key.read_public(tmp_path) == second.public != first.public


def test_a_key_under_a_passphrase_asks_for_it(tmp_path: Path) -> None:
    """Where a site wants that, reading the file is not enough."""
    made = site_key.create(tmp_path, SITE, phrase=PHRASE, cost=CHEAP)
    assert b'"secret"' not in (tmp_path / site_key.FILE).read_bytes()
    assert site_key.read_public(tmp_path) == made.public
    signature = site_key.load(tmp_path, lambda: PHRASE).sign(Purpose.RECEIPT, b"x")
    assert site_key.verifies(made.public, Purpose.RECEIPT, b"x", signature)
    with pytest.raises(RequestError) as nobody:
        site_key.load(tmp_path)
    assert str(nobody.value) == f"the key of site `{SITE}` is encrypted"
    with pytest.raises(TrustError, match="the passphrase does not open"):
        site_key.load(tmp_path, lambda: "another")


@given(
    payload=st.binary(max_size=40),
    purpose=st.sampled_from(Purpose),
    place=st.integers(0, 8 * site_key.SIGNATURE_BYTES - 1),
)
def test_a_signature_counts_for_one_purpose_and_payload(
    payload: bytes, purpose: Purpose, place: int
) -> None:
    """A request must not pass for a receipt, nor anything after one flipped bit."""
    signature = ONE.sign(purpose, payload)
    assert site_key.verifies(ONE.public, purpose, payload, signature)
    other = next(each for each in Purpose if each != purpose)
    assert not site_key.verifies(ONE.public, other, payload, signature)
    assert not site_key.verifies(ONE.public, purpose, payload + b"\0", signature)
    assert not site_key.verifies(ONE.public, purpose, payload, signature + b"\0")
    flipped = bytearray(signature)
    flipped[place // 8] ^= 1 << place % 8
    assert not site_key.verifies(ONE.public, purpose, payload, bytes(flipped))


def test_what_a_site_key_signs_is_never_metadata(side: Authority) -> None:
    """Even if somebody gave it a role: its signatures are of other messages."""
    root = strict.root(side.publisher.root_bytes(), name="root")
    signed = metadata.payload(root.body)
    for purpose in Purpose:
        signature = ONE.sign(purpose, signed)
        assert not ONE.public.verifies(signature, signed)
        assert ONE.public.verifies(signature, purpose.value.encode() + b"\0" + signed)


def test_every_flipped_bit_of_a_key_file_is_noticed(tmp_path: Path) -> None:
    """A key that signs what nobody can check is found out where it is made."""
    made = site_key.create(tmp_path, SITE)
    path = tmp_path / site_key.FILE
    sound = path.read_bytes()
    for place in range(8 * len(sound)):
        data = bytearray(sound)
        data[place // 8] ^= 1 << place % 8
        path.write_bytes(data)
        try:
            read = site_key.load(tmp_path)
        except AirliftError:
            continue
        # Another name passes here, and is compared with the registry's
        # (``inbound.own_key``); another case of the hexadecimal digits is the same.
        assert read.public.key_id == made.public.key_id
        signature = read.sign(Purpose.RECEIPT, b"x")
        assert site_key.verifies(made.public, Purpose.RECEIPT, b"x", signature)


def test_the_public_half_names_its_site() -> None:
    """The small file that goes out says whose key it is, in one spelling."""
    data = site_key.encode_public(ONE.public)
    assert site_key.decode_public(data) == ONE.public
    assert json.loads(data)["format"] == "airlift/site-public-key/1"
    assert json.loads(data)["name"] == SITE


def test_a_site_key_is_no_key_of_a_person(tmp_path: Path) -> None:
    """Named as an approver by mistake, it is refused, with the reason."""
    path = tmp_path / "plant7.pub"
    path.write_bytes(site_key.encode_public(ONE.public))
    with pytest.raises(FormatError) as caught:
        public.read(path)
    assert str(caught.value) == (
        "plant7.pub: `format` is a site key, which signs receipts and requests only"
    )
    site_key.create(tmp_path, SITE)
    with pytest.raises(FormatError):
        keys.read(tmp_path / site_key.FILE)


def test_a_key_of_a_person_is_no_site_key() -> None:
    """Nor the other way round."""
    with pytest.raises(FormatError, match="is `airlift/public-key/1`"):
        site_key.decode_public(public.encode(ONE.public))
    curve = keys.generate(SITE, scheme="ecdsa-sha2-nistp256")
    with pytest.raises(FormatError, match="expected ed25519"):
        site_key.decode_public(site_key.encode_public(curve.public))


def enrolled(side: Authority, folder: Path, *, site: str = SITE) -> SiteKeys:
    """Return the enrolled keys of a connected side where ONE was enrolled."""
    known = SiteKeys(folder / "ledger")
    assert known.enrol(site, ONE.public, side.publisher, by=BY)
    return known


def test_an_enrolled_key_is_remembered(side: Authority, tmp_path: Path) -> None:
    """With who did it and when; twice is once."""
    known = enrolled(side, tmp_path)
    assert known.current(SITE) == ONE.public
    assert known.everyone() == {SITE: ONE.public}
    assert not known.enrol(SITE, ONE.public, side.publisher, by=("later", "else"))
    assert [(one.time, one.actor) for one in known.history(SITE)] == [BY]
    assert known.current("elsewhere") is None


def test_another_key_needs_to_be_asked_for(side: Authority, tmp_path: Path) -> None:
    """Who slips in a second key speaks for the site from then on."""
    known = enrolled(side, tmp_path)
    two = site_key.create(tmp_path / "two", SITE).public
    with pytest.raises(RequestError) as caught:
        known.enrol(SITE, two, side.publisher, by=BY)
    assert str(caught.value) == (
        f"site `{SITE}` has another key, enrolled {NOW} by root@here"
    )
    assert known.current(SITE) == ONE.public
    later = ("2026-03-02T00:00:00Z", "ann@desk")
    assert known.enrol(SITE, two, side.publisher, by=later, replace=True)
    assert [one.key for one in known.history(SITE)] == [ONE.public, two]
    assert known.current(SITE) == two
    with pytest.raises(RequestError, match="had this key before"):
        known.enrol(SITE, ONE.public, side.publisher, by=BY, replace=True)


def test_a_key_counts_for_its_own_site(side: Authority, tmp_path: Path) -> None:
    """One site must not be able to confirm what another was sent."""
    other = site_key.create(tmp_path / "two", "plant8").public
    with pytest.raises(RequestError) as caught:
        SiteKeys(tmp_path).enrol(SITE, other, side.publisher, by=BY)
    assert str(caught.value) == f"the key is of site `plant8`, not `{SITE}`"


def test_a_key_with_a_role_is_not_enrolled(tmp_path: Path) -> None:
    """A host that serves must hold no key that decides what it takes."""
    person = keys.generate(SITE)
    side = Authority(
        tmp_path / "side", plan=RolePlan.single(person.public), signers=[person]
    )
    with pytest.raises(TrustError) as caught:
        SiteKeys(tmp_path).enrol(SITE, person.public, side.publisher, by=BY)
    assert str(caught.value) == (
        f"the key of site `{SITE}` is the one `{SITE}` signs with"
    )
    assert SiteKeys(tmp_path).history(SITE) == ()


def test_an_enrolled_key_gets_no_role(side: Authority, tmp_path: Path) -> None:
    """Nor later, also when somebody writes it into a person's file."""
    known = enrolled(side, tmp_path)
    known.refuse_people([key("bob").public])
    disguised = public.decode(public.encode(ONE.public))
    with pytest.raises(TrustError) as caught:
        known.refuse_people([key("bob").public, disguised])
    assert str(caught.value) == f"the key of `{SITE}` is the site key of `{SITE}`"


def test_a_damaged_list_of_keys_is_said(side: Authority, tmp_path: Path) -> None:
    """No key is not the same as an unreadable one."""
    known = enrolled(side, tmp_path)
    path = tmp_path / "ledger" / SITE / "enrolled-keys"
    os.truncate(path, 20)
    with pytest.raises(FormatError, match="is not strict JSON"):
        known.current(SITE)
