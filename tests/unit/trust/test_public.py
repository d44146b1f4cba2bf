"""Public keys: one spelling, one id, one form of signature."""

import itertools
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from securesystemslib.signer import SSlibKey  # type: ignore[attr-defined]

from airlift.artifact import Json
from airlift.errors import AirliftError, FormatError
from airlift.format import canonical
from airlift.format.fields import Fields
from airlift.trust import public
from airlift.trust.schemes import SCHEMES
from authority import key

CURVES = ("ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384")


def entry(table: dict[str, Json]) -> Fields:
    """Return *table* as a key in metadata."""
    return Fields(table, record="root")


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_key_comes_back_from_metadata_as_it_went_in(scheme: str) -> None:
    """Both sides must mean the same key."""
    one = key("alice", scheme).public
    assert public.from_tuf(one.key_id, entry(one.to_json())) == one
    assert public.decode(public.encode(one)) == one


def test_ids_are_those_of_tuf() -> None:
    """Other TUF software must agree on who signed."""
    one = key("alice").public
    expected = SSlibKey.from_crypto(SCHEMES[one.scheme].load(one.public))
    assert one.key_id == expected.keyid


def test_one_key_under_two_ids_is_refused() -> None:
    """With ids taken on trust, one key could meet a threshold of two alone."""
    one = key("alice").public
    other_id = "0" * 64
    with pytest.raises(FormatError) as caught:
        public.from_tuf(other_id, entry(one.to_json()))
    assert str(caught.value) == (
        "root: `scheme` goes with a key whose id is not computed from it"
    )


def _respelt(text: str) -> list[str]:
    if not text.startswith("-----"):
        return [text.upper(), f" {text}", text + "\n", text[:8] + " " + text[8:]]
    return [
        text + "\n",
        text.replace("\n", "\r\n"),
        text.rstrip("\n"),
        "comment\n" + text,
        text + text,
        text.replace("PUBLIC KEY", "PUBLIC KEY ", 1),
    ]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_key_in_another_spelling_is_refused(scheme: str) -> None:
    """Each spelling has its own TUF id: a second spelling is a second signer."""
    one = key("alice", scheme).public
    for text in _respelt(one.public):
        table = one.to_json() | {"keyval": {"public": text}}
        claimed = SSlibKey("x", "y", "z", {"public": text})
        with pytest.raises(FormatError, match="root: `scheme`"):
            public.from_tuf(claimed.keyid, entry(table))


@pytest.mark.parametrize(
    ("scheme", "label"),
    [pair for pair in itertools.product(SCHEMES, SCHEMES) if pair[0] != pair[1]],
)
def test_a_key_under_another_schemes_label_is_refused(scheme: str, label: str) -> None:
    """Algorithm confusion begins with a label that is believed."""
    one = key("alice", scheme).public
    for key_type in ("ed25519", "ecdsa"):
        table = one.to_json() | {"scheme": label, "keytype": key_type}
        with pytest.raises(
            FormatError, match=f"root: `scheme` is {label}, but the key"
        ):
            public.from_tuf(one.key_id, entry(table))


@pytest.mark.parametrize(
    "scheme",
    [
        *("rsassa-pss-sha256", "rsa-pkcs1v15-sha1", "ecdsa-sha2-nistp521", "pgp"),
        *("ml-dsa-44/1", "ml-dsa-65", "slh-dsa", "ed448", "none", ""),
    ],
)
def test_a_scheme_off_the_list_is_refused(scheme: str) -> None:
    """What airlift cannot vouch for must not count as a signature."""
    table = key("alice").public.to_json() | {"scheme": scheme}
    with pytest.raises(FormatError) as caught:
        public.from_tuf(key("alice").public.key_id, entry(table))
    assert str(caught.value) == f"root: `scheme` has the unknown value `{scheme}`"


def test_an_rsa_key_under_an_accepted_label_is_refused() -> None:
    """A short RSA key would otherwise come in through the PEM reader."""
    weak = SSlibKey.from_crypto(rsa.generate_private_key(65537, 1024).public_key())
    table: dict[str, Json] = {
        "keytype": "ecdsa",
        "scheme": "ecdsa-sha2-nistp256",
        "keyval": {"public": weak.keyval["public"]},
        public.HOLDER: "mallory",
    }
    with pytest.raises(FormatError, match="is ecdsa-sha2-nistp256, but the key"):
        public.from_tuf(weak.keyid, entry(table))


@pytest.mark.parametrize("scheme", CURVES)
def test_the_second_form_of_an_ecdsa_signature_is_refused(scheme: str) -> None:
    """A courier can compute it without any key, and so change signed files."""
    one, order = key("alice", scheme), SCHEMES[scheme].order
    for text in (b"%d" % number for number in range(20)):
        signature = one.sign(text)
        r, s = decode_dss_signature(signature)
        assert s <= order // 2
        twin = encode_dss_signature(r, order - s)
        assert one.public.verifies(signature, text)
        assert not one.public.verifies(twin, text)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_no_changed_signature_verifies(scheme: str) -> None:
    """Not a bit of a signature may be free: signatures are carried as they are."""
    one = key("alice", scheme)
    signature = one.sign(b"payload")
    for at in range(len(signature) * 8):
        damaged = bytearray(signature)
        damaged[at // 8] ^= 1 << at % 8
        assert not one.public.verifies(bytes(damaged), b"payload")


@pytest.mark.parametrize("scheme", SCHEMES)
@given(signature=st.binary(max_size=200))
@settings(deadline=None)
def test_no_invented_signature_verifies(scheme: str, signature: bytes) -> None:
    """Any bytes may come in place of a signature; none may raise."""
    assert not key("alice", scheme).public.verifies(signature, b"payload")


@pytest.mark.parametrize("scheme", SCHEMES)
def test_trailing_bytes_after_a_signature_are_refused(scheme: str) -> None:
    """They would travel as if signed."""
    one = key("alice", scheme)
    for extra in (b"\0", b"x" * 9000):
        assert not one.public.verifies(one.sign(b"payload") + extra, b"payload")


def test_a_public_key_file_with_a_changed_bit_is_refused(tmp_path: Path) -> None:
    """A key exchanged on a stick is the beginning of all trust."""
    one = key("alice").public
    data, path = public.encode(one), tmp_path / "alice.pub"
    for at in range(len(data)):
        damaged = bytearray(data)
        damaged[at] ^= 1
        path.write_bytes(damaged)
        try:
            found = public.read(path)
        except AirliftError:
            continue
        # Only the name is free here: the id is what is compared by telephone.
        assert found.key_id == one.key_id
        assert found.name != one.name


def test_unknown_fields_of_a_key_are_refused() -> None:
    """An ignored field could change what the key is in a later version."""
    table = key("alice").public.to_json() | {"expires": "never"}
    with pytest.raises(FormatError, match="`expires` is not known here"):
        public.from_tuf(key("alice").public.key_id, entry(table))


def test_a_key_file_is_canonical_json() -> None:
    """Two files of one key are the same bytes."""
    data = public.encode(key("alice").public)
    assert canonical.encode(canonical.decode(data, name="x", limit=9999)) == data
