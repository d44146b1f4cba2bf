"""The key of an isolated site: what it signs says "this site says so", no more.

Made on the isolated host, it never leaves that; its public half is carried out once and
enrolled on the connected side, after two people compared its fingerprint. Unlike a
person's key it may lie unencrypted (mode 0600), since an import that nobody watches has
to sign a receipt: whoever can read it can already change what the site serves.

It is kept apart from the keys of TUF in three ways: its files have formats of their own,
which nothing else reads; what it signs begins with the purpose, and TUF's signed parts
begin with ``{``; and an enrolled key can be given no role, nor a key with a role be
enrolled (``trust.enrolled``). See docs/adr/0005-site-keys.md.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from securesystemslib.signer import (  # type: ignore[attr-defined]
    CryptoSigner,
    SSlibKey,
)

from airlift import naming
from airlift.artifact import Json
from airlift.errors import RequestError, TrustError
from airlift.format import canonical
from airlift.format.fields import Fields
from airlift.trust import files, keys, public
from airlift.trust.keys import Cost, UnlockedKey
from airlift.trust.public import PublicKey

FORMAT = "airlift/site-key/1"
FILE = "site-key"
"""Name of the private key's file in the isolated side's home."""
SIGNATURE_BYTES = 64
"""Of every signature: Ed25519 (RFC 8032)."""

_SCHEME = "ed25519"
_LIMIT = 64 << 10

Phrase = Callable[[], str]
"""Gives the passphrase, asked for only where the key is encrypted."""


class Purpose(StrEnum):
    """What a site key may sign; a signature for one is none for another."""

    RECEIPT = "airlift/receipt/1"
    REQUEST = "airlift/request/1"
    EVIDENCE = "airlift/evidence/1"
    """The list of digests of an evidence pack (docs/audit.md)."""

    def message(self, payload: bytes) -> bytes:
        """Return what is signed: the purpose, a zero byte, the payload."""
        return self.value.encode() + b"\0" + payload


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteKey:
    """A site's key that can sign, in memory only.

    Attributes:
        public: Its public half; the holder's name is the site's.
    """

    public: PublicKey
    _key: UnlockedKey = field(repr=False)

    @property
    def site(self) -> str:
        """The site's name."""
        return self.public.name

    def sign(self, purpose: Purpose, payload: bytes) -> bytes:
        """Return the 64-byte signature of *payload* for *purpose*."""
        return self._key.sign(purpose.message(payload))

    def sign_note(self, text: bytes) -> bytes:
        """Return the 64-byte signature of the text of a checkpoint of this site.

        Signed notes sign their text alone, without a purpose before it, so nothing else
        may be: three lines, the first of which names the site (docs/adr/0013).
        """
        assert _is_note(text, self.site), text
        return self._key.sign(text)


def verifies(
    key: PublicKey, purpose: Purpose, payload: bytes, signature: bytes
) -> bool:
    """Say whether *signature* is by the site key *key*, of *payload*, for *purpose*."""
    right = key.scheme == _SCHEME and len(signature) == SIGNATURE_BYTES
    return right and key.verifies(signature, purpose.message(payload))


def verifies_note(key: PublicKey, text: bytes, signature: bytes) -> bool:
    """Say whether *signature* is by the site key *key*, of a checkpoint of its site."""
    right = key.scheme == _SCHEME and len(signature) == SIGNATURE_BYTES
    return right and _is_note(text, key.name) and key.verifies(signature, text)


def _is_note(text: bytes, site: str) -> bool:
    """Say whether *text* can be nothing but a checkpoint's, whatever else is signed."""
    named = text.startswith(f"airlift/{site}\n".encode())
    return named and text.count(b"\n") == 3 and text.endswith(b"\n")


def create(
    home: Path,
    site: str,
    *,
    phrase: str | None = None,
    cost: Cost = keys.DEFAULT,
    replace: bool = False,
) -> SiteKey:
    """Make the key of *site* in *home*, for its owner's eyes only.

    Args:
        home: The isolated side's home.
        site: The site's name.
        phrase: Encrypts the file, as a person's key is; None leaves it plain.
        cost: What a guess at the passphrase costs.
        replace: Put it in the place of the one there is, which is lost for ever.

    Raises:
        RequestError: There is one already, or the passphrase is empty.
        StoreError: The disk refuses.
    """
    if not naming.is_site(site):
        problem = f"`{naming.show(site)}` cannot be a site's name"
        raise RequestError(problem, hint="use 1 to 32 of a-z, 0-9 and -")
    private = Ed25519PrivateKey.generate()
    key = _unlocked(private, site)
    secret: dict[str, Json] = {"secret": private.private_bytes_raw().hex()}
    if phrase is not None:
        secret = {"locked": keys.lock(key, phrase, cost=cost).decode()}
    data = canonical.encode({"format": FORMAT, **public.table(key.public), **secret})
    files.make_folder(home)
    write = files.write if replace else files.write_new
    write(home / FILE, data, mode=files.PRIVATE)
    return SiteKey(public=key.public, _key=key)


def read_public(home: Path) -> PublicKey | None:
    """Return the public half of the key in *home*; None where there is no key.

    Raises:
        FormatError: The file is not a site key.
        StoreError: It cannot be read.
    """
    if not files.there(home / FILE):
        return None
    return _public(_fields(home), _SECRETS)


def load(home: Path, phrase: Phrase | None = None) -> SiteKey:
    """Return the key in *home*, ready to sign.

    Args:
        home: The isolated side's home.
        phrase: Asked where the key is encrypted; None where nobody can be asked.

    Raises:
        RequestError: There is none, or it is encrypted and nobody can be asked.
        FormatError: The file is not a site key.
        TrustError: The passphrase is wrong, or the file holds another key than it says.
        StoreError: It cannot be read.
    """
    top = _fields(home)
    stated = _public(top, _SECRETS)
    if top.has("locked"):
        if phrase is None:
            problem = f"the key of site `{stated.name}` is encrypted"
            raise RequestError(problem, hint="give --passphrase-file")
        locked = keys.decode(top.text("locked").encode(), name=FILE)
        key = locked.unlock(phrase())
    else:
        key = _plain(top)
    if key.public != stated:
        problem = f"the file of the site key of `{stated.name}` holds another key"
        raise TrustError(problem, hint="use the copy you kept, or make a new key")
    return SiteKey(public=stated, _key=key)


def encode_public(key: PublicKey) -> bytes:
    """Return the bytes of the small file that carries *key* to the connected side."""
    return canonical.encode({"format": public.SITE_FORMAT, **public.table(key)})


def pem(key: PublicKey) -> str:
    """Return a site's public key as other programs read it (RFC 8410, PEM)."""
    found = Ed25519PublicKey.from_public_bytes(bytes.fromhex(key.public))
    encoding, form = Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
    return found.public_bytes(encoding, form).decode()


def decode_public(data: bytes, *, name: str = "site key") -> PublicKey:
    """Return the site key that *data*, from outside, states.

    Raises:
        FormatError: It is not a site's public key file.
    """
    top = Fields(canonical.decode(data, name=name, limit=_LIMIT), record=name)
    top.expect("format", public.SITE_FORMAT)
    return _public(top, ())


_SECRETS = ("secret", "locked")


def _fields(home: Path) -> Fields:
    data = files.read(home / FILE, limit=_LIMIT, what="site key")
    top = Fields(canonical.decode(data, name=FILE, limit=_LIMIT), record=FILE)
    top.expect("format", FORMAT)
    return top


def _public(top: Fields, secrets: tuple[str, ...]) -> PublicKey:
    """Return the public half that *top* states, beside one of *secrets*."""
    top.only("format", "name", "scheme", "key_id", "public", *secrets)
    if secrets and top.has("secret") == top.has("locked"):
        top.refuse("secret", "or `locked` is to be there, and not both")
    key = public.from_table(top)
    if key.scheme != _SCHEME:
        top.refuse("scheme", f"is {key.scheme}, expected {_SCHEME}")
    if not naming.is_site(key.name):
        top.refuse("name", f"is not a site name: `{naming.show(key.name)}`")
    return key


def _plain(top: Fields) -> UnlockedKey:
    try:
        seed = bytes.fromhex(top.text("secret"))
        private = Ed25519PrivateKey.from_private_bytes(seed)
    except ValueError:
        top.refuse("secret", "is not the 32 bytes of a key, in hexadecimal")
    return _unlocked(private, top.text("name"))


def _unlocked(private: Ed25519PrivateKey, site: str) -> UnlockedKey:
    key = SSlibKey.from_crypto(private.public_key())
    signer = CryptoSigner(private, key)
    return UnlockedKey(public=public.of(key, name=site), signer=signer)
