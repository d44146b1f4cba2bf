"""Whoever judges deliveries again, as this package asks for it."""

from collections.abc import Iterable, Mapping
from typing import Protocol

from airlift.trust.approval import Approval
from airlift.trust.delivery import TrustState, VerifiedDelivery


class Verify(Protocol):
    """What judges a delivery: ``airlift.trust.verifier.verify``."""

    def __call__(
        self,
        offered: Mapping[str, bytes],
        state: TrustState,
        /,
        *,
        now: str,
        approvals: Iterable[Approval],
    ) -> VerifiedDelivery:
        """Return the proof that *offered* is believed by who believes *state*.

        Raises:
            TrustError: It is not.
        """
        ...
