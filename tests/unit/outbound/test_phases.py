"""Where deliveries stand, and when a site that never answers needs an anchor."""

from collections.abc import Sequence

import pytest

from airlift.digest import sha256
from airlift.format.dispatch import Dispatch, Earlier
from airlift.format.receipt import Gap
from airlift.format.state import SiteState
from airlift.outbound.anchoring import anchoring
from airlift.outbound.ledger import Entry, HandOver, VolumeNote
from airlift.outbound.phases import Phase, phases, told
from airlift.outbound.standing import Confirmed, Means, Standing

TIME = "2026-11-23T12:00:00Z"
LEFT = HandOver(time=TIME, by="Bob")
THERE = HandOver(time=TIME, by="Bob", arrived=True)


def entry(
    sequence: int,
    *hand_overs: HandOver,
    size: int = 100,
    anchor: bool = False,
    written: str = TIME,
) -> Entry:
    """Return what the ledger says of a delivery."""
    before = tuple(
        Earlier(sequence=one, sha256=sha256(b"%d" % one))
        for one in range(sequence - 1, 0, -1)
    )
    record = Dispatch(
        site="plant7",
        sequence=sequence,
        earlier=before,
        issued=TIME,
        operator="ann",
        releases=(),
        needs=(),
        packing_sha256=sha256(b""),
        packing_size=0,
    )
    note = VolumeNote(name="v", size=size, sha256=sha256(b""))
    return Entry(
        record=record,
        written=written,
        volumes=(note,),
        anchor=anchor,
        hand_overs=hand_overs,
    )


def said(
    sequence: int, *, missed: Sequence[int] = (), moot: Sequence[int] = ()
) -> Standing:
    """Return what is known once a site said that it took *sequence*."""
    return Standing(
        confirmed=Confirmed(
            state=SiteState(site="plant7", sequence=sequence),
            means=Means.RECEIPT,
            time=TIME,
            missed=tuple(Gap(first=one, last=one) for one in missed),
            moot=tuple(Gap(first=one, last=one) for one in moot),
        )
    )


def test_a_delivery_goes_through_its_phases() -> None:
    """Begun, finished, away, presumed since the next one left or somebody told so."""
    entries = (
        entry(1, LEFT),
        entry(2, LEFT, THERE),
        entry(3, LEFT),
        entry(4),
        entry(5, written=""),
    )
    found = phases(entries, Standing())
    assert list(found.values()) == [
        *(Phase.PRESUMED, Phase.PRESUMED, Phase.HANDED_OVER, Phase.BUILT),
        Phase.PLANNED,
    ]
    assert told("plant7", found, Standing()) == (
        "site plant7: 1 planned, 1 built, 1 handed over, 2 presumed; last confirmed never"
    )


def test_only_the_site_confirms() -> None:
    """What it never took is contradicted, what a code cannot tell is moot."""
    entries = tuple(entry(one, LEFT) for one in range(1, 6))
    standing = said(4, missed=[2], moot=[3])
    found = phases(entries, standing)
    assert list(found.values()) == [
        *(Phase.CONFIRMED, Phase.CONTRADICTED, Phase.MOOT, Phase.CONFIRMED),
        Phase.HANDED_OVER,
    ]
    assert told("plant7", found, standing) == (
        "site plant7: 1 handed over, 2 confirmed, 1 moot, 1 contradicted;"
        f" last confirmed {TIME}: delivery 4, by receipt"
    )


@pytest.mark.parametrize(
    ("entries", "standing", "expected"),
    [
        ([], Standing(), (0, 0, "")),
        ([entry(1)], Standing(), (0, 1, "")),
        ([entry(1, anchor=True)], Standing(), (1, 0, "")),
        ([entry(1, anchor=True), entry(2, size=60)], Standing(), (1, 1, "")),
        (
            [entry(1, anchor=True), entry(2, size=61)],
            Standing(),
            (1, 1, "delivery 2 has 61 % of its bytes"),
        ),
        (
            [entry(1, anchor=True), *(entry(one, size=1) for one in range(2, 14))],
            Standing(),
            (1, 12, "12 deliveries build on delivery 1"),
        ),
        ([entry(1, anchor=True), entry(2, size=90)], said(2), (2, 0, "")),
        (
            [entry(1, anchor=True, written=""), entry(2, size=90)],
            Standing(),
            (0, 1, ""),
        ),
    ],
)
def test_an_anchor_is_due_when_it_pays_or_has_to(
    entries: list[Entry], standing: Standing, expected: tuple[int, int, str]
) -> None:
    """Too large a delivery, or too many on one anchor."""
    found = anchoring(tuple(entries), standing)
    assert (found.sequence, found.since, found.why) == expected
