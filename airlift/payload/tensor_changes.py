"""What changed among tensors: of shards as one file, under whatever file names."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod

from airlift.payload import portrait
from airlift.payload.face import Role, Tensor
from airlift.payload.portrait import Member


@dataclass(frozen=True, slots=True, kw_only=True)
class Reshaped:
    """A tensor of another type or shape than before."""

    name: str
    before: Tensor
    after: Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorChanges:
    """What changed among the tensors of one model.

    Attributes:
        path: Of its file, without a shard's number; the new one where it was renamed.
        added: New tensors by name.
        removed: Those that are gone.
        reshaped: Those of another type or shape.
        kept: How many have the same name, type and shape; their values may differ.
        parameters: By how many elements it grew; negative where it shrank.
        renamed: Whether those added have the types and shapes of those removed.
    """

    path: str
    added: Mapping[str, Tensor]
    removed: Mapping[str, Tensor]
    reshaped: tuple[Reshaped, ...]
    kept: int
    parameters: int
    renamed: bool

    @property
    def is_same(self) -> bool:
        """Whether every tensor has the name, type and shape it had."""
        return not (self.added or self.removed or self.reshaped)


def between(old: Sequence[Member], new: Sequence[Member]) -> Iterator[TensorChanges]:
    """Yield what changed of each model among weight files that are not the same.

    Files that are the same on both sides are to be left out: no tensor can have moved
    into or out of one.
    """
    before, after = _groups(old), _groups(new)
    for was, now in portrait.pairs(before, after):
        tensors = _tensors(before.get(was, ())), _tensors(after.get(now, ()))
        if None not in tensors:
            yield _compare(now or was, *tensors)  # type: ignore[arg-type]  # just asked


def _groups(members: Iterable[Member]) -> dict[str, list[Member]]:
    found: dict[str, list[Member]] = {}
    for one in members:
        if one.role is Role.WEIGHTS:
            found.setdefault(one.group, []).append(one)
    return found


def _tensors(members: Iterable[Member]) -> dict[str, Tensor] | None:
    """Return the tensors of all *members*; None where one was not read."""
    found: dict[str, Tensor] = {}
    for one in members:
        if one.face is None or one.face.tensors is None:
            return None
        found.update(one.face.tensors)
    return found


def _compare(
    path: str, old: Mapping[str, Tensor], new: Mapping[str, Tensor]
) -> TensorChanges:
    both = sorted(old.keys() & new.keys())
    added = {name: new[name] for name in sorted(new.keys() - old.keys())}
    removed = {name: old[name] for name in sorted(old.keys() - new.keys())}
    reshaped = tuple(
        Reshaped(name=name, before=old[name], after=new[name])
        for name in both
        if old[name] != new[name]
    )
    return TensorChanges(
        path=path,
        added=added,
        removed=removed,
        reshaped=reshaped,
        kept=len(both) - len(reshaped),
        parameters=_elements(new) - _elements(old),
        renamed=bool(added) and Counter(added.values()) == Counter(removed.values()),
    )


def _elements(tensors: Mapping[str, Tensor]) -> int:
    return sum(prod(one.shape) for one in tensors.values())
