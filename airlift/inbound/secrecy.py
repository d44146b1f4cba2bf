"""Volumes that came as they are where the site's policy wants them encrypted.

Refused, so that it is noticed: what somebody left out of the encryption, or took it off
on the way, has been open to read. It says nothing about who made it.
"""

from airlift.errors import TrustError
from airlift.format.reading import VolumeStream
from airlift.trust import policy
from airlift.trust.delivery import VerifiedDelivery

_POLICIES = "records/policy/"


def demanded(delivery: VerifiedDelivery) -> int:
    """Return the version of the policy that wants *delivery* encrypted; 0 if none does.

    That which travels with it: media from before there was such a policy stay good for
    healing what the store has lost.
    """
    for name, data in delivery.records.items():
        if name.startswith(_POLICIES):
            told = policy.decode(data, name=name)
            return told.version if told.encrypted else 0
    return 0


def problem(delivery: VerifiedDelivery, source: VolumeStream) -> str:
    """Say why a volume must not come as it does; empty where it may."""
    version = 0 if source.encrypted else demanded(delivery)
    if not version:
        return ""
    return f"it is not encrypted, and version {version} of the site's policy demands it"


def check(delivery: VerifiedDelivery, source: VolumeStream) -> None:
    """Refuse a delivery whose first volume came in the open and must not.

    Raises:
        TrustError: It did.
    """
    if told := problem(delivery, source):
        hint = (
            "tell the sender: whoever had this medium could read it; "
            "`airlift export --again` writes it encrypted"
        )
        text = f"{source.name}: {told}"
        raise TrustError(text, hint=hint)
