"""Receipts under the key of their site: sealed there, believed here.

A receipt is a file of two lines: the record, and the signature of its bytes in
hexadecimal. The signature is checked before the record is parsed.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from airlift import naming
from airlift.digest import Sha256, sha256
from airlift.errors import FormatError, TrustError
from airlift.format import receipt
from airlift.format.receipt import Receipt
from airlift.trust import site_key
from airlift.trust.public import PublicKey
from airlift.trust.site_key import SIGNATURE_BYTES, Purpose, SiteKey

LIMIT = receipt.LIMIT + 2 * SIGNATURE_BYTES + 2
"""Most bytes of such a file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedReceipt:
    """The proof that a site says so; ``believe`` alone makes one.

    Attributes:
        receipt: What it says.
        id: SHA-256 of the bytes signed.
        key: Whose signature it is.
    """

    receipt: Receipt
    id: Sha256
    key: PublicKey


def seal(told: Receipt, key: SiteKey) -> bytes:
    """Return the bytes of the file of *told*, signed by *key*.

    Raises:
        FormatError: It has more of something than a receipt can.
        TrustError: The key is another site's.
    """
    if key.site != told.site:
        problem = f"the key is of site `{key.site}`, the receipt of `{told.site}`"
        raise TrustError(problem, hint="a site signs for itself only")
    record = receipt.encode(told)
    receipt.decode(record)  # what a reader would refuse is not to be carried
    signature = key.sign(Purpose.RECEIPT, record)
    return record + b"\n" + signature.hex().encode() + b"\n"


def record_of(data: bytes, *, name: str = "receipt") -> bytes:
    """Return the line of the file *data* that is signed.

    Raises:
        FormatError: The file is not of two lines.
    """
    return _lines(data, name)[0]


def believe(
    data: bytes, keys: Mapping[str, PublicKey], *, name: str = "receipt"
) -> SignedReceipt:
    """Return what the file *data* says, if the site that it is of has signed it.

    Args:
        data: As it came.
        keys: The enrolled keys, by site.
        name: What to call the file in an error.

    Raises:
        FormatError: It is no receipt.
        TrustError: No enrolled key signed it, or it is of another site than its key.
    """
    record, signature = _lines(data, name)
    for site, key in sorted(keys.items()):
        if site_key.verifies(key, Purpose.RECEIPT, record, signature):
            told = receipt.decode(record, name=name)
            if told.site != site:
                problem = (
                    f"{name} is of site `{told.site}`, signed by the key of `{site}`"
                )
                hint = f"somebody at `{site}` made it: ask them, and believe neither"
                raise TrustError(problem, hint=hint)
            return SignedReceipt(receipt=told, id=sha256(record), key=key)
    known = ", ".join(f"`{site}`" for site in sorted(keys)) or "none"
    problem = f"{name} is signed by no key enrolled here; sites with a key: {known}"
    hint = "`airlift site enrol SITE FILE` enrols a site's key; else it is forged"
    raise TrustError(problem, hint=hint)


def _lines(data: bytes, name: str) -> tuple[bytes, bytes]:
    lines = data.split(b"\n") if len(data) <= LIMIT else []
    if len(lines) == 3 and not lines[2]:
        try:
            signature = bytes.fromhex(lines[1].decode("ascii"))
        except ValueError:
            signature = b""
        if signature.hex().encode() == lines[1] and len(signature) == SIGNATURE_BYTES:
            return lines[0], signature
    problem = f"{naming.show(name)} is not two lines, a receipt and its signature"
    raise FormatError(problem, hint="copy it again from what the site wrote")
