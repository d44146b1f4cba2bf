"""Strict canonical JSON: the one spelling of a record (docs/format.md, "Records").

RFC 8785 restricted to what airlift's records hold: objects, arrays, strings,
booleans, null and integers within 2**53. ``decode`` refuses every other spelling of
the same value, so that signed bytes and parsed value are one thing (threats D1-D4).
"""

import json
from collections.abc import Mapping
from typing import NoReturn, cast

from airlift.artifact import Json
from airlift.errors import FormatError

DEPTH = 32
INTEGER = 2**53 - 1


def encode(value: Json) -> bytes:
    """Return the canonical bytes of *value*.

    Raises:
        ValueError: It holds a float, too large an integer, a lone surrogate or a
            key that is not a string: a programming error, never a user's.
    """
    # json's encoder writes RFC 8785's escapes and integers; only the key order
    # (UTF-16 code units) differs from sort_keys, and only beyond the BMP.
    text = json.dumps(
        _plain(value, 0), ensure_ascii=False, allow_nan=False, separators=(",", ":")
    )
    return text.encode()


def _plain(value: Json, depth: int) -> object:
    if depth > DEPTH:
        problem = "record nested too deeply"
        raise ValueError(problem)
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int):
        if abs(value) > INTEGER:
            problem = f"integer {value} is beyond 2**53"
            raise ValueError(problem)
        return value
    if isinstance(value, Mapping):
        keys = sorted(value, key=lambda key: key.encode("utf-16-be"))
        return {key: _plain(value[key], depth + 1) for key in keys}
    if not isinstance(value, list | tuple):
        problem = f"a record cannot hold {type(value).__name__}"  # type: ignore[unreachable]
        raise ValueError(problem)  # noqa: TRY004 - one kind of error for encode's caller
    return [_plain(item, depth + 1) for item in value]


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
        value = cast(
            "Json",
            json.loads(
                data.decode("utf-8", "strict"),
                object_pairs_hook=_unique,
                parse_float=_refuse_number,
                parse_constant=_refuse_number,
                parse_int=_integer,
            ),
        )
        canonical = encode(value)
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


def _check_depth(data: bytes, name: str) -> None:
    # Before the parser, whose recursion a hostile record could exhaust. Brackets in
    # strings count too: a record of ours never comes near the limit.
    depth = deepest = 0
    if data.count(b"[") + data.count(b"{") <= DEPTH:
        return
    in_string = escaped = False
    for byte in data:
        if in_string:
            in_string = escaped or byte != 0x22
            escaped = not escaped and byte == 0x5C
        elif byte == 0x22:
            in_string = True
        elif byte in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        elif byte in b"]}":
            depth -= 1
    if deepest > DEPTH:
        problem = f"{name} is nested {deepest} deep, the limit is {DEPTH}"
        raise FormatError(problem, hint="this is not a record airlift wrote")


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
    return int(text)
