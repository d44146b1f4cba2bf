"""Whom a delivery is encrypted to."""

from pathlib import Path

from airlift.cli import output
from airlift.trust import policy
from airlift.trust.publisher import Publisher
from airlift.trust.recipient import Recipient
from airlift.trust.recipients import Recipients


def recipient(
    home: Path, publisher: Publisher, site: str, *, encrypt: bool
) -> Recipient | None:
    """Return the key that a delivery to *site* is encrypted to; None to leave it open.

    Args:
        home: The connected side's home.
        publisher: Has the site's policy, which may demand it.
        site: The site.
        encrypt: Whether it was asked for.

    Raises:
        RequestError: No key of the site is enrolled.
        FormatError, StoreError: What was enrolled cannot be read.
    """
    told = publisher.policy(site)
    demanded = bool(told) and policy.decode(told).encrypted
    if not (encrypt or demanded):
        return None
    found = Recipients(home / "ledger").must(site)
    why = " (the site's policy demands it)" if demanded else ""
    output.note(f"encrypted to the key {found.key_id[:16]} of {site}{why}")
    return found
