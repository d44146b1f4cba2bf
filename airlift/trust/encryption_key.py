"""The keys with which an isolated site opens what was encrypted to it.

Made on the isolated host, they never leave it. They lie unencrypted (mode 0600): an
import that nobody watches has to open volumes, and whoever can read them there can read
the store, which holds in plain what the media held. A key that was replaced is kept, for
media that are under way, until somebody says it is to be forgotten.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from airlift import naming
from airlift.artifact import Json
from airlift.digest import Sha256
from airlift.errors import RequestError
from airlift.format import canonical
from airlift.format.cover import SECRET, Cover
from airlift.format.fields import Fields
from airlift.trust import files, recipient, suites
from airlift.trust.recipient import Recipient
from airlift.trust.suites import SUITES

FORMAT = "airlift/site-encryption-keys/1"
FILE = "encryption-keys"
"""Name of the file in the isolated side's home."""
_LIMIT = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class EncryptionKey:
    """A key of this site: what is encrypted to, and what opens it.

    Attributes:
        public: The public half.
        secret: The bytes of the private key.
    """

    public: Recipient
    secret: bytes = field(repr=False)


class Opener:
    """Opens what was encrypted to any of some keys.

    Args:
        keys: The keys, the newest last; none on a host that has none.
    """

    def __init__(self, keys: tuple[EncryptionKey, ...] = ()) -> None:
        self._keys: Mapping[Sha256, EncryptionKey] = {
            one.public.key_id: one for one in keys
        }
        self._opened: dict[bytes, bytes | None] = {}

    def secret(self, cover: Cover) -> bytes | None:
        """Return the secret that *cover* carries; None where no key here opens it."""
        sealed = cover.encapsulated
        # The covers of all volumes of a delivery carry the same.
        if sealed not in self._opened:
            self._opened[sealed] = self._open(cover)
        return self._opened[sealed]

    def problem(self, cover: Cover) -> str:
        """Say why *cover* cannot be opened here."""
        shown = f"is encrypted to the key {cover.key_id[:16]} of `{cover.site}`"
        if not self._keys:
            return f"{shown}, and this host has no key to decrypt with"
        if cover.key_id in self._keys:
            return f"says that it {shown}, and that key does not open it"
        own = ", ".join(one[:16] for one in self._keys)
        return f"{shown}, and this host has {own}"

    def _open(self, cover: Cover) -> bytes | None:
        key = self._keys.get(cover.key_id)
        if key is None or key.public.suite != cover.suite:
            return None
        bound = recipient.about(cover.site, cover.sequence)
        suite = SUITES[key.public.suite]
        secret = suite.open(cover.encapsulated, key.secret, bound)
        return secret if secret is not None and len(secret) == SECRET else None


NO_KEYS = Opener()
"""Of a host that has no key: opens nothing."""


def create(home: Path, site: str, *, suite: str = suites.DEFAULT) -> EncryptionKey:
    """Make a new key of *site* in *home*; the ones before are kept.

    Args:
        home: The isolated side's home.
        site: The site's name.
        suite: A name of ``trust.suites.SUITES``.

    Raises:
        RequestError: There is no such suite here.
        FormatError: The file of the keys is damaged.
        StoreError: The disk refuses.
    """
    if suite not in SUITES:
        known = ", ".join(f"`{one}`" for one in SUITES)
        problem = f"unknown suite `{naming.show(suite)}`; known are {known}"
        raise RequestError(problem)
    secret = SUITES[suite].make()
    half = SUITES[suite].half(secret)
    made = EncryptionKey(
        public=Recipient(site=site, suite=suite, public=half), secret=secret
    )
    _write(home, (*read(home), made))
    return made


def forget(home: Path) -> int:
    """Keep only the newest key; return how many were forgotten.

    Raises:
        FormatError: The file of the keys is damaged.
        StoreError: The disk refuses.
    """
    known = read(home)
    if len(known) > 1:
        _write(home, known[-1:])
    return max(0, len(known) - 1)


def read(home: Path) -> tuple[EncryptionKey, ...]:
    """Return the keys in *home*, the newest last; none where there are none.

    Raises:
        FormatError: The file is damaged.
        StoreError: It cannot be read.
    """
    if not (home / FILE).exists():
        return ()
    data = files.read(home / FILE, limit=_LIMIT, what="encryption keys")
    top = Fields(canonical.decode(data, name=FILE, limit=_LIMIT), record=FILE)
    top.exactly("format", "keys")
    top.expect("format", FORMAT)
    return tuple(_key(one) for one in top.tables("keys"))


def opener(home: Path) -> Opener:
    """Return what opens volumes on the host with this *home*.

    Raises:
        FormatError, StoreError: As ``read``.
    """
    return Opener(read(home))


def _write(home: Path, keys: tuple[EncryptionKey, ...]) -> None:
    listed: list[Json] = [
        {**recipient.table(one.public), "secret": one.secret.hex()} for one in keys
    ]
    files.make_folder(home)
    data = canonical.encode({"format": FORMAT, "keys": listed})
    files.write(home / FILE, data, mode=files.PRIVATE)


def _key(entry: Fields) -> EncryptionKey:
    entry.exactly("site", "suite", "key_id", "public", "secret")
    public = recipient.from_table(entry)
    try:
        secret = bytes.fromhex(entry.text("secret"))
        half = SUITES[public.suite].half(secret)
    except ValueError:
        secret = half = b""
    if half != public.public:
        entry.refuse("secret", "is not the private half of the key")
    return EncryptionKey(public=public, secret=secret)
