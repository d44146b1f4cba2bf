"""When what a site trusts runs out."""

from airlift.trust import strict
from airlift.trust.delivery import TrustState


def expiries(state: TrustState) -> dict[str, str]:
    """Return when each trusted document expires, by role; the root's first.

    Raises:
        FormatError: A document that was trusted can no longer be read.
    """
    roots = {
        int(name.split(".")[0]): data
        for name, data in state.metadata.items()
        if name.endswith(".root.json")
    }
    root = roots[max(roots)] if roots else state.anchor
    found = {"root": strict.root(root, name="the root").body.expires}
    for role, read in (
        ("timestamp", strict.timestamp),
        ("snapshot", strict.snapshot),
        ("targets", strict.targets),
        (f"site-{state.site}", strict.site_targets),
    ):
        if data := state.metadata.get(f"{role}.json"):
            found[role] = read(data, name=role).body.expires
    return found
