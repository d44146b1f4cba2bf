"""Taking in a catalogue: believed and kept, or refused and noted.

A refusal goes into the log before anybody is told: an old catalogue that is offered
again and again is how somebody would hide what a newer one says.
"""

from airlift.errors import FormatError, TrustError
from airlift.registry.upstream import Upstream
from airlift.trust import catalogue, clock
from airlift.trust.catalogue import VerifiedCatalogue


def take_in(
    data: bytes, upstream: Upstream, *, name: str, now: str, actor: str
) -> VerifiedCatalogue:
    """Believe the catalogue in *data* and keep it; return what it is.

    Args:
        data: The whole file.
        upstream: Where it is kept.
        name: What to call the file in an error.
        now: This host's clock, ``YYYY-MM-DDThh:mm:ssZ``.
        actor: Who brings it.

    Raises:
        FormatError: It is not a catalogue's file, or is damaged.
        TrustError: Nothing gives it authority here, or it is not newer than what is
            held; the log says so.
        RegistryError: The registry is busy or cannot record.
        StoreError: The disk refused.
    """
    try:
        found = catalogue.verify(
            data, upstream.trust_state(), upstream.newest(), name=name
        )
    except (FormatError, TrustError) as error:
        upstream.refuse(error.problem, now=now, actor=actor)
        raise
    upstream.record(found, now=now, actor=actor)
    return found


def warnings(found: VerifiedCatalogue, *, now: str) -> tuple[str, ...]:
    """Return lines for the operator about a catalogue that was taken in."""
    made, lines = found.catalogue, []
    if found.missed:
        lines.append(
            f"{found.missed} catalogues before number {made.sequence} never came; what"
            " they said of the present, this one says again"
        )
    if clock.days_from(now, made.issued) >= 1:
        lines.append(
            f"the catalogue was issued at {made.issued}, later than this host's clock"
            f" ({now}): one of the two clocks is wrong"
        )
    if made.valid_until <= now:
        lines.append(
            f"the catalogue was good until {made.valid_until}: ask for a newer one"
        )
    return tuple(lines)
