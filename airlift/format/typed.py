"""Bytes as text that survives paper and people (docs/format.md, "Typed text").

Crockford's base 32 in lines of 28 characters: 26 carry 130 bits, and two check the line,
its place and whether it is the last, so that a slip of the finger is found and its line
named. The same text, without gaps, is what a QR code holds: a hand scanner that types
what it sees needs no software, and the alphanumeric mode of a QR code spends 5.5 bits on
5. The checks find mistakes, not attacks: signatures do that.

Source: D. Crockford, "Base 32"; ISO/IEC 18004, 7.4.4 (alphanumeric mode).
"""

import re
from collections.abc import Iterator
from typing import Final

from airlift import naming
from airlift.digest import sha256
from airlift.errors import FormatError

ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
LINE: Final = 28
"""Characters of a line, without gaps; the last may have fewer."""
GROUP: Final = 4
CHECK: Final = 2
"""Characters at the end of each line that check it."""

_BITS: Final = 5
_ALIKE: Final = str.maketrans("OIL", "011")
_GAPS: Final = re.compile(r"[\s._-]+")
_HINT: Final = "compare it with the paper, character by character"


def spell(data: bytes, label: str) -> str:
    """Return *data* as the text of a file: the label, then lines in groups of four.

    Args:
        data: What to carry.
        label: What it is, in capitals: ``AIRLIFT/REQUEST/1``. Lines of one label are
            not taken for those of another.
    """
    return "\n".join([f"{label}:", *lines(data, label)]) + "\n"


def lines(data: bytes, label: str) -> list[str]:
    """Return the lines of ``spell`` that carry *data*."""
    return [
        " ".join(line[at : at + GROUP] for at in range(0, len(line), GROUP))
        for line in _lines(data, label)
    ]


def plain(data: bytes, label: str) -> str:
    """Return *data* as one run of characters, for a QR code."""
    return f"{label}:{''.join(_lines(data, label))}"


def read(text: str, label: str, *, name: str) -> bytes:
    """Return the bytes that *text* carries, as a person or a scanner gave it.

    Case, gaps, dashes, and O for 0, I or L for 1 make no difference, nor whether the
    label is there. Lines are those of the text; a text of one line is cut at each 28th
    character.

    Raises:
        FormatError: It is no such text, or lines of it do not check; they are named.
    """
    body = text.strip().upper()
    body = body.removeprefix(label).lstrip(":") if body.startswith(label) else body
    rows = [row for line in body.splitlines() if (row := _GAPS.sub("", line))]
    if len(rows) == 1:
        rows = [rows[0][at : at + LINE] for at in range(0, len(rows[0]), LINE)]
    rows = [row.translate(_ALIKE) for row in rows]
    if not rows:
        problem = f"{name} is empty"
        raise FormatError(problem, hint=_HINT)
    if wrong := list(_faults(rows, label)):
        problem = f"{name}: {'; '.join(wrong)}"
        raise FormatError(problem, hint=_HINT)
    return _joined("".join(row[:-CHECK] for row in rows), name)


def unspell(text: str, label: str, *, name: str) -> bytes:
    """Return the bytes that *text*, the content of a file, carries.

    Raises:
        FormatError: As ``read``; or it is not just what ``spell`` writes, so that
            something could hide in its gaps.
    """
    data = read(text, label, name=name)
    if text != spell(data, label):
        problem = f"{name} is not in the one spelling of such a file"
        hint = "copy it again; what a person typed is read with --typed"
        raise FormatError(problem, hint=hint)
    return data


def _lines(data: bytes, label: str) -> Iterator[str]:
    characters = -(-len(data) * 8 // _BITS)
    number = int.from_bytes(data) << characters * _BITS - len(data) * 8
    places = range((characters - 1) * _BITS, -1, -_BITS)
    text = "".join(ALPHABET[number >> place & 31] for place in places)
    room = LINE - CHECK
    rows = [text[at : at + room] for at in range(0, len(text), room)]
    for place, row in enumerate(rows, 1):
        yield row + _check(row, place, label, last=place == len(rows))


def _check(row: str, place: int, label: str, *, last: bool) -> str:
    told = f"{label}\n{place}\n{'last' if last else 'more'}\n{row}"
    bits = int(sha256(told.encode())[:3], 16) >> 2
    return ALPHABET[bits >> _BITS] + ALPHABET[bits & 31]


def _faults(rows: list[str], label: str) -> Iterator[str]:
    for place, row in enumerate(rows, 1):
        last = place == len(rows)
        strange = next((one for one in row if one not in ALPHABET), "")
        if strange:
            yield f"line {place} has `{naming.show(strange)}`, which no line has"
        elif len(row) > LINE or (len(row) < LINE and not last) or len(row) <= CHECK:
            yield f"line {place} has {len(row)} characters, expected {LINE}"
        elif row[-CHECK:] != _check(row[:-CHECK], place, label, last=last):
            more = _check(row[:-CHECK], place, label, last=False)
            cut = last and row[-CHECK:] == more
            yield f"line {place} {'is not the last' if cut else 'is mistyped'}"


def _joined(text: str, name: str) -> bytes:
    number = 0
    for one in text:
        number = number << _BITS | ALPHABET.index(one)
    length = len(text) * _BITS // 8
    spare = len(text) * _BITS - length * 8
    if spare >= _BITS or number & (1 << spare) - 1:
        problem = f"{name}: the last line does not end where bytes end"
        raise FormatError(problem, hint=_HINT)
    return (number >> spare).to_bytes(length)
