"""The release that an artifact becomes: the one there is, or one of the next number."""

from collections.abc import Sequence
from dataclasses import replace

from airlift import naming
from airlift.artifact import Pinned, Release, ReleaseFile
from airlift.errors import RequestError
from airlift.format.release import content as _content
from airlift.outbound.attesting import Attester
from airlift.trust.publisher import Publisher


def number(
    pinned: Pinned,
    files: tuple[ReleaseFile, ...],
    publisher: Publisher,
    made: Sequence[Release],
    attester: Attester | None,
) -> Release:
    """Return the release of an artifact; the one there is when nothing changed.

    Args:
        pinned: The artifact.
        files: What was fetched of it.
        publisher: Knows the releases approved before.
        made: Releases of this delivery so far. Another revision of the same artifact
            among them has a number already; this one gets the next.
        attester: Says what is to be attested; None where nothing is. What was attested
            before stays with what did not change.

    Raises:
        RequestError: Some file systems cannot hold its files side by side.
        StoreError: The disk refuses.
    """
    _check_paths(pinned, files)
    latest = publisher.latest_release(pinned.kind, pinned.name)
    beside = [
        one.counter
        for one in made
        if (one.kind, one.name) == (pinned.kind, pinned.name)
    ]
    counter = max([latest[1].counter if latest else 1, *beside])
    fresh = Release(
        kind=pinned.kind,
        name=pinned.name,
        revision=pinned.revision,
        counter=counter,
        files=tuple(sorted(files, key=lambda file: file.path)),
        refs=pinned.refs,
        upstream=pinned.upstream,
        licence=pinned.licence,
        base_models=pinned.base_models,
    )
    same = latest and not beside and _content(latest[1]) == _content(fresh)
    if latest and same and (attester is None or attester.is_satisfied(latest[1])):
        return latest[1]
    if latest or beside:
        fresh = replace(fresh, counter=counter + 1)
    return attester.attest(fresh) if attester else fresh


def _check_paths(pinned: Pinned, files: tuple[ReleaseFile, ...]) -> None:
    if pair := naming.collision([file.path for file in files]):
        shown = " and ".join(naming.show(path) for path in pair)
        problem = f"{naming.show(pinned.name)}: some file systems cannot hold {shown}"
        raise RequestError(problem, hint="leave one out with `exclude`")
