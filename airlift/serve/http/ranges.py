"""Which bytes of a file a conditional or range request gets (RFC 9110, 13 and 14).

Pure: a size, an entity tag and the request's headers in, a ``Cut`` out. One range at
most is ever sent: a request for several gets the whole file, so that a thousand
overlapping ranges cost no more than a plain download.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

# 100 digits are far beyond any file; int() refuses to read more than 4,300.
_RANGE = re.compile(
    r"bytes=[ \t]*([0-9]{0,100})-([0-9]{0,100})[ \t]*", re.ASCII | re.IGNORECASE
)
_TAG = re.compile(r'(?:W/)?"([\x21\x23-\x7e\x80-\U0010ffff]*)"')


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """What to send of a file.

    Attributes:
        status: 200, 206, 304, 412 or 416.
        start: First byte to send.
        stop: One past the last byte to send; equals *start* where no body is sent.
    """

    status: int
    start: int = 0
    stop: int = 0


def cut(method: str, headers: Mapping[str, str], *, etag: str, size: int) -> Cut:
    """Return what a GET or HEAD with *headers* gets of a file of *size* bytes.

    Dates never match: what is served has no modification time, so ``If-Range`` with
    a date sends the whole file, which is always right.

    Args:
        method: ``GET`` or ``HEAD``; ranges count for GET alone.
        headers: Lower-case names.
        etag: The file's strong entity tag without quotes.
        size: The file's length in bytes.

    Source: RFC 9110, sections 13.2.2 and 14.2.
    """
    if "if-match" in headers and not _among(headers["if-match"], etag, strong=True):
        return Cut(status=412)
    if unchanged(headers, etag):
        return Cut(status=304)
    whole = Cut(status=200, stop=size)
    wanted = headers.get("range", "")
    if method != "GET" or not wanted:
        return whole
    if "if-range" in headers and headers["if-range"].strip() != f'"{etag}"':
        return whole
    return _ranged(wanted, whole)


def unchanged(headers: Mapping[str, str], etag: str) -> bool:
    """Say whether the client's ``If-None-Match`` names *etag* (without quotes)."""
    return "if-none-match" in headers and _among(headers["if-none-match"], etag)


def _among(field: str, etag: str, *, strong: bool = False) -> bool:
    if field.strip() == "*":
        return True
    return any(
        found[1] == etag and not (strong and found[0].startswith("W/"))
        for found in _TAG.finditer(field)
    )


def _ranged(wanted: str, whole: Cut) -> Cut:
    match = _RANGE.fullmatch(wanted.strip())
    size = whole.stop
    # What is not one well-formed range is ignored (14.2). So is any range of an
    # empty file: clients that always ask for `bytes=0-` must be able to get it.
    if match is None or match[1] == match[2] == "" or size == 0:
        return whole
    if not match[1]:
        length = int(match[2])
        start, stop = max(0, size - length), size
    else:
        start = int(match[1])
        last = int(match[2]) if match[2] else size - 1
        if match[2] and last < start:
            return whole
        stop = min(last + 1, size)
    if start >= size:
        return Cut(status=416)
    return Cut(status=206, start=start, stop=stop)
