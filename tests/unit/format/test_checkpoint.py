"""Checkpoints: one spelling each, one key each."""

import base64
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from airlift.digest import sha256
from airlift.errors import FormatError, TrustError
from airlift.format import checkpoint as notes
from airlift.format.checkpoint import Checkpoint
from airlift.trust import checkpoint, keys, site_key
from airlift.trust.site_key import Purpose, SiteKey

_MADE = keys.generate("plant7")
KEY = SiteKey(public=_MADE.public, _key=_MADE)
TOLD = Checkpoint(site="plant7", size=42, root=sha256(b"root"))


def test_a_note_is_what_c2sp_describes() -> None:
    """Tools of others read it: text, an empty line, a dash, the name, hash and signature."""
    note = checkpoint.seal(TOLD, KEY).decode()
    text, signed = note.split("\n\n")
    root = base64.b64encode(bytes.fromhex(TOLD.root)).decode()
    assert text == f"airlift/plant7\n42\n{root}"
    dash, name, coded = signed.removesuffix("\n").split(" ")
    assert (dash, name) == ("\u2014", "airlift/plant7")
    public, raw = checkpoint.raw(KEY.public), base64.b64decode(coded)
    hashed = sha256(b"airlift/plant7\n\x01" + public)
    assert raw[:4].hex() == hashed[:8]
    Ed25519PublicKey.from_public_bytes(public).verify(raw[4:], f"{text}\n".encode())
    assert notes.verifier_key("plant7", public).split("+", 2)[:2] == [name, hashed[:8]]


def test_every_bit_of_a_note_counts() -> None:
    """A note with any bit changed is another one, or none."""
    note = checkpoint.seal(TOLD, KEY)
    assert checkpoint.believe(note, KEY.public) == TOLD
    for at in range(8 * len(note)):
        changed = bytearray(note)
        changed[at // 8] ^= 1 << at % 8
        with pytest.raises((FormatError, TrustError)):
            checkpoint.believe(bytes(changed), KEY.public)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"\n42\n", b"\n042\n"),
        (b"\n42\n", b"\n+42\n"),
        (b"\n42\n", b"\n42\nextra\n"),
        (b"\n42\n", b"\r\n42\n"),
        (b"airlift/plant7\n4", b"airlift/PLANT7\n4"),
        (b"\n\n", b"\n"),
        (b"\n\n", b"\n\n\n"),
        ("\n\u2014 ".encode(), b"\n- "),
        (b"=\n", b"\n"),
    ],
)
def test_a_note_has_one_spelling(old: bytes, new: bytes) -> None:
    """Two readers who read one note differently are two histories."""
    note = checkpoint.seal(TOLD, KEY)
    with pytest.raises(FormatError):
        notes.decode(note.replace(old, new, 1))


def test_a_note_is_of_its_own_site_only() -> None:
    """The key of one plant says nothing about the log of another."""
    other = Checkpoint(site="plant8", size=1, root=TOLD.root)
    with pytest.raises(
        TrustError, match="the key is of site `plant7`, the log of `plant8`"
    ):
        checkpoint.seal(other, KEY)
    stranger = keys.generate("plant7")
    with pytest.raises(TrustError, match="is not signed by the key of `plant7`"):
        checkpoint.believe(checkpoint.seal(TOLD, KEY), stranger.public)


def test_no_signature_of_a_note_passes_for_one_of_a_receipt(tmp_path: Path) -> None:
    """One key signs both; what it signs begins otherwise."""
    made = site_key.create(tmp_path, "plant7")
    signature = made.sign_note(TOLD.text)
    assert site_key.verifies_note(made.public, TOLD.text, signature)
    for purpose in (Purpose.RECEIPT, Purpose.REQUEST):
        assert not site_key.verifies(made.public, purpose, TOLD.text, signature)
        message = purpose.message(TOLD.text)
        signed = made.sign(purpose, TOLD.text)
        assert not site_key.verifies_note(made.public, message, signed)
        assert not site_key.verifies_note(made.public, TOLD.text, signed)
