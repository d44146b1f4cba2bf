"""Which update first: what the newest of a thing closes, and what lies against the held.

Parts of a sum, for the order of a list alone (``risk``). No verdict depends on it.
"""

from collections.abc import Mapping
from functools import cached_property

from airlift.audit import risk, upstreams
from airlift.audit.finding import Severity
from airlift.audit.site import Site
from airlift.format.advice import Advice, Vulnerability
from airlift.inbound.news import Finding as Piece
from airlift.payload.changes import Extent


class Urgency:
    """What weighs for updates of a site.

    Args:
        site: Open.
    """

    def __init__(self, site: Site) -> None:
        self._site = site

    @cached_property
    def _known(self) -> Advice | None:
        return Advice(self._site.made) if self._site.made else None

    def parts(self, one: Piece, *, extent: str, since: str) -> Mapping[str, int]:
        """Return what speaks for moving to the newest of *one*, and how much.

        Args:
            one: What is held of which upstream has a newer one.
            extent: How far the change goes, in the words of the table.
            since: Since when it is behind; empty where nobody knows.
        """
        closed = self._closed(one)
        worst = min(
            (Severity(each.rating.level) for each in closed),
            key=lambda level: level.rank,
            default=None,
        )
        likely = (str(each.epss.get("score", "0")) for each in closed)
        found = {
            "kev": risk.EXPLOITED
            if any(each.kev.get("added") for each in closed)
            else 0
        }
        if worst:
            found[worst.value] = risk.severity(worst)
        return {
            **found,
            "epss": max(map(risk.likelihood, likely), default=0),
            "withdrawn": risk.WITHDRAWN if one.withdrawn else 0,
            # Cheap to carry, and it is where behaviour changes without the weights.
            "behaviour": risk.BEHAVIOUR if extent.startswith(Extent.BEHAVIOUR) else 0,
            "age": risk.age(since, self._site.clock.trusted),
        }

    def _closed(self, one: Piece) -> tuple[Vulnerability, ...]:
        """Return what is known against what is held and not against the newest."""
        if self._known is None or not upstreams.is_package(one):
            return ()
        here = self._known.of(one.name, one.held)
        return tuple(each for each in here if not each.is_about(one.newest))
