"""What one catalogue says otherwise than an earlier one."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from airlift.artifact import NOTHING, Json
from airlift.format import rule, withdrawal
from airlift.format.catalogue import Advisory, Catalogue
from airlift.format.catalogue_entries import Item, Package


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One thing that is otherwise.

    Attributes:
        kind: A kind of artifact, ``package``, ``advisory`` or ``rule``.
        name: Of the artifact or package; the id of an advisory or rule.
        what: ``watched``, ``no longer watched``, ``revision``, ``standing``,
            ``licence``, ``newest``, ``status``, ``yanked``, ``moved``, ``published``,
            ``changed``, ``withdrawn``, ``exploited``.
        before: What it was; empty where it was not.
        after: What it is; empty where it is not.
    """

    kind: str
    name: str
    what: str
    before: str = ""
    after: str = ""


def between(old: Catalogue, new: Catalogue) -> tuple[Change, ...]:
    """Return what *new* says otherwise than *old*: artifacts, packages, advisories."""
    items = {one.order: one for one in old.items}
    packages = {one.name: one for one in old.packages}
    return (
        *_items(items, {one.order: one for one in new.items}),
        *_packages(packages, {one.name: one for one in new.packages}),
        *_advisories(old, new),
    )


def _items(
    old: dict[tuple[str, str, str, bytes], Item],
    new: dict[tuple[str, str, str, bytes], Item],
) -> Iterator[Change]:
    for key in sorted(old.keys() | new.keys()):
        before, after = old.get(key), new.get(key)
        kind, name = key[0], key[1]
        if before is None or after is None:
            what = "watched" if before is None else "no longer watched"
            yield Change(kind=kind, name=name, what=what)
            continue
        yield from _differing(
            (kind, name),
            (
                ("standing", before.standing.value, after.standing.value),
                ("revision", before.revision, after.revision),
                ("licence", before.licence, after.licence),
                ("moved", before.moved_to, after.moved_to),
            ),
        )


def _differing(
    of: tuple[str, str], facts: Sequence[tuple[str, str, str]]
) -> Iterator[Change]:
    kind, name = of
    for what, before, after in facts:
        if before != after:
            yield Change(kind=kind, name=name, what=what, before=before, after=after)


def _packages(old: dict[str, Package], new: dict[str, Package]) -> Iterator[Change]:
    for name in sorted(old.keys() | new.keys()):
        before, after = old.get(name), new.get(name)
        if before is None or after is None:
            what = "watched" if before is None else "no longer watched"
            yield Change(kind=withdrawal.PACKAGE, name=name, what=what)
            continue
        yield from _differing(
            (withdrawal.PACKAGE, name),
            (
                ("standing", before.standing.value, after.standing.value),
                ("newest", before.newest, after.newest),
                ("status", before.status, after.status),
            ),
        )
        was, now = _yanked(before), _yanked(after)
        for path in sorted(now.keys() - was.keys()):
            yield Change(
                kind=withdrawal.PACKAGE,
                name=name,
                what=withdrawal.YANKED,
                after=f"{path}: {now[path]}".removesuffix(": "),
            )


def _yanked(package: Package) -> dict[str, str]:
    return {
        file.path: file.yanked
        for version in package.versions
        for file in version.files
        if file.yanked is not None
    }


def _advisories(old: Catalogue, new: Catalogue) -> Iterator[Change]:
    before = {one.id: one for one in old.advisories}
    for one in new.advisories:
        kind = "rule" if rule.is_rule(one) else "advisory"
        known = before.get(one.id)
        what = "published" if known is None else "changed"
        if "withdrawn" in one.record and not (known and "withdrawn" in known.record):
            what = "withdrawn"
        if known is None or _stated(known) != _stated(one):
            summary = str(one.record.get("summary", ""))
            yield Change(kind=kind, name=one.id, what=what, after=summary)
        since = _exploited(one)
        if since and not (known and _exploited(known)):
            yield Change(kind=kind, name=one.id, what="exploited", after=since)


def _stated(one: Advisory) -> Mapping[str, Json]:
    """Return what an advisory's publisher says.

    Not what others have found out about it: their files have another date every week.
    """
    told = {
        key: value for key, value in one.record.items() if key != "database_specific"
    }
    return {**told, "severity of its own": _own(one).get("severity")}


def _exploited(one: Advisory) -> str:
    """Return since when it is known to be exploited; empty where it is not."""
    told = _own(one).get("kev")
    return str(told.get("added", "")) if isinstance(told, Mapping) else ""


def _own(one: Advisory) -> Mapping[str, Json]:
    found = one.record.get("database_specific")
    return found if isinstance(found, Mapping) else NOTHING
