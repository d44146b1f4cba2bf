"""What upstream has taken back: the part of a catalogue that a site never forgets.

A later catalogue that no longer mentions something, or that could not ask for it, takes
nothing of this back. Only an answer does: one that is newer, about the same thing, and
says that it is given again.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from airlift.format.catalogue import Catalogue
from airlift.format.catalogue_entries import Item, Package, Standing

PACKAGE: Final = "package"
"""The kind of what is withdrawn where it is a package of an index or a file of one."""
ACTIVE: Final = "active"
REMOVED: Final = "removed"
YANKED: Final = "yanked"

Key = tuple[str, str, str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawal:
    """Something that upstream gives no longer, or warns of.

    Attributes:
        kind: A kind of artifact, or ``package``.
        name: Of the artifact or package.
        subject: What of it: the name it is asked under; a version or a file of a
            package, empty for all of it.
        what: ``gated``, ``disabled``, ``gone``, ``removed`` (a version without any
            file), ``yanked``, or a package's status: ``quarantined``...
        reason: In upstream's words; may be empty.
        as_of: When it was known.
    """

    kind: str
    name: str
    subject: str
    what: str
    reason: str
    as_of: str

    @property
    def key(self) -> Key:
        """What tells it apart from others."""
        return self.kind, self.name, self.subject, self.what


def stated(catalogue: Catalogue) -> tuple[Withdrawal, ...]:
    """Return what *catalogue* says is withdrawn, each once."""
    found: dict[Key, Withdrawal] = {}
    for item in catalogue.items:
        for one in _of_item(item):
            found.setdefault(one.key, one)
    for package in catalogue.packages:
        for one in _of_package(package):
            found.setdefault(one.key, one)
    return tuple(found[key] for key in sorted(found))


def _of_item(item: Item) -> Iterator[Withdrawal]:
    if item.standing not in (Standing.AVAILABLE, Standing.UNKNOWN):
        yield Withdrawal(
            kind=item.kind.value,
            name=item.name,
            subject=item.asked,
            what=item.standing.value,
            reason=item.reason,
            as_of=item.as_of,
        )


def _of_package(package: Package) -> Iterator[Withdrawal]:
    for subject, what, reason in _parts(package):
        yield Withdrawal(
            kind=PACKAGE,
            name=package.name,
            subject=subject,
            what=what,
            reason=reason,
            as_of=package.as_of,
        )


def _parts(package: Package) -> Iterator[tuple[str, str, str]]:
    if package.standing is not Standing.AVAILABLE:
        if package.standing is not Standing.UNKNOWN:
            yield "", package.standing.value, package.reason
        return
    if package.status != ACTIVE:
        yield "", package.status, package.reason
    for version in package.versions:
        if not version.files:
            yield version.version, REMOVED, ""
        for file in version.files:
            if file.yanked is not None:
                yield file.path, YANKED, file.yanked


def is_taken_back(one: Withdrawal, catalogue: Catalogue) -> bool:
    """Say whether *catalogue* answers, later than *one* was known, that it is over."""
    if one.kind != PACKAGE:
        return any(
            item.as_of > one.as_of and item.standing is Standing.AVAILABLE
            for item in catalogue.items
            if (item.kind.value, item.name, item.asked)
            == (one.kind, one.name, one.subject)
        )
    return any(
        package.as_of > one.as_of and _gives(package, one)
        for package in catalogue.packages
        if package.name == one.name
    )


def _gives(package: Package, one: Withdrawal) -> bool:
    if package.standing is not Standing.AVAILABLE:
        return False
    if one.what == YANKED:
        files = (file for version in package.versions for file in version.files)
        return any(f.path == one.subject and f.yanked is None for f in files)
    if one.what == REMOVED:
        versions = package.versions
        return any(v.version == one.subject and v.files for v in versions)
    # Of the whole: its status is another one now, or it is there again.
    return package.status != one.what
