"""What a Python environment holds, by the records that installers leave beside it.

Source: "Recording installed projects" of the PyPA specifications; PEP 405 for
``pyvenv.cfg``.
"""

import re
from email.parser import HeaderParser
from pathlib import Path
from typing import Final

from packaging.utils import canonicalize_name

from airlift import naming
from airlift.errors import AirliftError, RequestError, StoreError
from airlift.format import observation
from airlift.format.observation import Environment, SeenPackage
from airlift.install.observing import Notes, digest
from airlift.install.tree import SMALL
from airlift.lookahead import ahead
from airlift.payload import installed
from airlift.payload.installed import Line
from airlift.progress import Progress
from airlift.store.durable import names, read_file, there

_INFO: Final = ".dist-info"
_VERSION = re.compile(
    r"^version(?:_info)? *= *([0-9]+\.[0-9]+[0-9A-Za-z.+]*)", re.MULTILINE
)
_PYTHON = re.compile(r"python([0-9]+\.[0-9]+)t?", re.ASCII)


def environment(
    label: str, root: Path, progress: Progress, notes: Notes
) -> Environment:
    """Return what the environment *root* holds, each file of it hashed.

    Args:
        label: What it is called; its path is not told.
        root: The folder of a virtual environment, or a ``site-packages``.
        progress: Told about packages looked at.
        notes: Takes what could not be read.

    Raises:
        RequestError: It is neither.
        StoreError: It cannot be listed.
    """
    folders = _site_packages(root)
    found = [
        (folder, name)
        for folder in folders
        for name in names(folder)
        if name.endswith(_INFO) and (folder / name).is_dir()
    ]
    packages = []
    with progress.task("reading", len(found), unit="packages") as advance:
        for folder, name in found:
            packages.append(_package(label, folder, name, notes))
            advance(1)
    return Environment(
        label=label,
        python=_python(root, folders),
        packages=tuple(sorted(packages, key=lambda one: (one.name, one.version))),
    )


def _site_packages(root: Path) -> tuple[Path, ...]:
    try:
        if any(name.endswith(_INFO) for name in names(root)):
            return (root,)
        # A path that `lib64` leads to as well is looked at once.
        found = {
            folder.resolve()
            for lib in ("lib", "lib64")
            for folder in (root / lib).glob("python3*/site-packages")
            if folder.is_dir()
        }
    except (StoreError, OSError) as error:
        problem = f"{naming.show(str(root))} cannot be listed"
        raise RequestError(problem, hint="name a folder that you may read") from error
    if not found:
        problem = f"{naming.show(str(root))} holds no Python packages"
        hint = "name a virtual environment, or its folder `site-packages`"
        raise RequestError(problem, hint=hint)
    return tuple(sorted(found))


def _python(root: Path, folders: tuple[Path, ...]) -> str:
    for place in (root, *(folder.parents[2] for folder in folders)):
        path = place / "pyvenv.cfg"
        if there(path):
            text = read_file(path, limit=SMALL).decode("utf-8", "replace")
            if stated := _VERSION.search(text):
                return stated[1]
    match = _PYTHON.fullmatch(folders[0].parent.name)
    return match[1] if match else ""


def _package(label: str, folder: Path, info: str, notes: Notes) -> SeenPackage:
    name, _, version = info.removesuffix(_INFO).partition("-")
    name, version = _stated(folder / info) or (name, version or "unknown")
    told = canonicalize_name(naming.show(name))[: observation.WORDS] or "unknown"
    shown = naming.show(version)[: observation.WORDS]
    try:
        record = installed.read(
            read_file(folder / info / "RECORD", limit=installed.LIMIT)
        )
    except AirliftError:
        notes.add(label, f"{told} {shown} has no RECORD that can be read")
        return SeenPackage(name=told, version=shown, content=None, files=0)
    altered = _altered(folder, record)
    return SeenPackage(
        name=told,
        version=shown,
        content=installed.content(record),
        files=sum(1 for line in record if line.sha256),
        altered=altered[: observation.ALTERED],
        altered_count=len(altered),
    )


def _stated(info: Path) -> tuple[str, str] | None:
    try:
        data = read_file(info / "METADATA", limit=SMALL)
    except AirliftError:
        return None
    said = HeaderParser().parsestr(data.decode("utf-8", "replace"), headersonly=True)
    name, version = str(said.get("Name", "")), str(said.get("Version", ""))
    return (name.strip(), version.strip()) if name and version else None


def _altered(folder: Path, record: tuple[Line, ...]) -> tuple[str, ...]:
    """Return the paths of files that are not what RECORD says, sorted."""
    listed = [line for line in record if line.sha256]
    sound = ahead(listed, lambda line: _is_sound(folder, line))
    return tuple(
        sorted(
            naming.show(line.path)[: observation.WORDS]
            for line, good in zip(listed, sound, strict=True)
            if not good
        )
    )


def _is_sound(folder: Path, line: Line) -> bool:
    found, _ = digest(folder / line.path, lambda _: None)
    return found is not None and installed.spelt(found) == line.sha256
