"""What an index says of a package: the newest version, and those that were shipped.

Of each version only the files that the watched Pythons and platforms would install are
listed, so that a catalogue stays small; a shipped file that its index lists no longer is
found missing by that.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name, parse_wheel_filename
from packaging.version import Version as Number

from airlift.errors import SourceError
from airlift.fetch.resolver import Target, preference
from airlift.fetch.simple_index import Listed, Project
from airlift.format.catalogue_entries import KnownFile, Package, Standing, Version
from airlift.outbound.asking import words, yanked
from airlift.payload import wheel_names

_ARCHES = ("x86_64", "amd64", "aarch64", "arm64", "armv7l", "i686", "ppc64le", "s390x")
_SAME = {"amd64": "x86_64", "arm64": "aarch64"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shipped:
    """What sites were sent of a package.

    Attributes:
        name: In PyPA's normal form.
        index: The only index it is asked of; empty for the usual ones.
        files: Names of the wheels, by version.
    """

    name: str
    index: str
    files: Mapping[str, frozenset[str]]


def shipped(paths: Iterable[tuple[str, str]]) -> tuple[Shipped, ...]:
    """Return the packages that files of wheel sets are of, sorted by name.

    Args:
        paths: Paths of files, each with the index its set names; empty for the usual.
    """
    found: dict[str, dict[str, set[str]]] = {}
    indexes: dict[str, str] = {}
    for path, index in paths:
        parsed = wheel_names.parse(path)
        if parsed is not None:
            name, version = str(parsed[0]), str(parsed[1])
            found.setdefault(name, {}).setdefault(version, set()).add(path)
            indexes[name] = indexes.get(name) or index
    return tuple(
        Shipped(
            name=name,
            index=indexes[name],
            files={one: frozenset(files) for one, files in found[name].items()},
        )
        for name in sorted(found)
    )


def beside(found: Iterable[Shipped], names: Iterable[str]) -> tuple[Shipped, ...]:
    """Return *found* and those of *names* that are not among them, sorted by name.

    Args:
        found: What sites were sent.
        names: Packages that are watched without having been shipped.
    """
    listed = {
        str(canonicalize_name(one)): Shipped(
            name=str(canonicalize_name(one)), index="", files={}
        )
        for one in names
    }
    listed |= {one.name: one for one in found}
    return tuple(listed[one] for one in sorted(listed))


def silent(one: Shipped, before: Package | None, error: SourceError) -> Package:
    """Return what is known of a package whose index does not answer."""
    known = before or Package(name=one.name, standing=Standing.UNKNOWN)
    return replace(known, problem=words(error))


def describe(
    one: Shipped, project: Project, targets: Sequence[Target], *, now: str
) -> Package:
    """Return what *project*, an index's answer, says of the package.

    Args:
        one: The package.
        project: What its index says.
        targets: For whom newer files are looked for.
        now: ``YYYY-MM-DDThh:mm:ssZ``.
    """
    versions = _by_version(project)
    suitable = {number: _suitable(files, targets) for number, files in versions.items()}
    fresh = [
        number
        for number in versions
        if any(
            yanked(versions[number][name].facts) is None for name in suitable[number]
        )
    ]
    stable = [number for number in fresh if not number.is_prerelease] or fresh
    newest = max(stable, default=None)
    held = {Number(text): names for text, names in one.files.items()}
    lines = {_line(number) for number in held}
    ours = [
        max((n for n in stable if _line(n) == line), default=None) for line in lines
    ]
    wanted = {newest, *ours, *held} - {None}
    return Package(
        name=one.name,
        source=project.index or one.index,
        as_of=now,
        standing=Standing.AVAILABLE if project.index else Standing.GONE,
        reason=project.reason or ("" if project.index else "no index has it"),
        status=project.status or wheel_names.ACTIVE,
        newest=str(newest) if newest is not None else "",
        versions=tuple(
            _version(
                number,
                versions.get(number, {}),
                suitable.get(number, frozenset()) | held.get(number, frozenset()),
            )
            for number in sorted((n for n in wanted if n is not None), reverse=True)
        ),
    )


def _line(number: Number) -> tuple[int, int, int]:
    """Return the line of small steps that *number* belongs to: 2.3 of 2.3.4."""
    return number.epoch, number.major, number.minor


def _by_version(project: Project) -> dict[Number, dict[str, Listed]]:
    found: dict[Number, dict[str, Listed]] = {}
    for name, listed in project.files.items():
        parsed = wheel_names.parse(name)
        if parsed is not None and listed:
            found.setdefault(parsed[1], {})[name] = listed[0]
    return found


def _version(
    number: Number, files: Mapping[str, Listed], names: frozenset[str]
) -> Version:
    kept = [files[name] for name in sorted(files) if name in names]
    stated = [one.facts for one in (kept or list(files.values()))]
    uploads = [
        text for one in stated if isinstance(text := one.get("upload-time"), str)
    ]
    pythons = [
        text for one in stated if isinstance(text := one.get("requires-python"), str)
    ]
    return Version(
        version=str(number),
        uploaded=min(uploads, default=""),
        requires_python=pythons[0] if pythons else "",
        files=tuple(
            KnownFile(
                path=name,
                size=files[name].size,
                sha256=files[name].sha256,
                yanked=yanked(files[name].facts),
            )
            for name in sorted(files)
            if name in names
        ),
    )


def _suitable(files: Mapping[str, Listed], targets: Sequence[Target]) -> frozenset[str]:
    """Return the wheel of *files* that each of *targets* would install."""
    wheels = [name for name in files if name.endswith(".whl")]
    found = set()
    for target in targets:
        good = [name for name in wheels if _suits(name, files[name], target)]
        if good:
            found.add(max(good, key=preference))
    return frozenset(found)


def _suits(name: str, listed: Listed, target: Target) -> bool:
    requires = listed.facts.get("requires-python")
    if isinstance(requires, str) and not _allows(requires, target.python):
        return False
    _, _, _, tags = parse_wheel_filename(name)
    minor = int(target.python.split(".")[1])
    return any(
        _runs(one.interpreter, one.abi, minor) and _fits(one.platform, target.platform)
        for one in tags
    )


def _allows(requires: str, python: str) -> bool:
    try:
        return SpecifierSet(requires).contains(python)
    except InvalidSpecifier:
        return True  # installers of old took what they could not read


def _runs(interpreter: str, abi: str, minor: int) -> bool:
    digits = interpreter.lstrip("abcdefghijklmnopqrstuvwxyz")
    if interpreter.startswith("py"):
        return digits == "3" or (digits.startswith("3") and int(digits[1:]) <= minor)
    if not interpreter.startswith("cp") or not digits.startswith("3"):
        return False
    built = int(digits[1:] or 0)
    return built == minor or (abi == "abi3" and built <= minor)


def _fits(platform: str, wanted: str) -> bool:
    """Say whether a wheel for *platform* runs on *wanted*, a name of uv's."""
    if platform == "any":
        return True
    families = {"windows": "win", "macos": "macosx", "darwin": "macosx"}
    family = next((tag for word, tag in families.items() if word in wanted), "linux")
    if family == "linux":
        libc = "musllinux" if "musl" in wanted else "manylinux"
        if not platform.startswith((libc, "linux")):
            return False
    elif not platform.startswith(family):
        return False
    arch = next((one for one in _ARCHES if one in wanted), "")
    built = next((one for one in _ARCHES if platform.endswith(one)), "")
    if not arch or not built:
        return True  # `universal2`, `win32`; or the target names no machine
    return _SAME.get(arch, arch) == _SAME.get(built, built)
