"""How far each delivery to a site is known to have come. Nothing is confirmed by time."""

from collections import Counter
from collections.abc import Mapping
from enum import StrEnum

from airlift.outbound.ledger import Entry
from airlift.outbound.standing import Standing


class Phase(StrEnum):
    """Where a delivery stands, in the order of its life."""

    PLANNED = "planned"
    """Begun; its volumes are not finished."""
    BUILT = "built"
    """Its volumes were finished."""
    HANDED_OVER = "handed over"
    """It left with somebody, and is the last that did."""
    PRESUMED = "presumed"
    """Told to have arrived, or a later one left since: it should be there."""
    CONFIRMED = "confirmed"
    """The site said that it took it."""
    MOOT = "moot"
    """The site holds what a later one brought in its place; it may never have come."""
    CONTRADICTED = "contradicted"
    """The site said that it never took it."""


WAITING = (Phase.BUILT, Phase.HANDED_OVER, Phase.PRESUMED)
"""Of what was finished, and nobody at the site has said anything about."""


def phases(entries: tuple[Entry, ...], standing: Standing) -> Mapping[int, Phase]:
    """Return where each delivery stands, by its number.

    Args:
        entries: The deliveries to one site.
        standing: What that site said.
    """
    newest = max((one.sequence for one in entries if one.hand_overs), default=0)
    return {one.sequence: _phase(one, standing, newest) for one in entries}


def _phase(entry: Entry, standing: Standing, newest: int) -> Phase:
    told = standing.confirmed
    if told and entry.sequence <= told.state.sequence:
        if told.never_took(entry.sequence):
            return Phase.CONTRADICTED
        return Phase.CONFIRMED if told.took(entry.sequence) else Phase.MOOT
    if not entry.hand_overs:
        return Phase.BUILT if entry.written else Phase.PLANNED
    there = entry.sequence < newest or any(one.arrived for one in entry.hand_overs)
    return Phase.PRESUMED if there else Phase.HANDED_OVER


def told(site: str, found: Mapping[int, Phase], standing: Standing) -> str:
    """Return in one line how far deliveries to *site* are known to have come."""
    counts = Counter(found.values())
    parts = [f"{counts[one]} {one.value}" for one in Phase if counts[one]]
    line = f"site {site}: {', '.join(parts) or 'no delivery yet'}"
    last = standing.confirmed
    if last is None:
        return f"{line}; last confirmed never"
    what = f"delivery {last.state.sequence}" if last.state.sequence else "nothing"
    return f"{line}; last confirmed {last.time}: {what}, by {last.means.value}"
