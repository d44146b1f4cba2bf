"""Requests under the key of their site: sealed there, believed here.

A sealed request is what ``format.request`` encodes, then 64 bytes of signature. The
signature is checked, with the enrolled key of every site, before anything is parsed.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from airlift import naming
from airlift.digest import Sha256, sha256
from airlift.errors import FormatError, TrustError
from airlift.format import request
from airlift.format.request import Request
from airlift.trust import site_key
from airlift.trust.public import PublicKey
from airlift.trust.site_key import SIGNATURE_BYTES, Purpose, SiteKey

LIMIT = request.LIMIT + SIGNATURE_BYTES
"""Most bytes of a sealed request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedRequest:
    """The proof that a site asks for this; ``believe`` alone makes one.

    Attributes:
        request: What it asks.
        id: SHA-256 of the sealed bytes.
        key: Whose signature it is.
        size: Bytes, with the signature.
    """

    request: Request
    id: Sha256
    key: PublicKey
    size: int


def seal(told: Request, key: SiteKey, *, padded: bool = False) -> bytes:
    """Return *told*, signed by *key*.

    Raises:
        FormatError: It says what a request cannot.
        TrustError: The key is another site's.
    """
    if key.site != told.site:
        problem = f"the key is of site `{key.site}`, the request of `{told.site}`"
        raise TrustError(problem, hint="a site asks for itself only")
    record = request.encode(told, padded=padded)
    request.decode(record)  # what a reader would refuse is not to be carried
    return record + key.sign(Purpose.REQUEST, record)


def believe(
    data: bytes, keys: Mapping[str, PublicKey], *, name: str = "request"
) -> SignedRequest:
    """Return what the sealed *data* asks, if the site that it is of has signed it.

    Args:
        data: As it came.
        keys: The keys that count, by site.
        name: What to call it in an error.

    Raises:
        FormatError: It is no request.
        TrustError: None of the keys signed it, or it is of another site than its key.
    """
    if not SIGNATURE_BYTES < len(data) <= LIMIT:
        problem = f"{name} has {len(data)} bytes, no request has"
        raise FormatError(problem, hint="this is not a request airlift wrote")
    record, signature = data[:-SIGNATURE_BYTES], data[-SIGNATURE_BYTES:]
    for site, key in sorted(keys.items()):
        if site_key.verifies(key, Purpose.REQUEST, record, signature):
            told = request.decode(record, name=name)
            if told.site != site:
                problem = f"{name} is of site `{told.site}`, its key of `{site}`"
                raise TrustError(problem, hint="ask the people at both sites")
            return SignedRequest(request=told, id=sha256(data), key=key, size=len(data))
    known = ", ".join(f"`{naming.show(one)}`" for one in sorted(keys)) or "none"
    problem = f"{name} is not signed by the key of a site known here; known are {known}"
    hint = "`airlift site enrol NAME FILE` enrols a site's key"
    raise TrustError(problem, hint=hint)
