"""Which deliveries a site took, found from the code of its state alone.

A code says one thing: equal or not. So it is compared with the code of each state that
the site can be in: after each delivery, with none, one, two... of those before it lost,
the fewest first. A delivery whose loss makes no difference, because a later one replaced
what it brought, is not lost in any of them: nobody can tell.
"""

from collections import deque
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from airlift.errors import RequestError
from airlift.format import state
from airlift.format.state import SiteState
from airlift.outbound.expectation import Expectation, Sent

ANCHOR_HINT = "send an anchor: `airlift export MANIFEST --anchor --to FOLDER`"
MOST = 20_000
"""States looked at: some seconds. That a wrong code is one of theirs is as likely as one
in 57 million million."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A state that a site can be in.

    Attributes:
        state: What it would hold.
        lost: Deliveries up to ``state.sequence`` that it would not have taken.
        counted: Those that brought something of what it would hold.
    """

    state: SiteState
    lost: frozenset[int]
    counted: frozenset[int]

    @property
    def code(self) -> str:
        """What the site would print."""
        return state.code(state.root(self.state))


def candidates(expectation: Expectation, base: SiteState) -> Iterator[Candidate]:
    """Yield the states a site can be in that once held *base*, the likeliest first.

    At most ``MOST``.
    """
    sent = expectation.since(base)
    waiting = deque((at, frozenset[int]()) for at in range(len(sent), -1, -1))
    seen: set[tuple[int, frozenset[int]]] = set()
    while waiting and len(seen) < MOST:
        at, lost = waiting.popleft()
        if (at, lost) in seen:
            continue
        seen.add((at, lost))
        taken = [one for one in sent[:at] if one.sequence not in lost]
        found = expectation.after(base, taken)
        counted = _counted(found, taken)
        yield Candidate(state=found, lost=lost, counted=counted)
        # The newest was taken: without it the state would be one after another.
        waiting.extend(
            (at, lost | {one})
            for one in sorted(counted - {found.sequence}, reverse=True)
        )


def _counted(found: SiteState, taken: Collection[Sent]) -> frozenset[int]:
    held = set(found.releases)
    counted = set()
    for one in sorted(taken, key=lambda each: -each.sequence):
        if held & set(one.releases):
            counted.add(one.sequence)
            held -= set(one.releases)
    return frozenset(counted)


def explaining(heard: str, expectation: Expectation) -> Candidate | None:
    """Return the likeliest state whose code is *heard*; None where none has it.

    Raises:
        RequestError: It is the code of a state that the site has left behind, or a
            slip away from one that it can be in.
    """
    near: Candidate | None = None
    for one in candidates(expectation, expectation.base):
        if one.code == heard:
            return one
        if near is None and state.misheard(heard, one.code):
            near = one
    _refuse_earlier(heard, expectation)
    if near:
        after = f"{near.code}, the code after delivery {near.state.sequence}"
        problem = f"{heard} is a character or two away from {after}"
        raise RequestError(problem, hint="have it read out again, letter by letter")
    return None


def _refuse_earlier(heard: str, expectation: Expectation) -> None:
    base = expectation.base.sequence
    earlier = {expectation.code(one) for one in range(1, base)}
    if heard in earlier | set(expectation.codes):
        problem = (
            f"{heard} was the code of {expectation.site} before delivery {base},"
            " which it said it took"
        )
        hint = f"ask for the code it prints now; if it is this, {ANCHOR_HINT}"
        raise RequestError(problem, hint=hint)
