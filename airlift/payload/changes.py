"""What changed between two revisions of an artifact, as far as their files say.

Rules only: what is compared was read by somebody else, on either side of the gap. What
could not be read is named, never taken for unchanged.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from airlift.artifact import Kind
from airlift.payload import settings, tensor_changes, wheel_names
from airlift.payload.face import Role
from airlift.payload.portrait import Portrait
from airlift.payload.sides import (
    FileChange,
    Risk,
    Sides,
    TemplateChange,
    ValueChange,
    values,
)
from airlift.payload.tensor_changes import TensorChanges

_SILENT: Final = frozenset({"modified"})
"""What upstream states that changes with every commit and means nothing by itself."""
_STRUCTURE: Final = ("architectures", "model_type", "hidden_size", "num_hidden_layers")


class Extent(StrEnum):
    """How far a change goes; the widest counts."""

    NOTHING = "nothing"
    REVISION = "the revision alone"
    DOCUMENTATION = "documentation only"
    BEHAVIOUR = "behaviour without weights"
    PACKAGES = "packages"
    WEIGHTS = "weights, same architecture"
    ARCHITECTURE = "architecture"


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What changed between two revisions.

    Attributes:
        kind: Of the artifact.
        name: Of the artifact.
        before: The revision before; empty where there was none.
        after: The revision after.
        extent: How far it goes.
        added: Files, by path; so the next three.
        removed: Those that are gone.
        moved: Those whose bytes were there under another path.
        changed: Those of other bytes.
        stated: What upstream says of the whole: licence, base models, refs, gating.
        facts: What upstream says of single files: yanked, scan results.
        licences: Texts of licences that differ, by digest.
        settings: Values in configuration files and GGUF metadata.
        templates: Chat templates.
        tensors: Of each model whose weights differ and could be read.
        packages: Versions of each project in a set of wheels.
        risks: What can now make a program act.
        unread: Files that differ and were not, or could not be, looked into.
    """

    kind: Kind
    name: str
    before: str
    after: str
    extent: Extent
    added: tuple[FileChange, ...] = ()
    removed: tuple[FileChange, ...] = ()
    moved: tuple[FileChange, ...] = ()
    changed: tuple[FileChange, ...] = ()
    stated: tuple[ValueChange, ...] = ()
    facts: tuple[ValueChange, ...] = ()
    licences: tuple[ValueChange, ...] = ()
    settings: tuple[ValueChange, ...] = ()
    templates: tuple[TemplateChange, ...] = ()
    tensors: tuple[TensorChanges, ...] = ()
    packages: tuple[ValueChange, ...] = ()
    risks: tuple[Risk, ...] = ()
    unread: tuple[str, ...] = ()

    @property
    def is_nothing(self) -> bool:
        """Whether a release of the one would be a release of the other."""
        return self.extent is Extent.NOTHING


def between(old: Portrait | None, new: Portrait) -> Changes:
    """Return what changed from *old* to *new*.

    Args:
        old: What was there; None where nothing was.
        new: What is there now.
    """
    was = old or replace(new, revision="", members={}, licence="", base_models=())
    sides = Sides.of(was, new)
    found = Changes(
        kind=new.kind,
        name=new.name,
        before=was.revision,
        after=new.revision,
        extent=Extent.NOTHING,
        added=tuple(sides.added()),
        removed=tuple(sides.removed()),
        moved=tuple(sides.moved()),
        changed=tuple(sides.changed()),
        stated=tuple(values("", _stated(was), _stated(new))),
        facts=tuple(sides.facts()),
        licences=tuple(sides.licences()),
        settings=tuple(sides.settings()) if old else (),
        templates=tuple(sides.templates()),
        tensors=tuple(tensor_changes.between(sides.gone, sides.come)),
        packages=tuple(_packages(was, new)),
        risks=tuple(sides.risks()),
        unread=tuple(sides.unread()),
    )
    return replace(found, extent=_extent(found, sides))


def _stated(one: Portrait) -> Mapping[str, str]:
    told = {key: value for key, value in one.upstream.items() if key not in _SILENT}
    stated = {
        "refs": ", ".join(one.refs),
        "base models": ", ".join(one.base_models),
        "licence": one.licence,
    }
    found = {**settings.flat(told), **stated}
    return {key: value for key, value in found.items() if value}


def _packages(old: Portrait, new: Portrait) -> Iterator[ValueChange]:
    if new.kind is Kind.WHEELS:
        yield from values("", _versions(old), _versions(new))


def _versions(one: Portrait) -> Mapping[str, str]:
    found: dict[str, set[str]] = {}
    for path in one.members:
        if parsed := wheel_names.parse(path):
            found.setdefault(parsed[0], set()).add(str(parsed[1]))
    return {name: ", ".join(sorted(versions)) for name, versions in found.items()}


def _extent(found: Changes, sides: Sides) -> Extent:
    differing = (*sides.gone, *sides.come)
    roles = {one.role for one in differing}
    if found.kind is Kind.WHEELS and differing:
        return Extent.PACKAGES
    if _is_structure(found):
        return Extent.ARCHITECTURE
    if Role.WEIGHTS in roles:
        return Extent.WEIGHTS
    if roles - {Role.CARD, Role.LICENCE} or found.risks:
        return Extent.BEHAVIOUR
    told = differing or found.stated or found.facts
    bare = Extent.NOTHING if found.before == found.after else Extent.REVISION
    return Extent.DOCUMENTATION if told else bare


def _is_structure(found: Changes) -> bool:
    """Say whether tensors came, went or have other shapes, or the model says so."""
    return any(
        ((one.added or one.removed) and not one.renamed)
        or any(two.before.shape != two.after.shape for two in one.reshaped)
        for one in found.tensors
    ) or any(
        one.path.endswith("config.json") and one.key.startswith(_STRUCTURE)
        for one in found.settings
    )
