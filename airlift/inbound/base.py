"""What a delivery builds on: blobs it does not carry, and this site must hold."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from airlift import naming
from airlift.digest import Sha256
from airlift.errors import BaseMissingError
from airlift.registry.registry import Registry
from airlift.store.blobs import BlobStore
from airlift.trust.delivery import VerifiedDelivery

_WHOLE = "ask for a delivery that carries everything (`airlift export --build-on none`)"


@dataclass(frozen=True, slots=True)
class _Lacking:
    """A blob that is not here.

    Attributes:
        blob: Its digest.
        name: What people call it, as far as anything here knows.
        sequence: The delivery that brought it; 0 where the sender does not say.
    """

    blob: Sha256
    name: str
    sequence: int


def check(delivery: VerifiedDelivery, store: BlobStore, registry: Registry) -> None:
    """Check, before anything is taken in, that nothing will be lacking in the end.

    Raises:
        BaseMissingError: Blobs that the delivery neither carries nor finds here; one
            of each delivery that brought them is named, and what to bring.
    """
    carried = {blob.sha256 for blob in delivery.packing.blobs}
    used = {
        file.sha256: f"{naming.show(file.path)} of {naming.show(one.release.name)}"
        for one in delivery.releases
        for file in one.release.files
        if file.sha256 not in carried
    }
    brought = {one.sha256: one.sequence for one in delivery.dispatch.needs}
    missing = store.missing({*used, *brought})
    if not missing:
        return
    held = _held(registry, {brought.get(one, 0) for one in missing})
    names = {**used, **held}
    lacking = [
        _Lacking(one, names.get(one, f"blob {one}"), brought.get(one, 0))
        for one in sorted(missing)
    ]
    problem = (
        f"delivery {delivery.dispatch.sequence} builds on {len(lacking)} blob(s) that"
        f" this site does not hold: {_examples(lacking)}"
    )
    raise BaseMissingError(problem, hint=_hint(lacking, registry, held))


def _held(registry: Registry, sequences: Collection[int]) -> Mapping[Sha256, str]:
    """Return how the registry calls the blobs of releases that *sequences* brought."""
    return {
        file.sha256: f"{naming.show(file.path)} of {naming.show(one.release.name)}"
        for one in registry.releases()
        if one.sequence in sequences
        for file in registry.files(one.id)
    }


def _examples(lacking: list[_Lacking]) -> str:
    """Name one blob for each delivery that brought some, and how many more it did."""
    by_sequence: dict[int, list[_Lacking]] = {}
    for one in lacking:
        by_sequence.setdefault(one.sequence, []).append(one)
    told = []
    for sequence, several in sorted(by_sequence.items()):
        # One that people know by name says more than a digest.
        example = min(several, key=lambda one: one.name == f"blob {one.blob}")
        text = example.name
        if len(several) > 1:
            text += f" and {len(several) - 1} more"
        told.append(f"{text} (brought by delivery {sequence})" if sequence else text)
    return ", ".join(told)


def _hint(
    lacking: list[_Lacking],
    registry: Registry,
    held: Collection[Sha256],
) -> str:
    """Say what to bring: only what would help.

    A delivery that was recorded brings back what its releases lost, but not a release
    that was collected since; one before the last recorded is not taken any more.
    """
    recorded = {one.sequence for one in registry.deliveries()}
    newest = max(recorded, default=0)

    def helps(one: _Lacking) -> bool:
        return one.blob in held if one.sequence in recorded else one.sequence > newest

    if not all(helps(one) for one in lacking):
        return _WHOLE
    numbers = ", ".join(map(str, sorted({one.sequence for one in lacking})))
    return f"import delivery {numbers} (again) before this one, or {_WHOLE}"
