"""What plain folders and wheelhouses hold."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from airlift.artifact import Kind, ReleaseFile
from airlift.errors import RequestError
from airlift.install import hf_local
from airlift.install.checking import Claim, Finding, What, need_folder, walk
from airlift.install.records import Known
from airlift.payload import wheel_names


def stale(known: Known, place: str) -> Iterator[Finding]:
    """Yield what is to be said of a release that should not be in use at *place*."""
    if known.stale:
        what = What.DENIED if known.denied else What.STALE
        yield Finding(what=what, path=place, problem=known.stale, release=known.label)


def folder(root: Path, known: Sequence[Known]) -> Iterator[Claim | Finding]:
    """Yield what the folder *root* holds of the releases asked for.

    Raises:
        RequestError: None is asked for: a folder does not tell what it is of.
        StoreError: The disk cannot be read.
    """
    asked = [one for one in known if one.asked]
    if not asked:
        problem = "a plain folder does not tell which release it is of"
        raise RequestError(problem, hint="name the release, or a list with --against")
    need_folder(root)
    expected: dict[str, tuple[ReleaseFile, Known]] = {}
    for one in asked:
        yield from stale(one, ".")
        expected |= {file.path: (file, one) for file in one.release.files}
    # What the hub's client notes about its downloads is no content.
    there = {path for path in walk(root) if not path.startswith(f"{hf_local.CACHE}/")}
    for path in sorted(there | expected.keys()):
        if path in expected:
            file, one = expected[path]
            yield _claim(root, file, one)
        else:
            note = "it is in none of the releases"
            yield Claim(path=path, place=root / path, good=What.EXTRA, note=note)


def _claim(root: Path, file: ReleaseFile, known: Known) -> Claim:
    return Claim(
        path=file.path,
        place=root / file.path,
        sha256=file.sha256,
        good=What.INTACT,
        release=known.label,
    )


def wheelhouse(root: Path, known: Sequence[Known]) -> Iterator[Claim | Finding]:
    """Yield what the wheelhouse *root* holds; what else lies there is left alone.

    Raises:
        StoreError: The disk cannot be read.
    """
    need_folder(root)
    sets = [one for one in known if one.release.kind is Kind.WHEELS]
    if asked := [one for one in sets if one.asked]:
        sets = asked
    expected: dict[str, tuple[ReleaseFile, Known]] = {}
    # A live set's file comes before one of a set that is no more.
    for one in sorted(sets, key=lambda one: not one.stale):
        files = one.release.files
        expected |= {f.path: (f, one) for f in files if wheel_names.parse(f.path)}
    there = {path for path in walk(root) if wheel_names.parse(path)}
    told = set()
    for path in sorted(there | (expected.keys() if asked else set())):
        if path not in expected:
            what = What.EXTRA if asked else What.UNKNOWN
            note = "it is in none of the records"
            yield Claim(path=path, place=root / path, good=what, note=note)
            continue
        file, one = expected[path]
        if path in there and one.id not in told:
            told.add(one.id)
            yield from stale(one, path)
        if path in there or not wheel_names.is_quarantined(file):
            yield _claim(root, file, one)
