"""Private keys: made, kept in encrypted files, unlocked, and used to sign.

A key file is one line of canonical JSON. Its secret is the key in PKCS #8, encrypted
with AES-256-GCM under a key that Argon2id makes from the passphrase; every other
field is bound as associated data, so that a file with another name, public key or
cost does not open. There is no unencrypted form.

Source: RFC 9106 (Argon2), NIST SP 800-38D (GCM).
"""

import secrets
import unicodedata
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from securesystemslib.signer import (  # type: ignore[attr-defined]
    CryptoSigner,
    Signer,
    SSlibKey,
)

from airlift import naming
from airlift.artifact import Json
from airlift.errors import FormatError, RequestError, TrustError
from airlift.format import canonical
from airlift.format.fields import Fields
from airlift.trust import files, public, schemes
from airlift.trust.public import PublicKey
from airlift.trust.schemes import Family

FORMAT = "airlift/key/1"
SUFFIX = ".key"
CIPHER = "aes-256-gcm"

_LIMIT = 64 << 10
_KEY_BYTES = 32
_SALT_BYTES = 16
_NONCE_BYTES = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What one guess at a passphrase costs.

    Attributes:
        memory_kib: KiB that Argon2id fills.
        passes: How often it goes over them.
        lanes: How many cores can work on one guess.
    """

    memory_kib: int
    passes: int
    lanes: int


DEFAULT = Cost(memory_kib=256 << 10, passes=3, lanes=4)
"""About one second on two cores of 2026; 256 MiB for each guess tried at once."""
LOW_MEMORY = Cost(memory_kib=64 << 10, passes=3, lanes=4)
"""The second recommended option of RFC 9106, section 4."""
COSTS = {"default": DEFAULT, "low-memory": LOW_MEMORY}
"""The costs a user can choose from, by name."""

# A hostile key file could otherwise take all memory, or days, before it is refused.
_MOST = Cost(memory_kib=4 << 20, passes=64, lanes=64)


@dataclass(frozen=True, slots=True, kw_only=True)
class UnlockedKey:
    """A key that can sign, in memory only."""

    public: PublicKey
    signer: Signer = field(repr=False)

    def sign(self, payload: bytes) -> bytes:
        """Return the signature of *payload*, in the one form airlift accepts."""
        signature = bytes.fromhex(self.signer.sign(payload).signature)
        return schemes.SCHEMES[self.public.scheme].settle(signature)


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedKey:
    """A key file as read: its public half, and a secret that asks for a passphrase."""

    public: PublicKey
    cost: Cost
    salt: bytes
    nonce: bytes
    ciphertext: bytes = field(repr=False)

    def unlock(self, passphrase: str) -> UnlockedKey:
        """Return the key; takes as long as its cost says.

        Raises:
            TrustError: The passphrase is wrong, or the file was changed; the cipher
                cannot tell the two apart.
        """
        cipher = AESGCM(_stretch(passphrase, self.salt, self.cost))
        holder = f"key of `{self.public.name}`"
        try:
            secret = cipher.decrypt(self.nonce, self.ciphertext, _bound(self))
            private = load_pem_private_key(secret, None)
            key = SSlibKey.from_crypto(private.public_key())
            signer = CryptoSigner(private, key)
        except InvalidTag as error:
            problem = f"the passphrase does not open the {holder}"
            hint = "type it again; if it is surely right, the file was changed"
            raise TrustError(problem, hint=hint) from error
        except ValueError as error:
            problem = f"the {holder} opens, but holds no key airlift knows"
            raise FormatError(problem, hint="use the copy you kept") from error
        if key.keyid != self.public.key_id:
            problem = f"the {holder} opens, but is another key than it says"
            raise TrustError(problem, hint="use the copy you kept")
        return UnlockedKey(public=self.public, signer=signer)


def generate(name: str, *, scheme: str = schemes.DEFAULT) -> UnlockedKey:
    """Make a new key for the holder *name*.

    Raises:
        RequestError: *scheme* is not one airlift knows, or *name* cannot be shown.
    """
    row = schemes.SCHEMES.get(scheme)
    if row is None:
        known = ", ".join(f"`{one}`" for one in schemes.SCHEMES)
        problem = f"unknown signature scheme `{naming.show(scheme)}`; known are {known}"
        raise RequestError(problem)
    signer = row.generate()
    return UnlockedKey(public=public.of(signer.public_key, name=name), signer=signer)


def lock(key: UnlockedKey, passphrase: str, *, cost: Cost = DEFAULT) -> bytes:
    """Return the bytes of a key file that *passphrase* opens.

    Raises:
        RequestError: The passphrase is empty, or the key lies in a token.
    """
    if not passphrase.strip():
        problem = "the passphrase is empty"
        hint = "take five or more random words; airlift keeps no key without one"
        raise RequestError(problem, hint=hint)
    if not isinstance(key.signer, CryptoSigner):
        problem = f"the key of `{key.public.name}` lies in a token and cannot leave it"
        raise RequestError(problem)
    locked = LockedKey(
        public=key.public,
        cost=cost,
        salt=secrets.token_bytes(_SALT_BYTES),
        nonce=secrets.token_bytes(_NONCE_BYTES),
        ciphertext=b"",
    )
    cipher = AESGCM(_stretch(passphrase, locked.salt, cost))
    secret = cipher.encrypt(locked.nonce, key.signer.private_bytes, _bound(locked))
    return canonical.encode({**_open_fields(locked), "ciphertext": secret.hex()})


def save(
    folder: Path, key: UnlockedKey, passphrase: str, *, cost: Cost = DEFAULT
) -> tuple[Path, Path]:
    """Write *key* to *folder* as a key file and a public one; return both paths.

    They are called by ``stem``: ``NAME.key`` and ``NAME.pub``.

    Raises:
        RequestError: One of them is there already, or ``lock`` refuses.
        StoreError: The disk refuses.
    """
    name = stem(key.public)
    problem = naming.path_problem(f"{name}{SUFFIX}")
    if problem or "/" in name:
        text = f"key name `{naming.show(name)}` {problem or 'has a slash'}"
        raise RequestError(text, hint="choose a name that can be a file's")
    secret, shared = folder / f"{name}{SUFFIX}", folder / f"{name}{public.SUFFIX}"
    data = lock(key, passphrase, cost=cost)
    files.make_folder(folder)
    files.write_new(secret, data, mode=files.PRIVATE)
    files.write_new(shared, public.encode(key.public))
    return secret, shared


def stem(key: PublicKey) -> str:
    """Return what the files of *key* are called, without their endings.

    By its holder; by its scheme too where it is of the lattice family, and so the
    second key of a person.
    """
    row = schemes.SCHEMES[key.scheme]
    return key.name if row.family is Family.CLASSICAL else f"{key.name}.{row.label}"


def read(path: Path) -> LockedKey:
    """Return the locked key in the file *path*.

    Raises:
        RequestError: There is no such file.
        FormatError: It is not a key file of airlift, or asks for more memory or time
            than any key file should.
        StoreError: It cannot be read.
    """
    return decode(read_bytes(path), name=naming.show(path.name))


def read_bytes(path: Path) -> bytes:
    """Return what the key file *path* holds, unread.

    Raises:
        RequestError: There is no such file.
        StoreError: It cannot be read.
    """
    return files.read(path, limit=_LIMIT, what="key file")


def decode(data: bytes, *, name: str = "key file") -> LockedKey:
    """Return the locked key that *data*, from outside, states.

    Raises:
        FormatError: As ``read``.
    """
    top = Fields(canonical.decode(data, name=name, limit=_LIMIT), record=name)
    top.only(
        *("format", "name", "scheme", "key_id", "public"),
        *("kdf", "cipher", "nonce", "ciphertext"),
    )
    top.expect("format", FORMAT)
    top.expect("cipher", CIPHER)
    kdf = top.table("kdf")
    kdf.only("name", "memory_kib", "passes", "lanes", "salt")
    kdf.expect("name", "argon2id")
    return LockedKey(
        public=public.from_table(top),
        cost=_cost(kdf),
        salt=_octets(kdf, "salt", _SALT_BYTES),
        nonce=_octets(top, "nonce", _NONCE_BYTES),
        ciphertext=_octets(top, "ciphertext", None),
    )


def _cost(kdf: Fields) -> Cost:
    cost = Cost(
        memory_kib=kdf.number("memory_kib", least=8),
        passes=kdf.number("passes", least=1),
        lanes=kdf.number("lanes", least=1),
    )
    for key in ("memory_kib", "passes", "lanes"):
        if getattr(cost, key) > getattr(_MOST, key):
            kdf.refuse(key, f"is above the limit of {getattr(_MOST, key)}")
    if cost.memory_kib < 8 * cost.lanes:  # RFC 9106, section 3.1
        kdf.refuse("memory_kib", "is less than 8 for each lane")
    return cost


def _octets(fields: Fields, key: str, length: int | None) -> bytes:
    text = fields.text(key)
    try:
        octets = bytes.fromhex(text)
    except ValueError:
        fields.refuse(key, "is not hexadecimal")
    if octets.hex() != text or length not in (None, len(octets)):
        fields.refuse(key, "is not lower-case hexadecimal of the right length")
    return octets


def _stretch(passphrase: str, salt: bytes, cost: Cost) -> bytes:
    # One form of each letter, so that a passphrase typed on another keyboard or
    # system (composed or decomposed accents) is the same bytes.
    octets = unicodedata.normalize("NFC", passphrase).encode("utf-8", "surrogatepass")
    kdf = Argon2id(
        salt=salt,
        length=_KEY_BYTES,
        iterations=cost.passes,
        lanes=cost.lanes,
        memory_cost=cost.memory_kib,
    )
    return kdf.derive(octets)


def _open_fields(key: LockedKey) -> dict[str, Json]:
    return {
        "format": FORMAT,
        **public.table(key.public),
        "kdf": {
            "name": "argon2id",
            "memory_kib": key.cost.memory_kib,
            "passes": key.cost.passes,
            "lanes": key.cost.lanes,
            "salt": key.salt.hex(),
        },
        "cipher": CIPHER,
        "nonce": key.nonce.hex(),
    }


def _bound(key: LockedKey) -> bytes:
    return canonical.encode(_open_fields(key))
