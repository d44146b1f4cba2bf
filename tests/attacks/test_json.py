"""Texts that are no JSON, or JSON in two ways: refused before anything acts on them."""

import json
import string

import pytest

from airlift.errors import FormatError
from airlift.format import canonical

INVALID = (
    *(b"", b" ", b"[", b"]", b"{", b"}", b"[1", b'{"a"', b'{"a":', b'{"a":1', b'"'),
    *(
        b"[1,]",
        b"[,1]",
        b"[1,,2]",
        b"[1 2]",
        b'{"a":1,}',
        b'{,"a":1}',
        b'{"a":1 "b":2}',
    ),
    *(b"{1:2}", b"{null:1}", b"{a:1}", b"{'a':1}", b'{"a"=1}', b'{"a"::1}', b'["a":1]'),
    *(
        b"tru",
        b"True",
        b"nul",
        b"None",
        b"NaN",
        b"Infinity",
        b"-Infinity",
        b"undefined",
    ),
    *(
        b"01",
        b"-01",
        b"+1",
        b".1",
        b"1.",
        b"-",
        b"--1",
        b"0x10",
        b"1e",
        b"1e+",
        b"1_000",
    ),
    *(b"\xef\xbb\xbf{}", b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b'"\xf4\x90\x80\x80"'),
    *(b'"\n"', b'"\t"', b'"\x00"', b'"\x1f"', rb'"\x41"', rb'"\u12"', rb'"\u{41}"'),
    *(
        rb'"\a"',
        b"'a'",
        b'"a',
        b'"a""b"',
        b"{}{}",
        b"[][]",
        b"1 2",
        b"{} //",
        b"/**/{}",
    ),
    *(b"#\n{}", b"{}\x00", b"{},", b"{}]", b"\x0c{}", b"\xa0{}", b"\xe2\x81\xa0{}"),
    *(b"{}\n", b" {}", b"[ ]", b'{"a": 1}', b'{"a":1}\r\n', b"\xfe\xff\x00{\x00}"),
)
"""Not JSON, or not in the one layout that a record has."""

AMBIGUOUS = (
    *(b'{"a":1,"a":1}', b'{"a":1,"a":2}', b'{"a":{"b":1,"b":2}}', b'[{"a":1,"a":1}]'),
    *(rb'{"a":1,"\u0061":1}', rb'{"\u0061":1}', rb'"\u0041"', rb'"\/"', rb'"\u00e9"'),
    *(b'{"b":1,"a":1}', b"1.0", b"1e2", b"-0", b"1E400", b"0.1", b"9007199254740993"),
    *(b"9007199254740992", b"-9007199254740992", b"1" * 400, b"[1.5]", b'{"a":-0}'),
    *(rb'"\ud800"', rb'"\udc00\ud800"', rb'"\ud83d\ude00"', rb'"\u001F"', rb'"\u000a"'),
)
"""JSON, but of another value or spelling to another reader."""


@pytest.mark.parametrize("data", INVALID, ids=repr)
def test_no_invalid_json_is_read(data: bytes) -> None:
    """Each of these some parser in use takes for something."""
    with pytest.raises(FormatError):
        canonical.decode(data, name="record", limit=4096)


@pytest.mark.parametrize("data", AMBIGUOUS, ids=lambda one: repr(one)[:40])
def test_no_ambiguous_json_is_read(data: bytes) -> None:
    """What two readers see differently, one of them can be made to sign for."""
    with pytest.raises(FormatError):
        canonical.decode(data, name="record", limit=4096)


def test_the_stock_parser_takes_many_of_these() -> None:
    """The lists above must be able to fail: the standard library reads a good part."""
    taken = 0
    for data in (*INVALID, *AMBIGUOUS):
        try:
            json.loads(data)
            taken += 1
        except ValueError:
            continue
    assert taken > 20


@pytest.mark.parametrize("byte", range(256))
def test_no_byte_in_front_of_or_behind_a_record_is_passed_over(byte: int) -> None:
    """A record is all of its bytes: nothing can be hidden beside it."""
    good = b'{"a":[1,true,null,"x"]}'
    assert canonical.decode(good, name="record", limit=4096)
    for data in (bytes([byte]) + good, good + bytes([byte])):
        with pytest.raises(FormatError):
            canonical.decode(data, name="record", limit=4096)


def test_no_byte_put_into_a_record_is_passed_over() -> None:
    """Between any two bytes there is room for none that changes nothing."""
    good = b'{"a":[1,true,null,"x"],"b":{}}'
    value = canonical.decode(good, name="record", limit=4096)
    same = []
    for at in range(len(good) + 1):
        for byte in string.printable.encode():
            data = good[:at] + bytes([byte]) + good[at:]
            try:
                found = canonical.decode(data, name="record", limit=4096)
            except FormatError:
                continue
            if found == value:
                same.append(data)
    assert same == []
