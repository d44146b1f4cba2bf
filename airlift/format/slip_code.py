"""What the square on a slip says: which delivery this is, to be read by any scanner.

    AIRLIFT-SLIP/1:PLANT7:42:9F86D081...

Capitals, digits, ``-``, ``/`` and ``:`` only, so that a QR code takes 5.5 bits a
character. It is not signed and decides nothing: whoever compares it with what the site
printed knows that paper and medium belong together.

Source: docs/format.md, "Slips".
"""

import re
from dataclasses import dataclass

from airlift import naming
from airlift.digest import Sha256
from airlift.errors import FormatError

_TEXT = re.compile(
    r"AIRLIFT-SLIP/1:([A-Z0-9-]{1,32}):([1-9]\d{0,15}):([0-9A-F]{64})", re.ASCII
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SlipCode:
    """A delivery, as a slip names it.

    Attributes:
        site: Whom it is for.
        sequence: Its number.
        dispatch: SHA-256 of its dispatch record.
    """

    site: str
    sequence: int
    dispatch: Sha256


def encode(code: SlipCode) -> str:
    """Return the text of *code*."""
    site, digest = code.site.upper(), code.dispatch.upper()
    return f"AIRLIFT-SLIP/1:{site}:{code.sequence}:{digest}"


def decode(text: str) -> SlipCode:
    """Return the delivery that *text*, as a scanner read it, names.

    Raises:
        FormatError: It is not the text of a slip.
    """
    match = _TEXT.fullmatch(text.strip())
    site = match[1].lower() if match else ""
    if not match or not naming.is_site(site):
        problem = f"`{naming.show(text.strip()[:100])}` is not the code of a slip"
        raise FormatError(problem, hint="scan the square on the slip again")
    return SlipCode(
        site=site, sequence=int(match[2]), dispatch=Sha256(match[3].lower())
    )
