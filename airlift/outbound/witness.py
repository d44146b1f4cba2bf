"""The connected side as a witness of each site's log: it keeps the last checkpoint.

A site's disks may all be put back to last month, or be in the hands of whoever wants to
rewrite what happened; what a courier carried out before is not. So every receipt has to
prove that its log goes on from the one that was seen last, and every delivery says which
that was.
"""

from airlift.errors import TrustError
from airlift.format.checkpoint import Checkpoint
from airlift.format.dispatch import LogSeen
from airlift.outbound.ledger import Ledger
from airlift.trust import checkpoint
from airlift.trust.enrolled import SiteKeys
from airlift.trust.receipt import SignedReceipt

_HINT = (
    "an old copy of that host was put back, or somebody rewrote its log: find out "
    "before the next delivery; a host that begins anew makes a new key "
    "(`airlift trust site-key --replace`)"
)


def quoted(ledger: Ledger, site: str) -> LogSeen | None:
    """Return what the next delivery says of the log of *site*; None if nothing.

    Where another key was enrolled since, the site began anew, and has a log of its own.

    Raises:
        FormatError: A file of the ledger is damaged.
        StoreError: It cannot be read.
    """
    standing, key = ledger.standing(site), SiteKeys(ledger.folder).current(site)
    if key and standing.receipt and key.key_id != standing.receipt.key_id:
        return None
    return standing.log


def advanced(
    signed: SignedReceipt, seen: LogSeen | None, *, anew: bool
) -> LogSeen | None:
    """Return the log as it is now known, by a receipt that is believed.

    Args:
        signed: The receipt.
        seen: The log as it was known before; None where it never was.
        anew: Whether the site has another key than before: people said that it began
            anew, and its log may have, too.

    Returns:
        *seen* where the receipt has no proof for it: a later one will, once the site
        was told in a delivery what is asked for.

    Raises:
        TrustError: The log shrank, or is another one; or the receipt hides it.
        FormatError: Its checkpoint is none.
    """
    told, name = signed.receipt, f"receipt {signed.receipt.number}"
    if told.log is None:
        if seen is None or anew:
            return None
        problem = f"{name} of {told.site} has no checkpoint of its log, and others had"
        raise TrustError(problem, hint=_HINT)
    found = checkpoint.believe(
        told.log.note, signed.key, name=f"the checkpoint in {name}"
    )
    fresh = LogSeen(size=found.size, root=found.root)
    if seen is None or anew:
        return fresh
    before = Checkpoint(site=told.site, size=seen.size, root=seen.root)
    if found.size < seen.size:
        problem = f"the log of {told.site} has {found.size} events, and had {seen.size} before"
        raise TrustError(problem, hint=_HINT)
    if found.size != seen.size and seen.size not in told.log.proofs:
        return seen
    if not told.log.proves(before):
        problem = (
            f"the log of {told.site} is another one: its {found.size} events do not "
            f"begin with the {seen.size} that were there before"
        )
        raise TrustError(problem, hint=_HINT)
    return fresh
