"""Key files: nobody opens them but who knows the passphrase."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given, settings
from hypothesis import strategies as st
from securesystemslib.signer import (  # type: ignore[attr-defined]
    CryptoSigner,
    Key,
    SecretsHandler,
    Signature,
    Signer,
)

from airlift.errors import AirliftError, FormatError, RequestError, TrustError
from airlift.format import canonical
from airlift.trust import keys, public
from airlift.trust.schemes import SCHEMES
from authority import CHEAP

PASSPHRASE = "correct horse battery staple"
ALICE = keys.generate("alice")
FILE = keys.lock(ALICE, PASSPHRASE, cost=CHEAP)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_key_survives_its_file(tmp_path: Path, scheme: str) -> None:
    """What one machine saved, another signs with."""
    key = keys.generate("bob", scheme=scheme)
    secret, shared = keys.save(tmp_path, key, PASSPHRASE, cost=CHEAP)
    unlocked = keys.read(secret).unlock(PASSPHRASE)
    assert public.read(shared) == key.public == unlocked.public
    assert key.public.verifies(unlocked.sign(b"payload"), b"payload")
    assert not key.public.verifies(unlocked.sign(b"payload"), b"another")


def test_a_key_file_is_its_owners_alone(tmp_path: Path) -> None:
    """Whoever can read it can guess at it."""
    secret, shared = keys.save(tmp_path / "keys", ALICE, PASSPHRASE, cost=CHEAP)
    assert secret.stat().st_mode & 0o777 == 0o600
    assert shared.stat().st_mode & 0o777 == 0o644
    assert (tmp_path / "keys").stat().st_mode & 0o777 == 0o700


def test_a_key_is_never_written_over(tmp_path: Path) -> None:
    """Nobody can sign with a key that was lost so."""
    secret, _ = keys.save(tmp_path, ALICE, PASSPHRASE, cost=CHEAP)
    before = secret.read_bytes()
    with pytest.raises(RequestError, match="is there already"):
        keys.save(tmp_path, keys.generate("alice"), PASSPHRASE, cost=CHEAP)
    assert secret.read_bytes() == before


def test_the_file_never_holds_the_secret_in_the_open() -> None:
    """A backup of the file must not be a backup of the key."""
    assert b"PRIVATE KEY" not in FILE
    signer = ALICE.signer
    assert isinstance(signer, CryptoSigner)
    raw = signer._private_key.private_bytes_raw()  # type: ignore[union-attr]
    assert raw not in FILE
    assert raw.hex().encode() not in FILE
    assert raw.hex() not in repr(ALICE)


def test_a_wrong_passphrase_is_said_to_be_wrong() -> None:
    """The commonest error of all deserves a sentence."""
    with pytest.raises(TrustError) as caught:
        keys.decode(FILE).unlock("correct horse")
    assert str(caught.value) == "the passphrase does not open the key of `alice`"
    assert caught.value.hint == (
        "type it again; if it is surely right, the file was changed"
    )


def test_two_files_of_one_key_and_passphrase_share_nothing() -> None:
    """A salt or nonce used twice would give both files away."""
    first, second = keys.decode(FILE), keys.decode(keys.lock(ALICE, "x y", cost=CHEAP))
    assert first.salt != second.salt
    assert first.nonce != second.nonce
    assert first.ciphertext != second.ciphertext


def _changed(path: tuple[str, ...], value: object) -> bytes:
    table: dict[str, Any] = json.loads(FILE)
    inner = table
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    return canonical.encode(table)


OTHER = keys.generate("bob").public


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("name",), "mallory"),
        (("kdf", "passes"), 2),
        (("kdf", "memory_kib"), 65),
        (("kdf", "salt"), "00" * 16),
        (("nonce",), "00" * 12),
    ],
)
def test_every_field_is_bound_to_the_secret(
    path: tuple[str, ...], value: object
) -> None:
    """A file under another name, or made cheap to guess, must not open."""
    with pytest.raises(TrustError, match="the passphrase does not open"):
        keys.decode(_changed(path, value)).unlock(PASSPHRASE)


def test_another_public_half_does_not_open() -> None:
    """Somebody could otherwise be made to sign with another key than they think."""
    table = json.loads(FILE)
    table |= {"key_id": OTHER.key_id, "public": OTHER.public}
    with pytest.raises(TrustError, match="the passphrase does not open"):
        keys.decode(canonical.encode(table)).unlock(PASSPHRASE)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("kdf", "memory_kib"), (4 << 20) + 1, "is above the limit of 4194304"),
        (("kdf", "passes"), 65, "is above the limit of 64"),
        (("kdf", "lanes"), 65, "is above the limit of 64"),
        (("kdf", "lanes"), 9, "is less than 8 for each lane"),
        (("kdf", "passes"), 0, "is 0, expected at least 1"),
        (("kdf", "passes"), -1, "is -1, expected at least 1"),
        (("kdf", "name"), "pbkdf2", "is `pbkdf2`, expected `argon2id`"),
        (("cipher",), "none", "is `none`, expected `aes-256-gcm`"),
        (("format",), "airlift/key/2", "is `airlift/key/2`, expected `airlift/key/1`"),
        (("nonce",), "00" * 11, "is not lower-case hexadecimal of the right length"),
        (("kdf", "salt"), "AB" * 16, "is not lower-case hexadecimal of the right"),
        (("ciphertext",), "0", "is not hexadecimal"),
        (("scheme",), "rsa-pkcs1v15-sha256", "has the unknown value"),
        (("key_id",), "0" * 64, "whose id is not computed from it"),
        (("extra",), 1, "is not known here"),
    ],
)
def test_a_hostile_key_file_is_refused_before_any_work(
    path: tuple[str, ...], value: object, message: str
) -> None:
    """Terabytes of memory or years of passes must not be started."""
    with pytest.raises(FormatError, match=message):
        keys.decode(_changed(path, value))


@given(at=st.integers(0, len(FILE) - 1), bit=st.integers(0, 7))
@settings(deadline=None)
def test_no_changed_key_file_opens(at: int, bit: int) -> None:
    """Any flipped bit is an airlift error, never another exception or a key."""
    damaged = bytearray(FILE)
    damaged[at] ^= 1 << bit
    with pytest.raises(AirliftError):
        keys.decode(bytes(damaged)).unlock(PASSPHRASE)


@pytest.mark.parametrize("passphrase", ["", "   "])
def test_there_is_no_key_without_a_passphrase(passphrase: str) -> None:
    """An empty one typed by accident would leave the key in the open."""
    with pytest.raises(RequestError) as caught:
        keys.lock(ALICE, passphrase, cost=CHEAP)
    assert str(caught.value) == "the passphrase is empty"


def test_an_accent_typed_in_two_ways_is_one_passphrase() -> None:
    """Keyboards and systems compose accents differently."""
    locked = keys.decode(keys.lock(ALICE, "caf\u00e9", cost=CHEAP))
    assert locked.unlock("cafe\u0301").public == ALICE.public


def test_the_costs_are_the_documented_ones() -> None:
    """RFC 9106's second option, and four times its memory."""
    assert {
        "default": keys.Cost(memory_kib=262144, passes=3, lanes=4),
        "low-memory": keys.Cost(memory_kib=65536, passes=3, lanes=4),
    } == keys.COSTS
    assert keys.decode(keys.lock(ALICE, "x y", cost=keys.LOW_MEMORY)).cost == (
        keys.LOW_MEMORY
    )


@pytest.mark.parametrize(
    "name", ["", "a" * 65, "al\nice", " alice", "ali`ce", "\u202e"]
)
def test_a_name_that_cannot_be_shown_is_refused(name: str) -> None:
    """Names stand in what people are asked to sign."""
    with pytest.raises(RequestError, match="key name"):
        keys.generate(name)


@pytest.mark.parametrize("name", ["a/b", "../a", "-rf", "con", "a:b"])
def test_a_name_that_is_no_file_name_is_refused_on_saving(
    tmp_path: Path, name: str
) -> None:
    """A key must not land outside its folder."""
    with pytest.raises(RequestError, match="key name"):
        keys.save(tmp_path, keys.generate(name), PASSPHRASE, cost=CHEAP)
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_scheme_is_named_with_the_known() -> None:
    """The person can choose again at once."""
    with pytest.raises(RequestError) as caught:
        keys.generate("alice", scheme="rsa")
    assert str(caught.value) == (
        "unknown signature scheme `rsa`; known are `ed25519`, `ecdsa-sha2-nistp256`,"
        " `ecdsa-sha2-nistp384`, `ml-dsa-65/1`, `ml-dsa-87/1`"
    )


def _sealed(secret: bytes, holder: public.PublicKey) -> bytes:
    """Return a key file that opens to *secret* instead of *holder*'s key."""
    locked = replace(keys.decode(FILE), public=holder)
    cipher = AESGCM(keys._stretch(PASSPHRASE, locked.salt, CHEAP))
    sealed = cipher.encrypt(locked.nonce, secret, keys._bound(locked))
    table = {**keys._open_fields(locked), "ciphertext": sealed.hex()}
    return canonical.encode(table)


def test_a_file_that_opens_to_something_else_is_refused() -> None:
    """Its maker knew the passphrase; that does not make it a key."""
    with pytest.raises(FormatError) as caught:
        keys.decode(_sealed(b"not a key", ALICE.public)).unlock(PASSPHRASE)
    assert (
        str(caught.value) == "the key of `alice` opens, but holds no key airlift knows"
    )


def test_a_file_that_opens_to_another_key_is_refused() -> None:
    """One would sign with a key whose fingerprint one never saw."""
    other = keys.generate("alice").signer
    assert isinstance(other, CryptoSigner)
    with pytest.raises(TrustError) as caught:
        keys.decode(_sealed(other.private_bytes, ALICE.public)).unlock(PASSPHRASE)
    assert str(caught.value) == (
        "the key of `alice` opens, but is another key than it says"
    )


class Token(Signer):
    """A signer whose key never leaves it, as in a token."""

    def __init__(self, inside: Signer) -> None:
        self._inside = inside

    @property
    def public_key(self) -> Key:
        return self._inside.public_key

    @classmethod
    def from_priv_key_uri(
        cls,
        priv_key_uri: str,
        public_key: Key,
        secrets_handler: SecretsHandler | None = None,
    ) -> "Token":
        raise NotImplementedError

    def sign(self, payload: bytes) -> Signature:
        return self._inside.sign(payload)


def test_a_key_in_a_token_signs_and_stays_there() -> None:
    """Tokens are another signer for the same scheme."""
    key = keys.UnlockedKey(public=ALICE.public, signer=Token(ALICE.signer))
    assert key.public.verifies(key.sign(b"payload"), b"payload")
    with pytest.raises(RequestError) as caught:
        keys.lock(key, PASSPHRASE, cost=CHEAP)
    assert str(caught.value) == (
        "the key of `alice` lies in a token and cannot leave it"
    )
