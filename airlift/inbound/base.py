"""What a delivery builds on: blobs it does not carry, and this site must hold."""

from airlift import naming
from airlift.errors import IncompleteError
from airlift.store.blobs import BlobStore
from airlift.trust.delivery import VerifiedDelivery


def check(delivery: VerifiedDelivery, store: BlobStore) -> None:
    """Check, before anything is taken in, that nothing will be lacking in the end.

    Raises:
        IncompleteError: Blobs that the delivery neither carries nor finds here.
    """
    carried = {blob.sha256 for blob in delivery.packing.blobs}
    users = {
        file.sha256: f"{naming.show(file.path)} of {naming.show(one.release.name)}"
        for one in delivery.releases
        for file in one.release.files
        if file.sha256 not in carried
    }
    lacking = store.missing({*users, *delivery.dispatch.needs})
    if not lacking:
        return
    example = min(lacking)
    shown = users.get(example, f"blob {example}")
    problem = (
        f"delivery {delivery.dispatch.sequence} builds on {len(lacking)} blob(s) that"
        f" this site does not hold, such as {shown}"
    )
    hint = "ask for a delivery that carries everything"
    if delivery.missed:
        never = ", ".join(map(str, delivery.missed))
        hint = f"bring the deliveries that never came ({never}), or {hint}"
    raise IncompleteError(problem, hint=hint)
