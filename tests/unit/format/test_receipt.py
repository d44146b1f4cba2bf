"""Receipts: one form, and clear refusals of what cannot be true."""

import contextlib
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airlift.digest import sha256
from airlift.errors import FormatError
from airlift.format import canonical, receipt
from airlift.format.receipt import Gap, Reason, Receipt, Refusal
from airlift.format.state import SiteState

DIGESTS = st.binary(min_size=1, max_size=8).map(sha256)
SORTED = st.sets(DIGESTS, max_size=5).map(sorted).map(tuple)
A, B = sorted([sha256(b"a"), sha256(b"b")])
SPECIMEN = Receipt(
    number=3,
    previous=A,
    time="2026-11-23T12:00:00Z",
    state=SiteState(site="plant7", sequence=9, releases=(A, B), lacking=(B,)),
    dispatch=B,
    missed=(Gap(first=1, last=2), Gap(first=5, last=5)),
    generation=4,
    waiting=(A,),
    incomplete=(B,),
    refused=(Refusal(sequence=10, reason=Reason.BASE),),
)


@st.composite
def receipts(draw: st.DrawFn) -> Receipt:
    """Return any receipt."""
    number = draw(st.integers(1, 2**53 - 1))
    taken = tuple(sorted(draw(st.sets(st.integers(1, 200), max_size=12))))
    return Receipt(
        number=number,
        previous=None if number == 1 else draw(DIGESTS),
        time="2026-11-23T12:00:00Z",
        state=SiteState(
            site=draw(
                st.from_regex(r"[a-z0-9]([a-z0-9-]{0,9}[a-z0-9])?", fullmatch=True)
            ),
            sequence=taken[-1] if taken else 0,
            releases=draw(SORTED),
            lacking=draw(SORTED),
        ),
        dispatch=draw(DIGESTS) if taken else None,
        missed=receipt.gaps(taken),
        generation=draw(st.integers(0, 10)),
        waiting=draw(SORTED),
        incomplete=draw(SORTED),
        refused=tuple(
            Refusal(sequence=one, reason=draw(st.sampled_from(Reason)))
            for one in draw(st.lists(st.integers(0, 200), max_size=3))
        ),
    )


@given(told=receipts())
def test_a_receipt_reads_back_as_it_was_written(told: Receipt) -> None:
    """What a site signs is what the sender understands."""
    data = receipt.encode(told)
    assert receipt.decode(data) == told
    assert receipt.encode(receipt.decode(data)) == data


@given(taken=st.sets(st.integers(1, 60), max_size=40))
def test_what_was_taken_follows_from_the_gaps(taken: set[int]) -> None:
    """Every delivery up to the newest is either in a gap or was taken."""
    newest = max(taken, default=0)
    told = Receipt(
        number=1,
        previous=None,
        time="2026-11-23T12:00:00Z",
        state=SiteState(site="plant7", sequence=newest),
        dispatch=A if newest else None,
        missed=receipt.gaps(tuple(sorted(taken))),
    )
    assert {one for one in range(-1, 70) if told.took(one)} == taken
    assert receipt.decode(receipt.encode(told)) == told


def _set(key: str, value: Any) -> Callable[[dict[str, Any]], None]:
    return lambda top: top.update({key: value})


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (_set("format", "airlift/receipt/2"), "`format` is `airlift/receipt/2`"),
        (_set("site", "Plant"), "`site` is not a site name: `Plant`"),
        (_set("number", 0), "`number` is 0, expected at least 1"),
        (_set("previous", None), "`previous` is null in the first receipt"),
        (_set("time", "yesterday"), "`time` is not `YYYY-MM-DDThh:mm:ssZ`"),
        (_set("dispatch", None), "`dispatch` is null before the first delivery"),
        (_set("missed", [{"first": 9, "last": 9}]), "`missed` is not at most"),
        (_set("missed", [{"first": 3, "last": 2}]), "`missed` is not at most"),
        (
            _set("missed", [{"first": 1, "last": 2}, {"first": 3, "last": 3}]),
            "`missed` is not at most",
        ),
        (_set("releases", [A]), "`root` is not the root of what the receipt lists"),
        (_set("releases", [B, A]), "`releases` is not a sorted array"),
        (_set("lacking", []), "`root` is not the root of what the receipt lists"),
        (_set("refused", [{"sequence": 1, "reason": "mood"}]), "the unknown value"),
        (
            _set("refused", [{"sequence": 1, "reason": "base"}] * 65),
            "`refused` has more than 64 entries",
        ),
        (_set("note", "hello"), "`note` is not known here"),
        (lambda top: top.pop("waiting"), "`waiting` is missing"),
    ],
)
def test_what_cannot_be_true_is_refused(
    change: Callable[[dict[str, Any]], None], problem: str
) -> None:
    """A site's key signs nonsense as well as sense; each rule names its field."""
    top = json.loads(receipt.encode(SPECIMEN))
    change(top)
    with pytest.raises(FormatError) as caught:
        receipt.decode(canonical.encode(top))
    assert problem in caught.value.problem


@given(at=st.integers(0, 10_000), to=st.integers(0, 255))
def test_no_byte_can_be_changed_and_the_same_be_said(at: int, to: int) -> None:
    """Every byte of a record counts, whether it is signed or not."""
    data = bytearray(receipt.encode(SPECIMEN))
    at %= len(data)
    if data[at] == to:
        return
    data[at] = to
    with contextlib.suppress(FormatError):
        assert receipt.decode(bytes(data)) != SPECIMEN
