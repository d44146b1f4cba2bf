"""The encryption key of a site: its public half, and what is encrypted to it.

It hides what media hold from whoever finds them, and vouches for nothing: anybody who
has the public half can encrypt to it, and what comes out of it is verified like what was
never encrypted. See docs/adr/0015.
"""

from dataclasses import dataclass

from airlift import naming
from airlift.artifact import Json
from airlift.digest import Sha256, sha256
from airlift.format import canonical, cover
from airlift.format.fields import Fields
from airlift.trust.fingerprint import Fingerprint
from airlift.trust.suites import SUITES, Suite

FORMAT = "airlift/site-encryption-key/1"
LIMIT = 64 << 10
"""Most bytes of a file that states a key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """A site, as far as something can be encrypted to it.

    Attributes:
        site: Its name.
        suite: The name of a suite of ``trust.suites``.
        public: The public key.
    """

    site: str
    suite: str
    public: bytes

    @property
    def key_id(self) -> Sha256:
        """SHA-256 of what the key is."""
        stated: dict[str, Json] = {"suite": self.suite, "public": self.public.hex()}
        return sha256(canonical.encode(stated))

    @property
    def fingerprint(self) -> Fingerprint:
        """What two people compare."""
        return Fingerprint(self.key_id)

    def seal(self, secret: bytes, sequence: int) -> bytes:
        """Return the secret of a delivery to this site, encrypted.

        It comes out differently each time, and is only opened for that delivery.
        """
        return SUITES[self.suite].seal(secret, self.public, about(self.site, sequence))


def about(site: str, sequence: int) -> bytes:
    """Return what the encryption of a delivery's secret is bound to."""
    stated: dict[str, Json] = {"site": site, "sequence": sequence}
    return cover.FORMAT.encode() + b"\0" + canonical.encode(stated)


def table(key: Recipient) -> dict[str, Json]:
    """Return the fields by which airlift's own files state *key*."""
    return {
        "site": key.site,
        "suite": key.suite,
        "key_id": key.key_id,
        "public": key.public.hex(),
    }


def from_table(top: Fields) -> Recipient:
    """Return the key that a file states.

    Raises:
        FormatError: Unknown suite, no key of it, or an id that is not the key's own.
    """
    if not naming.is_site(site := top.text("site")):
        top.refuse("site", f"is not a site name: `{naming.show(site)}`")
    suite = top.choice("suite", _known)
    data = _octets(top, suite)
    key = Recipient(site=site, suite=suite.name, public=data)
    if top.text("key_id") != key.key_id:
        top.refuse("key_id", "is not computed from the key")
    return key


def encode(key: Recipient) -> bytes:
    """Return the bytes of the small file that carries *key* to the connected side."""
    return canonical.encode({"format": FORMAT, **table(key)})


def decode(data: bytes, *, name: str = "encryption key") -> Recipient:
    """Return the key that *data*, from outside, states.

    Raises:
        FormatError: It is not the file of a site's encryption key.
    """
    top = Fields(canonical.decode(data, name=name, limit=LIMIT), record=name)
    top.exactly("format", "site", "suite", "key_id", "public")
    top.expect("format", FORMAT)
    return from_table(top)


def _known(name: str) -> Suite:
    if name not in SUITES:
        raise ValueError
    return SUITES[name]


def _octets(top: Fields, suite: Suite) -> bytes:
    text = top.text("public")
    try:
        data = bytes.fromhex(text)
        suite.public(data)
    except ValueError:
        top.refuse("public", f"is not a key of {suite.name}, in hexadecimal")
    if data.hex() != text:
        top.refuse("public", "is not in lower-case hexadecimal")
    return data
