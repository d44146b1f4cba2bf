"""Advisories from a folder or zip of OSV records, as far as they touch what is watched.

The operator brings the records: nothing here connects. How old they are is told by the
newest change in any of them, not by when they were copied.
"""

import json
import zipfile
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from airlift import naming
from airlift.digest import Sha256, sha256
from airlift.errors import FormatError, RequestError
from airlift.format import advisory
from airlift.format.catalogue import Advisory, Feed
from airlift.format.dispatch import is_time
from airlift.store.durable import read_file

RECORD: Final = 8 << 20
"""Bytes of one record; the largest known has 1 MB."""
_HINT: Final = "give a folder or a zip of OSV records, one JSON file each"


@dataclass(slots=True)
class _Count:
    """What was met on the way through a feed."""

    records: int = 0
    github: int = 0
    newest: str = ""
    unread: list[str] = field(default_factory=list)
    digests: list[Sha256] = field(default_factory=list)


def read(
    path: Path, packages: Collection[str], *, now: str
) -> tuple[Feed, tuple[Advisory, ...]]:
    """Return what the records at *path* say about *packages*.

    A record that cannot be read is counted and named in the feed's ``problem``.

    Args:
        path: A folder or a zip file.
        packages: Names in PyPA's normal form.
        now: ``YYYY-MM-DDThh:mm:ssZ``; a change dated later is not one.

    Raises:
        RequestError: There are no records there.
    """
    count = _Count()
    found: dict[str, Advisory] = {}
    wanted = frozenset(packages)
    for name, data in _files(path):
        count.digests.append(sha256(data))
        try:
            one = _advisory(name, data, wanted, (count, now))
        except FormatError as error:
            count.unread.append(error.problem)
            continue
        # Of two records of one id, that with the later change.
        if one is not None and (
            one.id not in found or _changed(found[one.id]) < _changed(one)
        ):
            found[one.id] = one
    if not count.records:
        problem = f"{naming.show(str(path))} holds no OSV record that can be read"
        raise RequestError(problem, hint=_HINT)
    feed = Feed(
        as_of=count.newest,
        problem=_problem(count),
        records=count.records,
        sha256=sha256("\n".join(sorted(count.digests)).encode()),
    )
    return feed, tuple(found[one] for one in sorted(found))


def _problem(count: _Count) -> str:
    if not count.newest:
        return "none of the records says when it was changed"
    if not count.unread and not count.github:
        # PyPA's own database alone knows next to nothing of what runs models.
        return (
            f"none of the {count.records} records is GitHub's (`GHSA-`): this is not all"
            " that OSV publishes for PyPI"
        )
    if not count.unread:
        return ""
    first = naming.show(count.unread[0])[:200]
    return f"{len(count.unread)} records cannot be read, first {first}"


def _changed(one: Advisory) -> str:
    return str(one.record.get("modified", ""))


def _advisory(
    name: str, data: bytes, packages: frozenset[str], told: tuple[_Count, str]
) -> Advisory | None:
    shown = f"`{naming.show(name)}`"
    try:
        record = json.loads(data)
    except (ValueError, RecursionError) as error:
        problem = f"{shown} is not JSON"
        raise FormatError(problem) from error
    if not isinstance(record, Mapping):
        problem = f"{shown} is not an object"
        raise FormatError(problem)
    one = advisory.identity(record, name=shown)
    kept = advisory.reduced(record, packages, name=shown)
    count, now = told
    count.records += 1
    count.github += one.startswith("GHSA-")
    changed = _moment(record.get("modified"))
    if count.newest < changed <= now:
        count.newest = changed
    return None if kept is None else Advisory(id=one, record=kept, sha256=sha256(data))


def _moment(value: object) -> str:
    """Return a time of OSV's, which may have fractions of seconds, as ours."""
    text = value if isinstance(value, str) else ""
    text = f"{text.partition('.')[0].removesuffix('Z')}Z"
    return text if is_time(text) else ""


def _files(path: Path) -> Iterator[tuple[str, bytes]]:
    try:
        if path.is_dir():
            for file in sorted(path.rglob("*.json")):
                yield file.name, read_file(file, limit=RECORD, error=RequestError)
            return
        with zipfile.ZipFile(path) as archive:
            for name in sorted(archive.namelist()):
                if name.endswith(".json"):
                    with archive.open(name) as stream:
                        data = stream.read(RECORD + 1)
                    yield name, data
    except (OSError, zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:
        problem = f"cannot read advisories from {naming.show(str(path))}: {error}"
        raise RequestError(problem, hint=_HINT) from error
