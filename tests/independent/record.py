"""Records, written from docs/format.md alone: one form, known keys, good names.

This folder is a second reader of bundles. It shares no line with airlift, so that the
document, not the program, is the contract: where both agree, the document said enough.
"""

import hashlib
import json
import re
import unicodedata
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

LARGEST = 2**53 - 1
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)
_SITE = re.compile(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?", re.ASCII)
_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)
_DEVICE = re.compile(r"con|prn|aux|nul|com\d|lpt\d", re.ASCII)


class RefusedError(Exception):
    """The reader does not take what it was given.

    Args:
        reason: What is wrong.
        word: ``format``, ``trust`` or ``incomplete``: of which kind, as vectors say.
    """

    def __init__(self, reason: str, word: str = "format") -> None:
        super().__init__(f"{word}: {reason}")
        self.word = word


def need(condition: object, reason: str, word: str = "format") -> None:
    """Refuse, with *reason*, unless *condition* holds."""
    if not condition:
        raise RefusedError(reason, word)


def sha256(data: bytes) -> str:
    """Return the digest of *data*."""
    return hashlib.sha256(data).hexdigest()


def canonical(value: Any) -> bytes:
    """Return *value* in the form of RFC 8785, restricted (section 2)."""
    return json.dumps(
        _sorted(value), ensure_ascii=False, allow_nan=False, separators=(",", ":")
    ).encode()


def _sorted(value: Any, level: int = 1) -> Any:
    need(level <= 32 or not isinstance(value, dict | list), "more than 32 levels")
    if isinstance(value, dict):
        keys = sorted(value, key=lambda key: key.encode("utf-16-be"))
        return {key: _sorted(value[key], level + 1) for key in keys}
    if isinstance(value, list):
        return [_sorted(item, level + 1) for item in value]
    need(not isinstance(value, float), "a number that is no integer")
    need(not isinstance(value, int) or abs(value) <= LARGEST, "too large an integer")
    return value


def olpc(value: Any) -> bytes:
    """Return *value* in the canonical JSON of TUF: what signatures cover."""
    if isinstance(value, str):
        return b'"' + value.replace("\\", "\\\\").replace('"', '\\"').encode() + b'"'
    if isinstance(value, dict):
        items = (olpc(key) + b":" + olpc(value[key]) for key in sorted(value))
        return b"{" + b",".join(items) + b"}"
    if isinstance(value, list):
        return b"[" + b",".join(map(olpc, value)) + b"]"
    return json.dumps(value).encode()


def parse(data: bytes, limit: int) -> Any:
    """Return the value of a record of at most *limit* bytes (section 2)."""
    need(len(data) <= limit, f"a record of {len(data)} bytes, limit {limit}")
    try:
        value = json.loads(data.decode())
        good = canonical(value) == data
    except (ValueError, RecursionError) as error:
        reason = f"no record: {error}"
        raise RefusedError(reason) from error
    need(good, "a record that is not canonical")
    return value


def table(value: Any, fields: Mapping[str, type]) -> Mapping[str, Any]:
    """Return the object *value* if it has exactly *fields*, of these types."""
    need(isinstance(value, dict), "no object where there must be one")
    need(value.keys() == fields.keys(), f"keys {sorted(value)}, not {sorted(fields)}")
    for name, of in fields.items():
        need(of is object or type(value[name]) is of, f"`{name}` is no {of.__name__}")
    return dict(value)


def digest(value: Any) -> str:
    """Return *value* if it is a digest."""
    need(isinstance(value, str) and _DIGEST.fullmatch(value), "no digest")
    return str(value)


def digests(value: list[Any]) -> list[str]:
    """Return *value* if it is an array of digests, sorted, each once."""
    found = [digest(one) for one in value]
    need(found == sorted(set(found)), "digests that are not sorted, or twice")
    return found


def number(value: Any, least: int = 0, most: int = LARGEST) -> int:
    """Return *value* if it is an integer within bounds."""
    need(type(value) is int and least <= value <= most, f"`{value}` is out of bounds")
    return int(value)


def time(value: Any) -> str:
    """Return *value* if it is a time; times sort as text."""
    need(isinstance(value, str) and _TIME.fullmatch(value), f"`{value}` is no time")
    try:
        datetime.strptime(value, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError as error:
        reason = f"`{value}` is no time"
        raise RefusedError(reason) from error
    return str(value)


def site(value: str) -> str:
    """Return *value* if it is a site's name."""
    need(_SITE.fullmatch(value), f"`{value}` is no site")
    return value


def check_path(path: str) -> None:
    """Refuse a path that section 2 does not allow."""
    need(path == unicodedata.normalize("NFC", path), "a path that is not in NFC")
    need(len(path.encode()) <= 1024, "a path of more than 1,024 bytes")
    parts = path.split("/")
    need(len(parts) <= 16, "a path of more than 16 parts")
    for part in parts:
        odd = any(
            c in '<>:"|?*\\' or unicodedata.category(c).startswith("C") for c in part
        )
        device = _DEVICE.fullmatch(part.split(".")[0].casefold())
        good = part and len(part.encode()) <= 240 and not odd and not device
        need(good and part[0] != "-" and part[-1] not in ". ", f"the path part {part}")


def check_paths(paths: Iterable[str]) -> None:
    """Refuse two paths that some file system would take for one (section 2)."""
    folded = [
        unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", path).casefold())
        for path in paths
    ]
    need(len(set(folded)) == len(folded), "two paths equal under case folding")
    folders = {
        path[:at] for path in folded for at, letter in enumerate(path) if letter == "/"
    }
    need(not folders & set(folded), "a path that is another's folder")
