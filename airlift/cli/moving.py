"""What the commands share that move the live set: find, move, say what changed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from airlift import naming
from airlift.artifact import Json
from airlift.cli import output
from airlift.cli.cmd_list import as_table
from airlift.digest import Sha256
from airlift.registry.held import Generation, Held
from airlift.registry.registry import Registry


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """A move of the live set.

    Attributes:
        before: Number of the live set before; 0 where there was none.
        after: Number of the live set now; the same where nothing changed.
        joined: What became live, in the order of ``airlift list``.
        left: What is live no longer.
    """

    before: int
    after: int
    joined: tuple[Held, ...]
    left: tuple[Held, ...]


def find(registry: Registry, references: Sequence[str]) -> tuple[Held, ...]:
    """Return the releases that *references* mean, each once.

    Raises:
        RequestError: One means none, or several.
    """
    found = [registry.find(one) for one in references]
    return tuple({one.id: one for one in found}.values())


def move(home: Path, doing: Callable[[Registry], int]) -> Moved:
    """Move the live set of *home* and say what changed.

    Args:
        home: The folder of the registry.
        doing: Makes the move; returns the number of the live set afterwards.

    Raises:
        RequestError: It cannot be done as asked.
        RegistryError: The registry is busy or cannot record.
    """
    registry = Registry.open(home)
    with registry.exclusive("move"):
        first = current(registry)
        after = doing(registry)
        return changed(registry, first, numbered(registry, after))


def current(registry: Registry) -> Generation | None:
    """Return the live set; None before the first."""
    return next(iter(registry.generations(newest=1)), None)


def numbered(registry: Registry, number: int) -> Generation | None:
    """Return the live set of that number; None where there is none."""
    return next(iter(registry.generations(only=number)), None)


def changed(
    registry: Registry, first: Generation | None, then: Generation | None
) -> Moved:
    """Return what is different between two live sets."""
    old, new = _members(first), _members(then)
    held = registry.releases()
    return Moved(
        before=first.number if first else 0,
        after=then.number if then else 0,
        joined=tuple(one for one in held if one.id in new - old),
        left=tuple(one for one in held if one.id in old - new),
    )


def _members(one: Generation | None) -> frozenset[Sha256]:
    return frozenset(one.releases) if one else frozenset()


def show(moved: Moved, *, as_json: bool) -> None:
    """Print a move of the live set."""
    if as_json:
        joined: list[Json] = [as_table(one) for one in moved.joined]
        left: list[Json] = [as_table(one) for one in moved.left]
        output.as_json(
            {
                "before": moved.before,
                "generation": moved.after,
                "joined": joined,
                "left": left,
            }
        )
        return
    lines(moved)
    if moved.after == moved.before:
        output.line(f"nothing changed; live set {moved.after}")
    else:
        output.line(f"live set {moved.after} takes the place of {moved.before}")


def lines(moved: Moved) -> None:
    """Print one line for each release that comes or goes."""
    for sign, several in (("+", moved.joined), ("-", moved.left)):
        for one in several:
            output.line(f"{sign} {label(one)}")


def label(held: Held) -> str:
    """Return a release as one line for a person."""
    release = held.release
    name = naming.show(release.name)
    return f"{release.kind}  {name}  {naming.show(release.revision[:12])}"
