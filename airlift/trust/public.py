"""Public keys: one spelling each, so that one key cannot pass for two.

TUF treats key ids as opaque names, and one key under two ids would meet a threshold
of two alone. Here the id is recomputed, and a key's text must be the very text its
material is written as; equal material is then an equal id.
"""

from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from securesystemslib.exceptions import UnverifiedSignatureError
from securesystemslib.signer import Signature, SSlibKey  # type: ignore[attr-defined]

from airlift import naming
from airlift.artifact import Json
from airlift.digest import Sha256, is_sha256
from airlift.errors import RequestError
from airlift.format import canonical
from airlift.format.fields import Fields
from airlift.trust import files
from airlift.trust.fingerprint import Fingerprint
from airlift.trust.schemes import SCHEMES, Scheme

FORMAT = "airlift/public-key/1"
SITE_FORMAT = "airlift/site-public-key/1"
"""Of the public half of a site's key, which can have no role (``trust.site_key``)."""
SUFFIX = ".pub"
NAME_LENGTH = 64
HOLDER = "x-airlift-name"
"""The field of a TUF key that says whose it is; signed, not part of the id."""

_LIMIT = 16 << 10
_SIGNATURE_BYTES = 8 << 10


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicKey:
    """The public half of a key.

    Attributes:
        name: Whose it is, in the words of who made it.
        scheme: A key of ``schemes.SCHEMES``.
        key_id: SHA-256 of the key's canonical TUF form.
        public: The key as TUF spells it: hexadecimal digits or PEM.
    """

    name: str
    scheme: str
    key_id: Sha256
    public: str

    @property
    def fingerprint(self) -> Fingerprint:
        """What two people compare."""
        return Fingerprint(self.key_id)

    def verifies(self, signature: bytes, payload: bytes) -> bool:
        """Say whether *signature* is this key's signature of *payload*.

        False also for the second form of an ECDSA signature (``Scheme.settle``).
        """
        if len(signature) > _SIGNATURE_BYTES:
            return False
        try:
            settled = SCHEMES[self.scheme].settle(signature) == signature
        except ValueError:
            return False
        return settled and self.verifies_any(signature, payload)

    def verifies_any(self, signature: bytes, payload: bytes) -> bool:
        """Say whether *signature* is right, whichever of two forms it has.

        For what others sign and a digest binds: of an ECDSA signature they take
        either form, and nobody can change it.
        """
        if len(signature) > _SIGNATURE_BYTES:
            return False
        try:
            self._tuf().verify_signature(
                Signature(self.key_id, signature.hex()), payload
            )
        except (ValueError, UnverifiedSignatureError):
            return False
        return True

    def to_json(self) -> dict[str, Json]:
        """Return the key as TUF metadata holds it."""
        return {
            "keytype": SCHEMES[self.scheme].key_type,
            "scheme": self.scheme,
            "keyval": {"public": self.public},
            HOLDER: self.name,
        }

    def _tuf(self) -> SSlibKey:
        key_type = SCHEMES[self.scheme].key_type
        return SSlibKey(self.key_id, key_type, self.scheme, {"public": self.public})


def of(key: SSlibKey, *, name: str) -> PublicKey:
    """Return the public half of a signer's *key* as *name*'s.

    Raises:
        RequestError: *name* cannot be shown on one line of a terminal.
    """
    if problem := name_problem(name):
        text = f"key name `{naming.show(name[:NAME_LENGTH])}` {problem}"
        raise RequestError(text, hint="take the holder's name or initials")
    return PublicKey(
        name=name,
        scheme=key.scheme,
        key_id=Sha256(key.keyid),
        public=key.keyval["public"],
    )


def name_problem(name: str) -> str:
    """Say what is wrong with *name* as a key holder's; empty when nothing is."""
    if not name or len(name) > NAME_LENGTH:
        return f"is empty or longer than {NAME_LENGTH} characters"
    if name != naming.show(name) or name != name.strip() or "`" in name:
        return "has characters that cannot be shown"
    return ""


def from_tuf(key_id: str, entry: Fields) -> PublicKey:
    """Return the key that *entry* of TUF metadata states under *key_id*.

    Raises:
        FormatError: Unknown scheme, another spelling than the one airlift writes, or
            an id that is not the key's own.
    """
    entry.only("keytype", "scheme", "keyval", HOLDER)
    keyval = entry.table("keyval")
    keyval.only("public")
    return _checked(entry, key_id, keyval.text("public"), entry.text(HOLDER))


def _checked(entry: Fields, key_id: str, public: str, name: str) -> PublicKey:
    scheme = entry.choice("scheme", _known)
    if problem := name_problem(name):
        entry.refuse(HOLDER, problem)
    try:
        key = SSlibKey.from_crypto(scheme.load(public))
    except (ValueError, UnsupportedAlgorithm):
        entry.refuse("scheme", f"is {scheme.name}, but the key is not such a key")
    written = (key.scheme, key.keyval["public"], key.keyid)
    if written[0] != scheme.name or entry.text("keytype", key.keytype) != key.keytype:
        entry.refuse("scheme", f"is {scheme.name}, but the key is for {written[0]}")
    if written[1] != public:
        entry.refuse("scheme", "goes with a key in another spelling than airlift's")
    if written[2] != key_id:
        entry.refuse("scheme", "goes with a key whose id is not computed from it")
    return of(key, name=name)


def _known(name: str) -> Scheme:
    if name not in SCHEMES:
        raise ValueError
    return SCHEMES[name]


def table(key: PublicKey) -> dict[str, Json]:
    """Return the fields by which airlift's own files state *key*."""
    return {
        "name": key.name,
        "scheme": key.scheme,
        "key_id": key.key_id,
        "public": key.public,
    }


def from_table(top: Fields) -> PublicKey:
    """Return the key that a file of airlift's own states.

    Raises:
        FormatError: As ``from_tuf``.
    """
    key_id = top.text("key_id")
    if not is_sha256(key_id):
        top.refuse("key_id", "is not 64 lower-case hexadecimal digits")
    return _checked(top, key_id, top.text("public"), top.text("name"))


def encode(key: PublicKey) -> bytes:
    """Return the bytes of the small file that carries *key* to a ceremony."""
    return canonical.encode({"format": FORMAT, **table(key)})


def decode(data: bytes, *, name: str = "public key") -> PublicKey:
    """Return the key that *data*, from outside, states.

    Raises:
        FormatError: It is not a public key file of airlift.
    """
    top = Fields(canonical.decode(data, name=name, limit=_LIMIT), record=name)
    top.only("format", "name", "scheme", "key_id", "public")
    if top.text("format") == SITE_FORMAT:
        problem = "is a site key, which signs receipts and requests only"
        top.refuse("format", problem, hint="give the public key of a person")
    top.expect("format", FORMAT)
    return from_table(top)


def read(path: Path) -> PublicKey:
    """Return the public key in the file *path*.

    Raises:
        RequestError: There is no such file.
        FormatError: It is not a public key file of airlift.
        StoreError: It cannot be read.
    """
    data = files.read(path, limit=_LIMIT, what="public key")
    return decode(data, name=naming.show(path.name))
