"""From twelve characters alone: what a site holds, and which deliveries it never took."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airlift.artifact import Kind, Release
from airlift.digest import sha256
from airlift.errors import RequestError
from airlift.format import state
from airlift.format.dispatch import Dispatch, Earlier
from airlift.format.state import SiteState
from airlift.outbound.candidates import MOST, candidates, explaining
from airlift.outbound.expectation import Expectation, Sent
from airlift.outbound.ledger import Entry, Ledger
from airlift.outbound.standing import Standing
from crossing import NOW, Connected

SITE = "plant7"
NOTHING = SiteState(site=SITE, sequence=0)
NAMES = st.sets(st.sampled_from("abc"), min_size=1).map(sorted)
HISTORIES = st.lists(st.tuples(NAMES, st.booleans()), min_size=1, max_size=7)
History = list[tuple[list[str], bool]]
"""Of each delivery: the artifacts that it names, and whether the site took it."""


@pytest.fixture(name="connected", scope="module")
def _connected(tmp_path_factory: pytest.TempPathFactory) -> Connected:
    return Connected(tmp_path_factory.mktemp("connected"))


def expectation(
    connected: Connected, history: History
) -> tuple[Expectation, list[Sent]]:
    """Return what was sent in *history*, and of that what was taken."""
    found = Expectation(Ledger(Path("/nowhere")), connected.publisher, Standing(), SITE)
    sent = []
    for sequence, (names, _) in enumerate(history, start=1):
        ids = {name: sha256(f"{name}{sequence}".encode()) for name in names}
        for name, one in ids.items():
            found._documents[one] = Release(
                kind=Kind.MODEL,
                name=name,
                revision=f"{sequence}",
                counter=sequence,
                files=(),
            )
        sent.append(Sent(sequence=sequence, releases=tuple(sorted(ids.values()))))
    found.entries = tuple(_entry(one) for one in sent)
    took = [one for one, (_, taken) in zip(sent, history, strict=True) if taken]
    return found, took


def _entry(sent: Sent) -> Entry:
    before = range(sent.sequence - 1, 0, -1)
    record = Dispatch(
        site=SITE,
        sequence=sent.sequence,
        earlier=tuple(Earlier(sequence=one, sha256=sha256(b"")) for one in before),
        issued=NOW,
        operator="ann",
        releases=sent.releases,
        needs=(),
        packing_sha256=sha256(b""),
        packing_size=0,
    )
    return Entry(record=record, written=NOW)


@given(history=HISTORIES)
def test_a_code_tells_the_state_and_never_a_wrong_loss(
    connected: Connected, history: History
) -> None:
    """Whatever was lost: what is said to be lost is, what is said to be taken was."""
    found, took = expectation(connected, history)
    truth = found.after(NOTHING, took)
    said = explaining(state.code(state.root(truth)), found)
    assert said is not None
    assert said.state == truth
    taken = {one.sequence for one in took}
    assert said.lost.isdisjoint(taken)
    assert said.counted <= taken
    assert len(list(candidates(found, NOTHING))) < MOST


@given(history=HISTORIES, other=st.binary(min_size=8, max_size=8))
def test_a_code_of_nothing_that_was_sent_is_explained_by_nothing(
    connected: Connected, history: History, other: bytes
) -> None:
    """A forged code is as likely as one in ten to the eighteenth to be believed."""
    found, _ = expectation(connected, history)
    assert explaining(state.code(sha256(other)), found) is None


def test_a_slip_away_from_any_state_is_said_to_be_one(connected: Connected) -> None:
    """Also from the state after a loss."""
    found, took = expectation(connected, [(["a"], True), (["b"], False), (["c"], True)])
    code = state.code(state.root(found.after(NOTHING, took)))
    with pytest.raises(RequestError) as caught:
        explaining(code[:-1] + ("0" if code[-1] != "0" else "1"), found)
    assert code in caught.value.problem


def test_a_long_silence_is_searched_within_bounds(connected: Connected) -> None:
    """Three years without a word; most likely nothing was lost, or little."""
    history = [(["a", "b", "c"], one != 80) for one in range(1, 151)]
    found, took = expectation(connected, history)
    said = explaining(state.code(state.root(found.after(NOTHING, took))), found)
    assert said
    assert (said.state.sequence, said.lost) == (150, frozenset())
    looked = sum(1 for _ in candidates(found, NOTHING))
    assert looked <= MOST
