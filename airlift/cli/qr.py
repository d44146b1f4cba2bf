"""QR codes: on a terminal, in a file, in a page."""

import io
from typing import Final

import segno

from airlift.errors import RequestError

ERROR: Final = "m"
"""Level of error correction: 15 % of the symbol may be lost to dirt or folds."""
BORDER: Final = 4
"""Modules of white around a symbol; readers count on them (ISO/IEC 18004, 9.1)."""
_SCALE: Final = 6


def code(text: str) -> segno.QRCode:
    """Return the QR code of *text*, of capitals and digits.

    Raises:
        RequestError: No symbol holds so much.
    """
    try:
        return segno.make_qr(text, error=ERROR, mode="alphanumeric", boost_error=False)
    except segno.DataOverflowError as error:
        problem = f"{len(text)} characters are too many for a QR code"
        raise RequestError(
            problem, hint="carry it as a file: `--to FILE.txt`"
        ) from error


def terminal(text: str) -> str:
    """Return the code as lines for a terminal, two modules one above the other a character.

    Made for a terminal of light text on dark; readers take the other kind as well.
    """
    rows = [list(row) for row in code(text).matrix_iter(border=BORDER)]
    rows += [[0] * len(rows[0])] * (len(rows) % 2)
    # Light modules are drawn, so that a dark terminal shows a light border.
    pairs = zip(rows[::2], rows[1::2], strict=True)
    blocks = {(0, 0): "█", (0, 1): "▀", (1, 0): "▄", (1, 1): " "}
    return "\n".join(
        "".join(blocks[bool(a), bool(b)] for a, b in zip(*pair, strict=True))
        for pair in pairs
    )


def png(text: str) -> bytes:
    """Return the code as a PNG file."""
    out = io.BytesIO()
    code(text).save(out, kind="png", scale=_SCALE, border=BORDER)
    return out.getvalue()


def svg(text: str) -> bytes:
    """Return the code as an SVG file."""
    out = io.BytesIO()
    code(text).save(out, kind="svg", scale=_SCALE, border=BORDER, xmldecl=True)
    return out.getvalue()


def inline(text: str) -> str:
    """Return the code as an SVG element for a page."""
    return code(text).svg_inline(scale=4, border=BORDER)


def scalable(text: str) -> str:
    """Return the code as an SVG element without a size of its own, for paper."""
    return code(text).svg_inline(scale=1, border=BORDER, omitsize=True)
