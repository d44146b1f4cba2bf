"""Conditional and range requests, by RFC 9110."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airlift.serve.http.ranges import Cut, cut, unchanged

ETAG = "abc"
SIZE = 1000


def of(headers: dict[str, str], *, method: str = "GET", size: int = SIZE) -> Cut:
    """Cut a file of *size* bytes."""
    return cut(method, headers, etag=ETAG, size=size)


WHOLE = Cut(status=200, start=0, stop=SIZE)
BEYOND = Cut(status=416)


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("bytes=0-", Cut(status=206, start=0, stop=1000)),
        ("bytes=0-0", Cut(status=206, start=0, stop=1)),
        ("bytes=0-999", Cut(status=206, start=0, stop=1000)),
        ("bytes=0-1000", Cut(status=206, start=0, stop=1000)),
        ("bytes=999-", Cut(status=206, start=999, stop=1000)),
        ("bytes=10-19", Cut(status=206, start=10, stop=20)),
        ("BYTES=10-19", Cut(status=206, start=10, stop=20)),
        ("bytes= 10-19 ", Cut(status=206, start=10, stop=20)),
        ("bytes=-1", Cut(status=206, start=999, stop=1000)),
        ("bytes=-1000", Cut(status=206, start=0, stop=1000)),
        ("bytes=-5000", Cut(status=206, start=0, stop=1000)),
        (f"bytes=5-{'9' * 99}", Cut(status=206, start=5, stop=1000)),
        ("bytes=1000-", BEYOND),
        ("bytes=1000-1000", BEYOND),
        ("bytes=5000-6000", BEYOND),
        ("bytes=-0", BEYOND),
        (f"bytes={'9' * 99}-", BEYOND),
        ("bytes=0-1,5-6", WHOLE),
        ("bytes=" + ",".join(["0-"] * 500), WHOLE),
        ("bytes=20-10", WHOLE),
        ("bytes=-", WHOLE),
        ("bytes=", WHOLE),
        ("bytes", WHOLE),
        ("bytes=a-b", WHOLE),
        ("bytes=0x0-0x9", WHOLE),
        ("bytes=+1-5", WHOLE),
        ("bytes=1 - 5", WHOLE),
        ("bytes=--5", WHOLE),
        ("bytes=\u0661-\u0665", WHOLE),
        (f"bytes={'1' * 5000}-", WHOLE),
        ("items=0-5", WHOLE),
        ("0-5", WHOLE),
        ("", WHOLE),
    ],
)
def test_one_range_is_cut_and_anything_else_is_the_whole_file(
    field: str, expected: Cut
) -> None:
    """Resume and parallel parts depend on it; abuse must not cost more than a GET."""
    assert of({"range": field}) == expected


@pytest.mark.parametrize("field", ["bytes=0-", "bytes=0-0", "bytes=5-9", "bytes=-5"])
def test_any_range_of_an_empty_file_is_the_empty_file(field: str) -> None:
    """Clients that always ask for `bytes=0-` must be able to fetch an empty file."""
    assert of({"range": field}, size=0) == Cut(status=200, start=0, stop=0)


def test_head_ignores_ranges() -> None:
    """RFC 9110 defines ranges for GET alone; clients read the full size from HEAD."""
    assert of({"range": "bytes=0-0"}, method="HEAD") == WHOLE


@pytest.mark.parametrize(
    ("if_range", "status"),
    [
        ('"abc"', 206),
        (' "abc" ', 206),
        ('"abd"', 200),
        ('W/"abc"', 200),
        ("abc", 200),
        ("Sun, 06 Nov 1994 08:49:37 GMT", 200),
        ("", 200),
    ],
)
def test_if_range_lets_only_the_same_bytes_be_continued(
    if_range: str, status: int
) -> None:
    """Joining the head of one version to the tail of another is a silent corruption."""
    assert of({"range": "bytes=1-", "if-range": if_range}).status == status


@pytest.mark.parametrize(
    ("if_none_match", "same"),
    [
        ('"abc"', True),
        ('W/"abc"', True),
        ('"x", "abc"', True),
        ('"x","y",W/"abc"', True),
        ("*", True),
        ('"abcd"', False),
        ("abc", False),
        ('"x", "y"', False),
        ("", False),
    ],
)
def test_if_none_match_is_compared_weakly(if_none_match: str, *, same: bool) -> None:
    """A cached copy of the same bytes is not sent again; another one is."""
    assert unchanged({"if-none-match": if_none_match}, ETAG) is same
    expected = Cut(status=304) if same else WHOLE
    assert of({"if-none-match": if_none_match}) == expected


@pytest.mark.parametrize(
    ("if_match", "status"),
    [('"abc"', 200), ("*", 200), ('W/"abc"', 412), ('"other"', 412)],
)
def test_if_match_is_compared_strongly(if_match: str, status: int) -> None:
    """A client that insists on certain bytes gets those or nothing."""
    assert of({"if-match": if_match}).status == status


def test_not_modified_wins_over_a_range() -> None:
    """RFC 9110 evaluates If-None-Match before Range."""
    headers = {"if-none-match": '"abc"', "range": "bytes=5-9"}
    assert of(headers) == Cut(status=304)


@given(
    field=st.one_of(
        st.text(max_size=40),
        st.from_regex(r"bytes=[0-9]{0,12}-[0-9]{0,12}", fullmatch=True),
    ),
    size=st.integers(min_value=0, max_value=10**12),
)
def test_no_field_ever_cuts_outside_the_file(field: str, size: int) -> None:
    """Offsets become positions in pack files: one too far serves another blob's bytes."""
    part = of({"range": field}, size=size)
    assert 0 <= part.start <= part.stop <= size
    assert (part.status == 206) <= (part.start < part.stop)
