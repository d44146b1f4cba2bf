"""Live names that some clients cannot tell apart."""

from airlift.payload import oci_name
from airlift.registry.held import State
from airlift.registry.registry import Registry


def live(registry: Registry) -> tuple[tuple[str, ...], ...]:
    """Return the groups of live names that are one name to container tools.

    They take lower case only, so the server answers none of such a group to them.
    """
    held = registry.releases(state=State.LIVE)
    served = {one.release.name for one in held if one.release.kind in oci_name.MODELS}
    return oci_name.collisions(served)


HINT = "they cannot be pulled as images; `airlift remove` all but one of each"
