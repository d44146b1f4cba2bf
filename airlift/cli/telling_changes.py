"""What changed between two revisions, as lines a person approves from.

Everything that came from upstream goes through ``naming.show``: a template or a file
name must not move the cursor of whoever decides about it.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from airlift import naming
from airlift.cli import output
from airlift.payload.changes import Changes
from airlift.payload.face import Tensor
from airlift.payload.sides import FileChange, TemplateChange, ValueChange
from airlift.payload.tensor_changes import TensorChanges

SHOWN: Final = 20
"""Lines of one sort that a person is shown; ``--json`` has all."""
_TEMPLATE_LINES: Final = 200


def lines(one: Changes) -> Iterator[str]:
    """Yield the lines that say what changed, the weightiest first; nothing is indented.

    Each sort of change is cut after ``SHOWN`` lines, and says how many are left out.
    """
    yield from _cut(
        f"can make a program act: {_show(risk.path)} ({risk.content_class.value})"
        for risk in one.risks
    )
    yield from _cut(_value("", change) for change in one.stated)
    yield from _cut(_text_of(change) for change in one.licences)
    yield from _cut(_value("package ", change) for change in one.packages)
    if one.before:
        yield from _files(one)
    for tensors in one.tensors:
        yield from _tensors(tensors, is_new=not one.before)
    yield from _cut(_value("setting ", change) for change in one.settings)
    for template in one.templates:
        yield from _template(template, is_new=not one.before)
    yield from _cut(_value("said of ", change) for change in one.facts)
    yield from _cut(f"not looked into: {_show(path)}" for path in one.unread)


def _files(one: Changes) -> Iterator[str]:
    yield from _cut(f"file added: {_sized(file)}" for file in one.added)
    yield from _cut(f"file removed: {_sized(file)}" for file in one.removed)
    yield from _cut(f"file changed: {_sized(file)}" for file in one.changed)
    yield from _cut(
        f"file moved: {_show(file.was)} -> {_show(file.path)}" for file in one.moved
    )


def _sized(file: FileChange) -> str:
    sizes = [output.size(n) for n in (file.before, file.after) if n is not None]
    return f"{_show(file.path)}  {' -> '.join(sizes)}".rstrip()


def _value(word: str, change: ValueChange) -> str:
    place = f"{_show(change.path)}: " if change.path else ""
    before, after = (_show(text) or "(none)" for text in (change.before, change.after))
    return f"{word}{place}{_show(change.key)}: {before} -> {after}"


def _text_of(change: ValueChange) -> str:
    what = "changed" if change.before and change.after else "added"
    if not change.after:
        what = "removed"
    before, after = (text[:12] or "none" for text in (change.before, change.after))
    return f"licence text {what}: {_show(change.path)} ({before} -> {after})"


def _tensors(one: TensorChanges, *, is_new: bool) -> Iterator[str]:
    path = _show(one.path)
    if is_new:
        yield f"tensors of {path}: {len(one.added)}, {one.parameters} parameters"
        return
    if one.is_same:
        yield f"tensors of {path}: all {one.kept} of the same name, type and shape"
        return
    grown = f"; parameters {one.parameters:+}" if one.parameters else ""
    renamed = " (of the same types and shapes: renamed)" if one.renamed else ""
    yield (
        f"tensors of {path}: {len(one.added)} added, {len(one.removed)} removed"
        f"{renamed}, {len(one.reshaped)} of another type or shape, {one.kept} as before"
        f"{grown}"
    )
    yield from _cut(f"  + {_show(n)}  {_tensor(t)}" for n, t in one.added.items())
    yield from _cut(f"  - {_show(n)}  {_tensor(t)}" for n, t in one.removed.items())
    retyped = Counter(
        (two.before.dtype, two.after.dtype)
        for two in one.reshaped
        if two.before.shape == two.after.shape
    )
    yield from _cut(
        f"  ~ {before} -> {after}: {count} of the same shape"
        for (before, after), count in sorted(retyped.items())
    )
    yield from _cut(
        f"  ~ {_show(two.name)}  {_tensor(two.before)} -> {_tensor(two.after)}"
        for two in one.reshaped
        if two.before.shape != two.after.shape
    )


def _tensor(one: Tensor) -> str:
    return f"{one.dtype} [{', '.join(map(str, one.shape))}]"


def _template(one: TemplateChange, *, is_new: bool) -> Iterator[str]:
    what = f"chat template `{_show(one.name)}` of {_show(one.path)}"
    count = len(one.after.splitlines())
    if is_new:
        yield f"{what}: {count} lines"
        return
    if not (one.before and one.after):
        yield f"{what}: {'added' if one.after else 'removed'}, {count} lines"
    elif not one.lines:
        yield f"{what}: changed, too long to compare line by line"
    else:
        yield f"{what}: changed"
    yield from _cut((f"  {_show(line)}" for line in one.lines), limit=_TEMPLATE_LINES)


def _cut(found: Iterable[str], *, limit: int = SHOWN) -> Sequence[str]:
    listed = list(found)
    if len(listed) <= limit:
        return listed
    return [*listed[:limit], f"... and {len(listed) - limit} more: see --json"]


def _show(text: str) -> str:
    return naming.show(text)
