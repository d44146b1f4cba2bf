"""Strict canonical JSON: the one spelling of a record (docs/format.md, "Records").

RFC 8785 restricted to what airlift's records hold: objects, arrays, strings,
booleans, null and integers within 2**53. ``decode`` refuses every other spelling of
the same value, so that signed bytes and parsed value are one thing (threats D1-D4).
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import NoReturn, TypeAlias, cast

from airlift.artifact import Json
from airlift.errors import FormatError

_Once: TypeAlias = Callable[[list[tuple[str, Json]]], dict[str, Json]]

DEPTH = 32
INTEGER = 2**53 - 1


def encode(value: Json) -> bytes:
    """Return the canonical bytes of *value*.

    Raises:
        ValueError: It holds a float, too large an integer, a lone surrogate or a
            key that is not a string: a programming error, never a user's.
    """
    _check(value)
    return _spell(value)


def _check(value: Json) -> None:
    """Refuse what a record cannot hold.

    Level by level instead of by recursion: a list of 100,000 files takes a handful of
    passes over flat lists, 0.1 s instead of 1.4 s.
    """
    level: list[Json] = [value]
    for _ in range(DEPTH + 1):
        level = _below(level)
        if not level:
            return
    problem = "record nested too deeply"
    raise ValueError(problem)


def _below(level: list[Json]) -> list[Json]:
    """Check the values of one level of nesting; return those of the next."""
    found: list[Json] = []
    keys: set[str] = set()
    for one in level:
        if isinstance(one, str) or one is None:
            continue
        if isinstance(one, Mapping):
            keys.update(one)
            found.extend(one.values())
        elif isinstance(one, list | tuple):
            found.extend(one)
        elif not isinstance(one, int):
            problem = f"a record cannot hold {type(one).__name__}"  # type: ignore[unreachable]
            raise ValueError(problem)  # noqa: TRY004 - one kind of error for encode's caller
        elif abs(one) > INTEGER:
            problem = f"integer {one} is beyond 2**53"
            raise ValueError(problem)
    if not all(isinstance(key, str) for key in keys):
        problem = "a key of a record is not a string"
        raise ValueError(problem)
    return found


def _spell(value: Json) -> bytes:
    """Return the one spelling of *value*, which holds only what a record can."""
    # json's encoder writes RFC 8785's escapes and integers, and sorts keys by code
    # point. RFC 8785 sorts by UTF-16 code unit, which is another order only where a
    # character beyond the BMP takes part: then keys are put in order beforehand.
    data = _ENCODE(value).encode()
    if not data.isascii() and _BEYOND_BMP.search(data):
        return _ENCODE_AS_IS(_sorted(value)).encode()
    return data


def _plain(value: object) -> object:
    """Give the encoder a mapping that is no dict as one."""
    assert isinstance(value, Mapping), type(value)
    return dict(value)


_ENCODE, _ENCODE_AS_IS = (
    json.JSONEncoder(
        ensure_ascii=False,
        allow_nan=False,
        separators=(",", ":"),
        default=_plain,
        sort_keys=in_order,
    ).encode
    for in_order in (True, False)
)
_BEYOND_BMP = re.compile(rb"[\xf0-\xf4]")


def _sorted(value: Json) -> Json:
    if isinstance(value, Mapping):
        keys = sorted(value, key=lambda key: key.encode("utf-16-be"))
        return {key: _sorted(value[key]) for key in keys}
    if isinstance(value, list | tuple):
        return [_sorted(item) for item in value]
    return value


def decode(data: bytes, *, name: str, limit: int) -> Json:
    """Return the value of canonical *data*; refuse everything else.

    Args:
        data: The whole record.
        name: What to call it in an error.
        limit: Most bytes a record of this kind may have; checked first.

    Raises:
        FormatError: Too long, not UTF-8, not JSON, duplicate keys, floats, large
            integers, deep nesting, or not the canonical spelling.
    """
    if len(data) > limit:
        problem = f"{name} has {len(data)} bytes, the limit is {limit}"
        raise FormatError(problem, hint="this is not a record airlift wrote")
    _check_depth(data, name)
    try:
        value = _parse(data)
        canonical = _spell(value)
        if len(canonical) < len(data):
            _parse(data, once=_unique)  # to say which rule it breaks
    except (ValueError, RecursionError) as error:
        problem = f"{name} is not strict JSON: {error}"
        raise FormatError(problem, hint="copy it again from its source") from error
    if canonical != data:
        at = next(
            (
                i
                for i, (a, b) in enumerate(zip(canonical, data, strict=False))
                if a != b
            ),
            min(len(canonical), len(data)),
        )
        problem = f"{name} is not in canonical form at byte {at}"
        raise FormatError(problem, hint="copy it again from its source")
    return value


def decode_foreign(data: bytes, *, name: str, limit: int) -> Json:
    """Return the value of *data*: JSON that others wrote, in whatever spelling.

    For what is bound by digest and shown: as strict as ``decode`` wherever two readers
    could read two things (threats D1, D4).

    Raises:
        FormatError: As ``decode``, except for the spelling.
    """
    if len(data) > limit:
        problem = f"{name} has {len(data)} bytes, the limit is {limit}"
        raise FormatError(problem, hint="ask whoever made it for a smaller one")
    _check_depth(data, name)
    try:
        value = _parse(data, once=_unique)
        _ENCODE(value).encode()  # a lone surrogate can be written down in JSON
    except (ValueError, RecursionError) as error:
        problem = f"{name} is not strict JSON: {error}"
        raise FormatError(problem, hint="copy it again from its source") from error
    return value


def _parse(data: bytes, once: _Once | None = None) -> Json:
    # A key twice needs no hook for each object: only one of the two is spelt again.
    found = json.loads(
        data.decode("utf-8", "strict"),
        object_pairs_hook=once,
        parse_float=_refuse_number,
        parse_constant=_refuse_number,
        parse_int=_integer,
    )
    return cast("Json", found)


def _check_depth(data: bytes, name: str) -> None:
    # Before the parser, whose recursion a hostile record could exhaust.
    brackets = _outside_strings(data)
    # A pass takes away two levels at most, an object in an array: DEPTH in half as many.
    for _ in range(DEPTH // 2):
        if not brackets:
            return
        brackets = brackets.replace(b"[]", b"").replace(b"{}", b"")
    if not brackets:
        return
    # Perhaps deeper than that, or no JSON, which may pass here: the parser refuses it.
    depth = deepest = 0
    for byte in _outside_strings(data):
        depth += 1 if byte in b"[{" else -1
        deepest = max(deepest, depth)
    if deepest > DEPTH:
        problem = f"{name} is nested {deepest} deep, the limit is {DEPTH}"
        raise FormatError(problem, hint="this is not a record airlift wrote")


def _outside_strings(data: bytes) -> bytes:
    """Return the brackets of *data* that are not inside a string, in order."""
    # An escaped quote ends no string. A backslash outside strings is no JSON, and
    # the parser stops there.
    bare = data.replace(b"\\\\", b"").replace(b'\\"', b"")
    return b"".join(bare.translate(None, delete=_NO_MARK).split(b'"')[::2])


_NO_MARK = bytes(set(range(256)) - set(b'[]{}"'))


def _unique(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    table = dict(pairs)
    if len(table) != len(pairs):
        problem = "an object has a key twice"
        raise ValueError(problem)
    return table


def _refuse_number(text: str) -> NoReturn:
    problem = f"number {text[:32]} is not an integer"
    raise ValueError(problem)


def _integer(text: str) -> int:
    if len(text) > 17:
        problem = f"integer of {len(text)} digits"
        raise ValueError(problem)
    if abs(number := int(text)) > INTEGER:
        problem = f"integer {number} is beyond 2**53"
        raise ValueError(problem)
    return number
