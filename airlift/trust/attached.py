"""Whether the attestations in a delivery are those that its releases name, unread."""

from collections.abc import Iterable, Mapping

from airlift.artifact import Release
from airlift.digest import Sha256, sha256
from airlift.errors import TrustError
from airlift.trust import records

_DAMAGED = "copy it again; if it stays so, stop and ask whoever sent it"


def check(offered: Mapping[str, bytes], releases: Iterable[Release]) -> None:
    """Return if exactly what *releases* name was *offered*, to the byte.

    Args:
        offered: Attestations by the digest that their names claim.
        releases: From documents that are signed for.

    Raises:
        TrustError: One is missing, is another, or is named by none.
    """
    wanted = {
        listed.sha256: listed.size for one in releases for listed in one.attestations
    }
    if odd := sorted(offered.keys() ^ wanted.keys()):
        verb = "lacks" if odd[0] in wanted else "was not meant to bring"
        name = records.attestation_name(Sha256(odd[0]))
        problem = f"the delivery {verb} `{name}`"
        raise TrustError(problem, hint=_DAMAGED)
    for digest, size in wanted.items():
        data = offered[digest]
        if (sha256(data), len(data)) != (digest, size):
            name = records.attestation_name(digest)
            problem = f"`{name}` is not what the release names"
            raise TrustError(problem, hint=_DAMAGED)
