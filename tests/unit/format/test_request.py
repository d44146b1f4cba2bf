"""Requests: small, of one form, and nothing in them that a reader does not see."""

from dataclasses import replace
from datetime import date

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airlift.artifact import Kind
from airlift.errors import FormatError
from airlift.format import request
from airlift.format.receipt import Reason, Refusal
from airlift.format.request import Request, Want

TEN = Request(
    site="plant-7-east",
    number=117,
    day="2027-03-04",
    accepted=241,
    root=b"rootroot",
    catalogue=b"cataloge",
    items=(3, 17, 40, 41, 96, 130, 200, 201, 222, 230),
    refused=(Refusal(sequence=240, reason=Reason.TRUST),),
    anchor=True,
)
WANTS = st.builds(
    Want,
    kind=st.sampled_from([kind for kind in Kind if kind is not Kind.FOLDER]),
    name=st.from_regex(r"\A[a-z]{1,9}(/[a-z0-9]{1,9})?\Z"),
    revision=st.from_regex(r"\A[a-z0-9.]{0,12}\Z"),
)
REFUSALS = st.builds(
    Refusal, sequence=st.integers(0, 999), reason=st.sampled_from(Reason)
)


@st.composite
def requests(draw: st.DrawFn) -> Request:
    """Draw a request."""
    items = draw(st.sets(st.integers(0, request.ENTRY), max_size=12))
    wants = draw(st.sets(WANTS, max_size=3))
    refused = draw(st.sets(REFUSALS, max_size=3))
    return Request(
        site=draw(st.from_regex(r"\A[a-z0-9]{1,32}\Z")),
        number=draw(st.integers(1, 10_000)),
        day=draw(st.dates(min_value=date(1970, 1, 1))).isoformat(),
        accepted=draw(st.integers(0, 10_000)),
        root=draw(st.binary(min_size=8, max_size=8)),
        catalogue=draw(st.binary(min_size=8, max_size=8)) if items else b"",
        items=tuple(sorted(items)),
        wants=tuple(sorted(wants, key=lambda one: one.order)),
        refused=tuple(
            sorted(refused, key=lambda one: (one.sequence, one.reason.value))
        ),
        anchor=draw(st.booleans()),
    )


def changed(**fields: object) -> bytes:
    """Return the bytes of TEN with fields, by name, that it would not be given."""
    return request.encode(replace(TEN, **fields))  # type: ignore[arg-type]


def edited(edit: dict[int, object], *, without: int = -1) -> bytes:
    """Return the bytes of TEN with fields, by number, put in or left out."""
    table = {**cbor2.loads(request.encode(TEN)), **edit}
    table.pop(without, None)
    return cbor2.dumps(table, canonical=True)


def refused(data: bytes) -> str:
    """Return why *data* is refused."""
    with pytest.raises(FormatError) as caught:
        request.decode(data)
    return str(caught.value)


@given(requests(), st.booleans())
def test_a_request_survives_its_bytes(told: Request, padded: bool) -> None:  # noqa: FBT001
    """With padding or without, in the one form there is."""
    data = request.encode(told, padded=padded)
    assert request.decode(data) == told
    if padded:
        least = request.PADDED - request.SIGNED
        assert len(data) == max(least, len(request.encode(told)))


def test_ten_entries_fit_a_slip_of_paper() -> None:
    """What a release officer has to read, and a QR code to hold."""
    assert len(request.encode(TEN)) + request.SIGNED == 137
    longest = replace(
        TEN,
        site="a" * 32,
        number=99_999,
        accepted=99_999,
        items=tuple(range(60_000, 60_010)),
        refused=(Refusal(sequence=99_999, reason=Reason.BASE),),
    )
    assert len(request.encode(longest)) + request.SIGNED == 179
    assert len(request.encode(longest, padded=True)) + request.SIGNED == request.PADDED


def test_any_cbor_tool_reads_it() -> None:
    """A release officer need not believe our own reader."""
    assert cbor2.loads(request.encode(TEN)) == {
        1: "plant-7-east",
        2: 117,
        3: 20881,
        4: 241,
        5: b"rootroot",
        6: b"cataloge",
        7: list(TEN.items),
        9: [[240, 2]],
        10: 1,
    }


@given(requests(), st.data())
def test_every_flipped_bit_is_refused_or_another_request(
    told: Request, data: st.DataObject
) -> None:
    """No bit is without a meaning that the reader shows: there is no room to hide."""
    sound = bytearray(request.encode(told))
    place = data.draw(st.integers(0, 8 * len(sound) - 1))
    sound[place // 8] ^= 1 << place % 8
    try:
        found = request.decode(bytes(sound))
    except FormatError:
        return
    assert found != told
    assert request.encode(found) == bytes(sound)


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    """Nothing brings the reader down, and nothing is read that is not ours."""
    try:
        told = request.decode(data)
    except FormatError:
        return
    assert request.encode(told) == data


@given(
    st.dictionaries(
        st.integers(0, 12),
        st.recursive(
            st.integers(0, 9) | st.binary(max_size=9) | st.text(max_size=5),
            lambda below: (
                st.lists(below, max_size=3) | st.dictionaries(st.integers(0, 3), below)
            ),
            max_leaves=5,
        ),
    )
)
def test_any_fields_are_read_or_refused(fields: dict[int, object]) -> None:
    """Also where the encoding is sound and the types are not."""
    try:
        data = edited(fields)
        told = request.decode(data)
    except FormatError:
        return
    assert request.encode(told) == data


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (changed(site="Plant 7"), "request is of no site: `Plant 7`"),
        (changed(number=0), "request has the number 0"),
        (changed(root=b"short"), "request has a state root of 5 bytes"),
        (changed(catalogue=b""), "request names a catalogue and no entry of it, or"),
        (changed(items=()), "request names a catalogue and no entry of it, or"),
        (changed(items=(2, 1)), "request has entries that do not rise, or too many"),
        (changed(items=(1, 1)), "request has entries that do not rise, or too many"),
        (changed(items=(65_536,)), "request has entries that do not rise, or too"),
        (changed(items=tuple(range(1025))), "request has entries that do not rise"),
        (
            changed(
                wants=(Want(kind=Kind.MODEL, name="b"), Want(kind=Kind.MODEL, name="a"))
            ),
            "request has wants that are not sorted, each once, or too many",
        ),
        (
            changed(wants=(Want(kind=Kind.MODEL, name="../x"),)),
            "request has a want that cannot be: its name has an empty, `.` or `..` part",
        ),
        (
            changed(wants=(Want(kind=Kind.MODEL, name="a" * 201),)),
            "request has a want that cannot be: its name has more than 200 bytes",
        ),
        (
            changed(wants=(Want(kind=Kind.MODEL, name="a", revision="say it"),)),
            "request has a want that cannot be: its revision is not up to 64 of",
        ),
        (changed(refused=TEN.refused * 2), "request has refusals that are not sorted"),
        (edited({}, without=5), "request lacks the field 5"),
        (edited({11: 1}), "request has the unknown field 11"),
        (edited({0: 1}), "request has the unknown field 0"),
        (edited({10: 2}), "request is not in the one order and spelling of a request"),
        (edited({10: 0}), "request is not in the one order and spelling of a request"),
        (edited({8: []}), "request is not in the one order and spelling of a request"),
        (edited({8: [[9, "a", ""]]}), "request wants something of the unknown kind 9"),
        (edited({9: [[1, 9]]}), "request refused something for the unknown reason 9"),
        (
            edited({9: [[1]]}),
            "request has something in field 9 that is not arrays of 2",
        ),
        (edited({7: b"x"}), "request has something in field 7 that is not an array"),
        (edited({1: 7}), "request has something in field 1 that is not text"),
        (edited({3: 2**52}), "request is of day 4503599627370496, which no calendar"),
        (cbor2.dumps([1]), "request is not a map"),
        (request.encode(TEN) + b"\0", "request is not in the one order and spelling"),
        (request.encode(TEN, padded=True) + b"\0", "request is not in the one order"),
        (
            request.encode(TEN, padded=True)[:-1] + b"x",
            "request is not in the one order",
        ),
    ],
)
def test_what_no_request_says_is_refused(data: bytes, why: str) -> None:
    """Each with what is wrong."""
    assert refused(data).startswith(why)


def test_a_folder_cannot_be_asked_for() -> None:
    """It has no meaning but on the host where it lies."""
    folder = Want(kind=Kind.FOLDER, name="a")
    assert request.want_problem(folder) == "a folder cannot be asked for by name"
    assert request.want_problem(Want(kind=Kind.OLLAMA, name="qwen3:8b")) == ""
