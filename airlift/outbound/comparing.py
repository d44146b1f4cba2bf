"""What a site holds beside what it should: which artifacts differ, and how."""

from collections.abc import Mapping
from dataclasses import dataclass

from airlift import naming
from airlift.format.state import SiteState
from airlift.outbound.expectation import Expectation

Revisions = tuple[tuple[int, str], ...]
"""Releases of one artifact by counter and revision, the newest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """An artifact of which a site holds something else than was sent.

    Attributes:
        kind: Of the artifact.
        name: Its name.
        expected: The releases that were sent.
        found: Those that the site holds.
    """

    kind: str
    name: str
    expected: Revisions
    found: Revisions

    def __str__(self) -> str:
        """Say it in one line."""
        found, expected = map(_shown, (self.found, self.expected))
        name = naming.show(self.name)
        return f"{self.kind} {name}: it holds {found}, expected {expected}"


def differences(
    should: SiteState, found: SiteState, expectation: Expectation
) -> tuple[Difference, ...]:
    """Return of which artifacts *found* holds something else than *should*.

    Raises:
        StoreError: The records of a release are damaged.
    """
    left, right = (_by_name(one, expectation) for one in (should, found))
    return tuple(
        Difference(
            kind=name[0],
            name=name[1],
            expected=left.get(name, ()),
            found=right.get(name, ()),
        )
        for name in sorted(left.keys() | right.keys())
        if left.get(name) != right.get(name)
    )


def _by_name(
    held: SiteState, expectation: Expectation
) -> Mapping[tuple[str, str], Revisions]:
    named: dict[tuple[str, str], list[tuple[int, str]]] = {}
    for one in held.releases:
        found = expectation.document(one)
        release = (found.counter, found.revision)
        named.setdefault((found.kind.value, found.name), []).append(release)
    return {name: tuple(sorted(named[name], reverse=True)) for name in named}


def _shown(some: Revisions) -> str:
    told = (f"release {counter} ({revision[:12]})" for counter, revision in some)
    return ", ".join(map(naming.show, told)) or "nothing"
