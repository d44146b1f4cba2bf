"""What an installed package says that it is: its RECORD, without what installers add.

A wheel names each of its files with a digest. Whoever installs it copies these lines and
adds some of its own: scripts it made, byte code, who it is. What is left without those is
the same for one wheel on every host, so that one digest says whether the package that is
installed is the one that was carried.

Source: "Recording installed projects" and "Binary distribution format" of the PyPA
specifications.
"""

import base64
import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from airlift.digest import Sha256, sha256
from airlift.errors import FormatError

LIMIT: Final = 16 << 20
"""Most bytes of a RECORD; the largest known are near 3 MiB."""
_SHA256: Final = "sha256="
_INFO: Final = ".dist-info/"
_OF_THE_WHEEL: Final = ("METADATA", "WHEEL", "entry_points.txt")
_PLACED: Final = ("purelib", "platlib")


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A file that a RECORD names.

    Attributes:
        path: As it is written: below ``site-packages``, or out of it by ``..``.
        sha256: In RECORD's spelling, unpadded URL-safe base 64; empty for none.
    """

    path: str
    sha256: str


def read(data: bytes) -> tuple[Line, ...]:
    """Return the lines of a RECORD.

    Raises:
        FormatError: It is not one.
    """
    if len(data) > LIMIT:
        problem = f"RECORD has {len(data)} bytes, the limit is {LIMIT}"
        raise FormatError(problem)
    try:
        rows = [row for row in csv.reader(io.StringIO(data.decode())) if row]
    except (UnicodeDecodeError, csv.Error) as error:
        problem = f"RECORD is not a table: {error}"
        raise FormatError(problem) from error
    return tuple(
        Line(path=row[0], sha256=_digest(row[1] if len(row) > 1 else ""))
        for row in rows
    )


def lines(record: Mapping[str, tuple[str, str]]) -> tuple[Line, ...]:
    """Return the same of a wheel's RECORD that ``payload.wheel`` has read."""
    return tuple(
        Line(path=path, sha256=_digest(digest)) for path, (digest, _) in record.items()
    )


def content(record: tuple[Line, ...]) -> Sha256:
    """Return the digest of what a package's files are, whoever installed it."""
    kept = placed(record)
    text = "".join(f"{path}\0{kept[path]}\n" for path in sorted(kept))
    return sha256(text.encode("utf-8", "surrogatepass"))


def placed(record: tuple[Line, ...]) -> dict[str, str]:
    """Return the digest of each file that a wheel brings, by where it is installed.

    The same for a wheel's own RECORD and for that of the package it became.
    """
    return {
        path: line.sha256
        for line in record
        if line.sha256 and (path := _place(line.path))
    }


def spelt(digest: Sha256) -> str:
    """Return *digest* as a RECORD spells it."""
    raw = base64.urlsafe_b64encode(bytes.fromhex(digest))
    return raw.rstrip(b"=").decode()


def project(info: str) -> tuple[str, str] | None:
    """Return project and version of a ``.dist-info`` folder, both in PyPA's normal form.

    None where its name is none.
    """
    name, _, version = info.removesuffix(_INFO.rstrip("/")).partition("-")
    try:
        return canonicalize_name(name), str(Version(version))
    except InvalidVersion:
        return None


def _digest(text: str) -> str:
    return text.removeprefix(_SHA256).rstrip("=") if text.startswith(_SHA256) else ""


def _place(path: str) -> str:
    """Return where the file *path* lies once installed; empty where that is open."""
    if path.startswith(("/", "../")) or path.endswith(".pyc"):
        return ""
    top, _, rest = path.partition("/")
    if top.endswith(".data"):
        # `NAME-VERSION.data/purelib/x` is installed as `x`; scripts get another first
        # line, and headers and data go elsewhere.
        kind, _, inner = rest.partition("/")
        return inner if kind in _PLACED else ""
    if f"{top}/".endswith(_INFO) and rest not in _OF_THE_WHEEL:
        return ""
    return path
