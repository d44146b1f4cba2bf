"""The newest of several tags that fits what an entry of a manifest asks for."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from airlift import naming
from airlift.artifact import Pinned
from airlift.errors import RequestError
from airlift.format import ranges

TRIED: Final = 20
"""Tags that are looked into: each takes some requests, and hubs limit those."""


def first_fit(
    tags: Sequence[str], wanted: str, name: str, pin: Callable[[str], Pinned]
) -> Pinned:
    """Return what *pin* makes of the newest of *tags* within *wanted* that it accepts.

    What was passed over stands in the notes of what is returned: a newer version that
    does not fit must not look as if there were none.

    Args:
        tags: All there are.
        wanted: A range of versions.
        name: What the artifact is called, for errors.
        pin: Pins one tag; raises a RequestError where it is not as asked.

    Raises:
        RequestError: None is within the range, or none fits.
        SourceError: Upstream did not answer.
    """
    shown = naming.show(name)
    within = ranges.newest_first(tags, wanted)
    if not within:
        problem = f"none of the {len(tags)} tags of `{shown}` is within `{wanted}`"
        there = ", ".join(f"`{naming.show(tag)}`" for tag in sorted(tags)[:10])
        raise RequestError(problem, hint=f"there are: {there}" if there else "")
    notes: list[str] = []
    for tag in within[:TRIED]:
        try:
            return replace(pin(tag), notes=tuple(notes))
        except RequestError as error:
            notes.append(f"{naming.show(tag)} is newer and does not fit: {error}")
    problem = f"none of the {len(within)} tags of `{shown}` within `{wanted}` fits"
    raise RequestError(problem, hint=notes[0].replace(" is newer and", "", 1))
