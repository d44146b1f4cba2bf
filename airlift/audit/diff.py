"""Q8: what differs between two revisions that are held.

Told from both manifests and from what the files say of themselves: headers of weights,
settings, chat templates. A template that changed is always shown whole, as text: it is
where behaviour changes without any weight changing.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from typing import Final

from airlift.artifact import Json, Kind, ReleaseFile
from airlift.audit import subjects
from airlift.audit.answer import Answer, Options
from airlift.audit.facts import releases, tensor_values
from airlift.audit.facts.tensor_values import Values
from airlift.audit.finding import Finding, Severity
from airlift.audit.site import Site
from airlift.digest import Sha256
from airlift.errors import RequestError
from airlift.payload import changes, face, portrait
from airlift.payload.changes import Changes, Extent
from airlift.payload.face import Face
from airlift.payload.sides import FileChange, TemplateChange, ValueChange
from airlift.payload.tensor_changes import TensorChanges
from airlift.progress import Progress
from airlift.registry.held import Held

KIND: Final = "change"
"""The family of the findings of this question."""
_COLUMNS: Final = ("model", "section", "path", "before", "after", "class")
_LINES: Final = 200
"""Lines of a template's difference in a finding's evidence; the table has all."""
_CONTROLS: Final = ("CM-3",)
_UNSEEN: Final = frozenset({Extent.NOTHING, Extent.REVISION, Extent.DOCUMENTATION})


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """Two releases side by side.

    Attributes:
        old: The one before.
        new: The one after.
        changes: What differs.
        values: Which tensors have other values; None where nobody looked.
    """

    old: Held
    new: Held
    changes: Changes
    values: Values | None = None


def ask(site: Site, options: Options) -> Answer:
    """Return what differs between the two newest revisions of each model held.

    With two items, between those; the first is the one before.
    """
    if options.items:
        return answer((compare(site, *two(site, options.items)),))
    pairs = list(_newest(site))
    found = []
    with options.progress.task("comparing", len(pairs), unit="models") as advance:
        for old, new in pairs:
            found.append(compare(site, old, new))
            advance(1)
    return answer(found)


def _newest(site: Site) -> Iterator[tuple[Held, Held]]:
    """Yield the newest release of each name, and the one before it."""
    known = [one for one in site.releases if releases.has_facts(one)]
    for _, some in groupby(known, lambda one: (one.release.kind, one.release.name)):
        listed = [one for one in some if not one.denied]
        if len(listed) > 1:
            yield listed[1], listed[0]


def two(site: Site, items: Sequence[str]) -> tuple[Held, Held]:
    """Return the two releases that *items* mean.

    Raises:
        RequestError: One is not held, or not meant by one name, or they are not two.
        RegistryError: The registry cannot answer.
    """
    if len(items) != 2:
        problem = f"{len(items)} releases are named, expected two to compare"
        raise RequestError(problem, hint="`airlift audit diff OLD NEW`")
    found = {one.id: one for one in site.releases}
    old, new = (site.registry.find(one).id for one in items)
    if old not in found or new not in found:
        problem = "one of the two was not held then"
        raise RequestError(problem, hint="leave --as-of out")
    return found[old], found[new]


def compare(site: Site, old: Held, new: Held) -> Compared:
    """Return what differs between two releases that are held.

    Raises:
        RegistryError: The registry cannot answer.
        StoreError: The disk cannot be read.
    """
    bare = [replace(one.release, files=tuple(site.files(one))) for one in (old, new)]
    plain = [portrait.of(one, {}) for one in bare]
    same = portrait.same_paths(*plain)
    was, now = (
        portrait.of(one, dict(_faces(site, one.files, same, one.kind))) for one in bare
    )
    return Compared(old=old, new=new, changes=changes.between(was, now))


def with_values(site: Site, one: Compared, progress: Progress) -> Compared:
    """Return *one* with the tensors compared byte by byte.

    Raises:
        RegistryError: The registry cannot answer.
        StoreError: A file is not in the store, or the disk cannot be read.
    """
    files = site.files(one.old), site.files(one.new)
    return replace(one, values=tensor_values.compare(site, *files, progress))


def _faces(
    site: Site, files: Sequence[ReleaseFile], same: Iterable[str], kind: Kind
) -> Iterator[tuple[str, Face]]:
    labels = portrait.labels(files)
    for file in files:
        if labels[file.path] in same or not portrait.is_read(kind, file):
            continue
        # One that the store lost is named as not read.
        if site.store.has(file.sha256):
            read = partial(_read, site, file.sha256)
            role = portrait.role(kind, file)
            yield file.path, face.look(file.path, file.size, read, role)


def _read(site: Site, blob: Sha256, start: int, stop: int) -> bytes:
    return b"".join(site.store.read(blob, start=start, stop=stop))


def answer(found: Sequence[Compared]) -> Answer:
    """Return the answer that *found* is."""
    unread = [
        f"{one.new.release.name}: {path}: it differs and could not be read"
        for one in found
        for path in one.changes.unread
    ]
    extents = [one.changes.extent.value for one in found]
    return Answer(
        question="Q8",
        as_of=max((one.new.imported for one in found), default=""),
        columns=_COLUMNS,
        rows=tuple(row for one in found for row in _rows(one)),
        findings=tuple(each for one in found for each in _findings(one)),
        unknown=tuple(unread),
        counts={"pairs": len(found)}
        | {extent: extents.count(extent) for extent in sorted(set(extents))},
    )


# --- the table --------------------------------------------------------------------


def _rows(one: Compared) -> Iterator[Mapping[str, Json]]:
    told = one.changes
    common: dict[str, Json] = {
        "kind": str(subjects.release(one.new).kind),
        "model": told.name,
        "class": told.extent.value,
    }
    parts = (
        _row("revision", "", told.before, told.after),
        *(
            _row("can act", risk.path, "", risk.content_class.value)
            for risk in told.risks
        ),
        *_values("stated", told.stated),
        *_values("licence text", told.licences),
        *_values("package", told.packages),
        *_files("added", told.added),
        *_files("removed", told.removed),
        *_files("changed", told.changed),
        *(_row("moved", file.path, file.was, file.path) for file in told.moved),
        *(row for tensors in told.tensors for row in _tensors(tensors)),
        *(_tensor_values(one.values) if one.values else ()),
        *_values("setting", told.settings),
        *(row for template in told.templates for row in _template(template)),
        *_values("said of file", told.facts),
        *(_row("not read", path, "", "") for path in told.unread),
    )
    yield from ({**common, **part} for part in parts)


def _row(section: str, path: str, before: Json, after: Json) -> Mapping[str, Json]:
    return {"section": section, "path": path, "before": before, "after": after}


def _values(section: str, some: Iterable[ValueChange]) -> Iterator[Mapping[str, Json]]:
    for one in some:
        place = f"{one.path}: {one.key}" if one.path else one.key
        yield _row(section, place, one.before, one.after)


def _files(section: str, some: Iterable[FileChange]) -> Iterator[Mapping[str, Json]]:
    yield from (_row(section, one.path, one.before, one.after) for one in some)


def _tensors(one: TensorChanges) -> Iterator[Mapping[str, Json]]:
    before = len(one.removed) + len(one.reshaped) + one.kept
    after = len(one.added) + len(one.reshaped) + one.kept
    yield _row("tensors", one.path, before, after)
    if one.parameters:
        yield _row("parameters", one.path, "", f"{one.parameters:+d}")
    for name, tensor in one.removed.items():
        yield _row("tensor", f"{one.path}: {name}", _shape(tensor), "")
    for name, tensor in one.added.items():
        yield _row("tensor", f"{one.path}: {name}", "", _shape(tensor))
    for two in one.reshaped:
        place = f"{one.path}: {two.name}"
        yield _row("tensor", place, _shape(two.before), _shape(two.after))


def _tensor_values(found: Values) -> Iterator[Mapping[str, Json]]:
    count = found.same + len(found.changed)
    yield _row("values", "", count, f"{len(found.changed)} changed")
    yield from (_row("value", name, "", "changed") for name in found.changed)


def _shape(tensor: face.Tensor) -> str:
    return f"{tensor.dtype} [{', '.join(map(str, tensor.shape))}]"


def _template(one: TemplateChange) -> Iterator[Mapping[str, Json]]:
    """Yield the lines that are gone and those that came; of all, where it is new."""
    place = f"{one.path}: {one.name}"
    lines = one.lines or (
        *(f"-{line}" for line in one.before.splitlines()),
        *(f"+{line}" for line in one.after.splitlines()),
    )
    for line in lines:
        if line.startswith("-"):
            yield _row("template", place, line[1:], "")
        elif line.startswith("+"):
            yield _row("template", place, "", line[1:])


# --- findings ---------------------------------------------------------------------


def _findings(one: Compared) -> Iterator[Finding]:
    told = one.changes
    since = f"since {told.before[:12]}"
    if told.templates:
        lines = [line for each in told.templates for line in each.lines]
        places = [f"{each.path}: {each.name}" for each in told.templates]
        evidence: dict[str, Json] = {
            "templates": tuple(places),
            "lines": tuple(lines[:_LINES]),
        }
        title = f"{told.name}: its chat template is another {since}"
        yield _finding(one, "template-changed", (Severity.MEDIUM, title), evidence)
    if told.risks:
        evidence = {
            "files": [
                f"{risk.path} ({risk.content_class.value})" for risk in told.risks
            ]
        }
        title = f"{told.name}: {len(told.risks)} file(s) that can act came {since}"
        yield _finding(one, "can-act", (Severity.MEDIUM, title), evidence)
    if told.extent not in _UNSEEN:
        title = f"{told.name}: changed {since}: {told.extent.value}"
        yield _finding(one, "changed", (Severity.INFO, title), {})


def _finding(
    one: Compared,
    rule: str,
    told: tuple[Severity, str],
    evidence: Mapping[str, Json],
) -> Finding:
    severity, title = told
    common: dict[str, Json] = {
        "before": one.changes.before,
        "after": one.changes.after,
        "class": one.changes.extent.value,
    }
    return Finding(
        kind=KIND,
        rule=rule,
        severity=severity,
        subject=subjects.release(one.new),
        title=title,
        evidence={**common, **evidence},
        arrived_in=str(one.new.sequence),
        controls=_CONTROLS,
    )
