"""Two revisions side by side: which files differ, and what in them.

Each question is one method of ``Sides``; what the answers mean together is said by
``airlift.payload.changes``.
"""

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from airlift.artifact import ContentClass
from airlift.payload import portrait, settings
from airlift.payload.face import Role
from airlift.payload.portrait import Member, Portrait

LINES: Final = 2000
"""Lines of a template above which two are not compared line by line: the time that
takes grows with their product, and upstream chooses both."""

_LONG = 200  # characters of a line above which it is broken at the end of a tag
_TAG_END = re.compile(r"(?<=%\})")


@dataclass(frozen=True, slots=True, kw_only=True)
class FileChange:
    """A file that was added, removed or changed.

    Attributes:
        path: Where it is, or was.
        before: Bytes before; None where it was not there, or nobody says.
        after: Bytes after, likewise.
        was: Its earlier path where the same bytes lay elsewhere; else empty.
    """

    path: str
    before: int | None = None
    after: int | None = None
    was: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueChange:
    """A value that differs: of a setting, a fact, a licence.

    Attributes:
        path: The file; empty for what is stated of the whole.
        key: Which value.
        before: Empty where there was none.
        after: Empty where there is none.
    """

    path: str
    key: str
    before: str
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateChange:
    """A chat template that differs.

    Attributes:
        path: The file it stands in.
        name: Which of its templates.
        before: Its text; empty where there was none.
        after: Its text; empty where there is none.
        lines: The difference as ``diff -u`` shows it, without its head; empty where
            the two are too long to compare.
    """

    path: str
    name: str
    before: str
    after: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Risk:
    """A file that can make a program act and could not before."""

    path: str
    content_class: ContentClass


@dataclass(frozen=True, slots=True)
class Sides:
    """Two portraits, and which files of each are not the same in the other.

    Attributes:
        gone: Of the old one, those that are not the same in the new one.
        come: Of the new one, likewise.
        homes: Where bytes that merely lie elsewhere now were, by new path.
    """

    old: Portrait
    new: Portrait
    gone: tuple[Member, ...]
    come: tuple[Member, ...]
    homes: Mapping[str, str]

    @classmethod
    def of(cls, old: Portrait, new: Portrait) -> "Sides":
        """Return both, and which files of each differ."""
        same = portrait.same_paths(old, new)
        gone = [one for path, one in sorted(old.members.items()) if path not in same]
        come = [one for path, one in sorted(new.members.items()) if path not in same]
        homes = {}
        free = {_key(one): one.path for one in gone if one.path not in new.members}
        for one in come:
            if one.path not in old.members and _key(one) in free:
                homes[one.path] = free.pop(_key(one))
        return cls(old, new, tuple(gone), tuple(come), homes)

    def added(self) -> Iterator[FileChange]:
        """Yield files that are new."""
        for one in self.come:
            if one.path not in self.old.members and one.path not in self.homes:
                yield FileChange(path=one.path, after=one.size)

    def removed(self) -> Iterator[FileChange]:
        """Yield files that are gone."""
        left = set(self.homes.values())
        for one in self.gone:
            if one.path not in self.new.members and one.path not in left:
                yield FileChange(path=one.path, before=one.size)

    def moved(self) -> Iterator[FileChange]:
        """Yield files whose bytes lay elsewhere."""
        for path, was in sorted(self.homes.items()):
            size = self.new.members[path].size
            yield FileChange(path=path, before=size, after=size, was=was)

    def changed(self) -> Iterator[FileChange]:
        """Yield files of other bytes."""
        for one in self.come:
            if before := self.old.members.get(one.path):
                yield FileChange(path=one.path, before=before.size, after=one.size)

    def facts(self) -> Iterator[ValueChange]:
        """Yield what upstream says otherwise of files that are on both sides."""
        for path in sorted(self.old.members.keys() & self.new.members.keys()):
            before, after = (
                settings.flat(side.members[path].facts) for side in (self.old, self.new)
            )
            yield from values(path, before, after)

    def licences(self) -> Iterator[ValueChange]:
        """Yield texts of licences that differ, by digest."""
        for path in _either(self.gone, self.come, Role.LICENCE):
            pair = self._pair(path)
            # In one kind of digest, where both sides state one.
            git = all(one is None or one.git_oid for one in pair)
            was, now = (_digest(one, git=git) for one in pair)
            yield ValueChange(path=path, key="text", before=was, after=now)

    def settings(self) -> Iterator[ValueChange]:
        """Yield settings that differ, of files that were read."""
        for path, (before, after) in self._read().items():
            was, now = (
                one.face.settings if one and one.face else {} for one in (before, after)
            )
            yield from values(path, was, now)

    def templates(self) -> Iterator[TemplateChange]:
        """Yield chat templates that differ, of files that were read."""
        for path, (before, after) in self._read().items():
            was, now = (
                one.face.templates if one and one.face else {}
                for one in (before, after)
            )
            for name in sorted(was.keys() | now.keys()):
                texts = was.get(name, ""), now.get(name, "")
                if texts[0] != texts[1]:
                    yield TemplateChange(
                        path=path,
                        name=name,
                        before=texts[0],
                        after=texts[1],
                        lines=tuple(_difference(*texts)),
                    )

    def risks(self) -> Iterator[Risk]:
        """Yield what can make a program act and could not before."""
        for one in self.come:
            acts = one.content_class in (ContentClass.PICKLE, ContentClass.CODE)
            before = self.old.members.get(self.homes.get(one.path, one.path))
            if acts and (before is None or before.content_class != one.content_class):
                yield Risk(path=one.path, content_class=one.content_class)

    def unread(self) -> Iterator[str]:
        """Yield files that differ and were not, or could not be, looked into."""
        told = (Role.WEIGHTS, Role.SETTINGS, Role.TEMPLATE)
        for path in sorted({one.path for one in (*self.gone, *self.come)}):
            known = [one for one in self._pair(path) if one and one.role in told]
            if any(one.face is None or one.face.problem for one in known):
                yield path

    def _read(self) -> Mapping[str, tuple[Member | None, Member | None]]:
        """Return files that differ and were read on both sides where they are.

        A file that is on one side alone stands beside its group's file on the other: a
        model whose file has another name by now still has one chat template.
        """
        if not any(one.face for one in (*self.gone, *self.come)):
            return {}
        was, now = self.old.members, self.new.members
        found = {one.path: self._pair(one.path) for one in self.come if one.path in was}
        gone = {one.group: one for one in self.gone if one.path not in now}
        come = {one.group: one for one in self.come if one.path not in was}
        for before, after in portrait.pairs(gone, come):
            pair = gone.get(before), come.get(after)
            path = next(one.path for one in reversed(pair) if one)
            found[path] = pair
        return {
            path: pair
            for path, pair in sorted(found.items())
            if all(one is None or one.face is not None for one in pair)
        }

    def _pair(self, path: str) -> tuple[Member | None, Member | None]:
        return self.old.members.get(path), self.new.members.get(path)


def _key(one: Member) -> str:
    """Name the bytes of a file; its own path where nothing is stated of them."""
    return one.sha256 or one.git_oid or one.path


def _digest(one: Member | None, *, git: bool) -> str:
    if one is None:
        return ""
    return one.git_oid if git and one.git_oid else _key(one)


def _either(
    gone: Sequence[Member], come: Sequence[Member], role: Role
) -> Sequence[str]:
    return sorted({one.path for one in (*gone, *come) if one.role is role})


def values(
    path: str, before: Mapping[str, str], after: Mapping[str, str]
) -> Iterator[ValueChange]:
    """Yield what differs between two tables of values of the file *path*."""
    for key in sorted(before.keys() | after.keys()):
        was, now = before.get(key, ""), after.get(key, "")
        if was != now:
            yield ValueChange(path=path, key=key, before=was, after=now)


def _difference(before: str, after: str) -> Iterator[str]:
    old, new = _lines(before), _lines(after)
    if max(len(old), len(new)) <= LINES:
        found = difflib.unified_diff(old, new, lineterm="", n=2)
        yield from (line for line in found if not line.startswith(("---", "+++")))


def _lines(text: str) -> list[str]:
    """Return *text* as lines; templates are often written as a single long one."""
    found: list[str] = []
    for line in text.splitlines():
        found += _TAG_END.split(line) if len(line) > _LONG else [line]
    return found
