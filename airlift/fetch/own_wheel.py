"""airlift's own wheel, packed from the installation that runs.

The isolated side then runs the very code that made its deliveries, however it was
installed here; no build tool and no index is asked. The same code gives the same bytes
on every host: what one person reads out, another can make and compare.

Source: "Binary distribution format" of the PyPA specifications.
"""

import base64
import hashlib
import io
import zipfile
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Final

from packaging.requirements import Requirement

import airlift
from airlift import naming
from airlift.artifact import PinnedFile
from airlift.digest import sha256
from airlift.errors import RequestError, SourceError
from airlift.payload import wheel, zip_directory

_WHEEL: Final = """\
Wheel-Version: 1.0
Generator: airlift
Root-Is-Purelib: true
Tag: py3-none-any
"""
_CARRIED: Final = ("METADATA", "entry_points.txt", "licenses/LICENSE")
_DATE: Final = (1980, 1, 1, 0, 0, 0)  # the same code gives the same bytes
_LOCATION: Final = "own:"
_HINT: Final = "run `airlift lock` again"


def pack() -> tuple[str, bytes]:
    """Return file name and bytes of airlift's own wheel.

    Raises:
        RequestError: This airlift runs from a bare folder, without metadata.
    """
    try:
        installed = distribution("airlift")
    except PackageNotFoundError as error:
        problem = "this airlift is not installed, so it has no metadata to carry"
        raise RequestError(
            problem, hint="give its wheel with --airlift-wheel"
        ) from error
    info = f"airlift-{installed.version}.dist-info"
    files = _code() | {
        f"{info}/{name}": data for name, data in _metadata(installed).items()
    }
    rows = [f"{name},{_digest(data)},{len(data)}" for name, data in files.items()]
    rows.append(f"{info}/RECORD,,")
    files[f"{info}/RECORD"] = ("\n".join(rows) + "\n").encode()
    out = io.BytesIO()
    # As they are: what zlib makes of them differs from one build of it to another.
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name, data in files.items():
            member = zipfile.ZipInfo(name, _DATE)
            member.external_attr = 0o644 << 16
            archive.writestr(member, data, zipfile.ZIP_STORED)
    return f"airlift-{installed.version}-py3-none-any.whl", out.getvalue()


def pinned() -> tuple[tuple[PinnedFile, ...], tuple[str, ...]]:
    """Return airlift's own wheel and its metadata as files of a set, and what it needs.

    Raises:
        RequestError: As ``pack``.
    """
    name, data = pack()
    said = wheel.check(zip_directory.over(data), len(data), filename=name)
    files = tuple(
        PinnedFile(
            path=path,
            size=len(found),
            sha256=sha256(found),
            location=f"{_LOCATION}{path}",
            facts=facts,
        )
        for path, found, facts in (
            (
                name,
                data,
                {
                    "requires-python": said.requires_python,
                    "metadata-sha256": sha256(said.metadata),
                },
            ),
            (f"{name}.metadata", said.metadata, {}),
        )
    )
    return files, needed(said.metadata)


def needed(metadata: bytes) -> tuple[str, ...]:
    """Return the requirements in a METADATA file but for those of extras.

    Extras are for the connected side; the environment decides about the rest.
    """
    return tuple(line for line in wheel.requires(metadata) if not _of_an_extra(line))


def _of_an_extra(line: str) -> bool:
    marker = Requirement(line).marker
    return marker is not None and "extra ==" in str(marker)


def is_own(file: PinnedFile) -> bool:
    """Say whether *file* is one that ``pinned`` returned, in whatever process."""
    return file.location.startswith(_LOCATION)


def read(file: PinnedFile) -> bytes:
    """Return the bytes of a file that ``pinned`` returned.

    Raises:
        SourceError: The airlift that runs is another one than was pinned.
    """
    name, data = pack()
    if file.path.endswith(".metadata"):
        data = wheel.read_metadata(zip_directory.over(data), len(data), filename=name)
    if sha256(data) != file.sha256:
        problem = f"`{naming.show(file.path)}` is not of the airlift that runs here"
        raise SourceError(problem, hint=_HINT)
    return data


def _code() -> dict[str, bytes]:
    package = Path(airlift.__file__).parent
    return {
        path.relative_to(package.parent).as_posix(): path.read_bytes()
        for path in sorted(package.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }


def _metadata(installed: Distribution) -> dict[str, bytes]:
    found = {name: installed.read_text(name) for name in _CARRIED}
    texts = {name: text for name, text in found.items() if text is not None}
    return {name: text.encode() for name, text in texts.items()} | {
        "WHEEL": _WHEEL.encode()
    }


def _digest(data: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest())
    return f"sha256={digest.rstrip(b'=').decode()}"
