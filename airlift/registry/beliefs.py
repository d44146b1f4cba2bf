"""What a delivery changes in what the site believes, as lines of the log.

Such changes are rare and matter most: whose keys count, and what goes live by itself.
The versions of the other signed files are in every line.
"""

import json
from collections.abc import Iterator
from dataclasses import replace

from airlift.artifact import Json
from airlift.digest import sha256
from airlift.registry import log
from airlift.registry.held import Event
from airlift.registry.intake import Stamp, stamped
from airlift.trust import policy
from airlift.trust.delivery import TrustState


def changed(before: TrustState, after: TrustState, stamp: Stamp) -> Iterator[Event]:
    """Yield a line for a new root, and for a new policy, that came with a delivery.

    Args:
        before: What the site believed.
        after: What it believes now.
        stamp: Of the import.
    """
    old, new = _root(before), _root(after)
    if new != old:
        detail: dict[str, Json] = {"before": old, "by": stamp.note}
        yield stamped(replace(stamp, reason="root"), f"root {new}", detail)
    if after.policy and after.policy != before.policy:
        detail = {
            "before": _policy(before),
            "sha256": sha256(after.policy),
            "by": stamp.note,
        }
        subject = f"policy {_policy(after)}"
        yield stamped(replace(stamp, reason="policy"), subject, detail)


def _root(state: TrustState) -> int:
    """Return the version of the root in force."""
    version = json.loads(state.anchor)["signed"]["version"]
    return max(int(version), log.newest_root(state.metadata))


def _policy(state: TrustState) -> int:
    if not state.policy:
        return 0
    return policy.decode(state.policy, name="the policy").version
