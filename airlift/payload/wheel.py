"""Wheels: read their metadata, and refuse those that can be read in two ways.

Nothing is extracted to a disk. ``check`` reads every byte of a wheel and holds it to
what installers believe: one directory, local headers that agree, no byte of nothing,
one ``.dist-info`` folder that fits the file name, and a RECORD that names every file
with its digest. The wheel itself is carried and served byte for byte as it came.

Source: "Binary distribution format" and "Recording installed projects" of the PyPA
specifications; the checks of upload and of uv after CVE-2025-54368.
"""

import base64
import csv
import hashlib
import io
from collections.abc import Iterable
from dataclasses import dataclass
from email.message import Message
from email.parser import HeaderParser
from typing import Final, NoReturn

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import (
    InvalidWheelFilename,
    NormalizedName,
    canonicalize_name,
    parse_wheel_filename,
)
from packaging.version import InvalidVersion, Version

from airlift import naming
from airlift.errors import FormatError
from airlift.payload import zip_directory
from airlift.payload.zip_directory import Member, Read

METADATA_LIMIT: Final = 16 << 20
"""Most bytes of a METADATA or RECORD file; the largest known are near 3 MiB."""
UNPACKED: Final = 64 << 30
"""Most bytes that all members may unpack to."""

_SIGNATURES: Final = ("RECORD", "RECORD.jws", "RECORD.p7s")
_HASHES: Final = ("sha256", "sha384", "sha512")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wheel:
    """What a checked wheel says of itself.

    Attributes:
        name: Of the project, normalised.
        version: As the file name spells it, normalised.
        requires_python: As METADATA states it; empty where it does not.
        metadata: The exact bytes of METADATA.
        files: How many files it installs.
        size: Bytes that they unpack to.
    """

    name: NormalizedName
    version: Version
    requires_python: str
    metadata: bytes
    files: int
    size: int


def read_metadata(read: Read, size: int, *, filename: str) -> bytes:
    """Return the exact bytes of a wheel's METADATA, reading little else.

    Args:
        read: Random access to the wheel.
        size: Its length in bytes.
        filename: ``name-version-tags.whl``; METADATA must be of that name.

    Raises:
        FormatError: It is not a wheel, or one that can be read in two ways.
    """
    return _Wheel(read, size, filename).metadata()


def read_record(read: Read, size: int, *, filename: str) -> dict[str, tuple[str, str]]:
    """Return a wheel's RECORD: digest and size of each path, both as it spells them.

    Reads little else; ``check`` is what compares it with the files.

    Raises:
        FormatError: It is not a wheel, or its RECORD is no table.
    """
    return _Wheel(read, size, filename).record()


def check(read: Read, size: int, *, filename: str) -> Wheel:
    """Read all of a wheel and return what it says of itself.

    Args:
        read: Random access to the wheel.
        size: Its length in bytes.
        filename: ``name-version-tags.whl``.

    Raises:
        FormatError: It can be read in two ways, or its RECORD, metadata and name do
            not belong to each other; the message names the member.
    """
    wheel = _Wheel(read, size, filename)
    zip_directory.check_layout(read, size, wheel.members, name=filename)
    metadata = wheel.metadata()
    wheel.check_version()
    wheel.check_record()
    files = [member for member in wheel.members if not member.name.endswith("/")]
    return Wheel(
        name=wheel.name,
        version=wheel.version,
        requires_python=wheel.requires_python(metadata),
        metadata=metadata,
        files=len(files),
        size=sum(member.size for member in files),
    )


def requires(metadata: bytes) -> tuple[str, ...]:
    """Return the requirements that METADATA states, markers and extras included.

    Raises:
        FormatError: One of them is none.
    """
    said = tuple(str(line) for line in _headers(metadata).get_all("Requires-Dist", []))
    for line in said:
        try:
            Requirement(line)
        except InvalidRequirement as error:
            problem = f"METADATA requires what is none: `{naming.show(line)}`"
            raise FormatError(problem, hint="ask the project's authors") from error
    return said


class _Wheel:
    """A wheel whose directory has been read, and the checks that need it."""

    def __init__(self, read: Read, size: int, filename: str) -> None:
        self._read, self._size, self._file = read, size, filename
        try:
            self.name, self.version, _, _ = parse_wheel_filename(filename)
        except InvalidWheelFilename:
            self.refuse("is not named as a wheel")
        self.members = zip_directory.members(read, size, name=filename)
        if sum(member.size for member in self.members) > UNPACKED:
            self.refuse(f"unpacks to more than {UNPACKED} bytes")
        self._by_name = {member.name: member for member in self.members}
        self._info = self._dist_info()

    def refuse(self, problem: str) -> NoReturn:
        text = f"{naming.show(self._file)} {problem}"
        raise FormatError(text, hint="get it again from its source, or do without it")

    def metadata(self) -> bytes:
        data = self._take("METADATA")
        said = _headers(data)
        names, versions = said.get_all("Name", []), said.get_all("Version", [])
        if len(names) != 1 or len(versions) != 1 or not self._fits(*names, *versions):
            shown = naming.show(f"{', '.join(names)} {', '.join(versions)}")
            self.refuse(f"has the metadata of another project: `{shown}`")
        return data

    def requires_python(self, metadata: bytes) -> str:
        found = str(_headers(metadata).get("Requires-Python", "")).strip()
        try:
            SpecifierSet(found)
        except InvalidSpecifier:
            self.refuse(f"requires a Python that is none: `{naming.show(found)}`")
        return found

    def check_version(self) -> None:
        version = str(_headers(self._take("WHEEL")).get("Wheel-Version", "none"))
        if version.partition(".")[0] != "1":
            self.refuse(f"is of wheel version `{naming.show(version)}`, expected 1")

    def check_record(self) -> None:
        recorded = self.record()
        free = {f"{self._info}/{name}" for name in _SIGNATURES}
        for member in self.members:
            if member.name.endswith("/"):
                continue
            if member.name in recorded:
                self._compare(member, *recorded.pop(member.name))
            elif member.name not in free:
                shown = naming.show(member.name)
                self.refuse(f"has a file that its RECORD does not name: `{shown}`")
        if recorded:
            shown = naming.show(min(recorded))
            self.refuse(f"has no file `{shown}`, which its RECORD names")

    def _dist_info(self) -> str:
        tops = {member.name.partition("/")[0] for member in self.members}
        found = sorted(top for top in tops if top.endswith(".dist-info"))
        if len(found) != 1:
            self.refuse(f"has {len(found)} `.dist-info` folders, expected 1")
        name, _, version = found[0].removesuffix(".dist-info").partition("-")
        if not self._fits(name, version):
            self.refuse(f"is named for another project than `{naming.show(found[0])}`")
        return found[0]

    def _fits(self, name: str, version: str) -> bool:
        try:
            return canonicalize_name(name) == self.name and (
                Version(version) == self.version
            )
        except InvalidVersion:
            return False

    def _take(self, name: str) -> bytes:
        member = self._by_name.get(f"{self._info}/{name}")
        if member is None:
            self.refuse(f"has no `{naming.show(self._info)}/{name}`")
        if member.size > METADATA_LIMIT:
            self.refuse(f"has a {name} of {member.size} bytes")
        return b"".join(self._unpack(member))

    def _unpack(self, member: Member) -> Iterable[bytes]:
        return zip_directory.unpack(self._read, self._size, member, name=self._file)

    def record(self) -> dict[str, tuple[str, str]]:
        try:
            text = self._take("RECORD").decode()
            rows = [row for row in csv.reader(io.StringIO(text), strict=True) if row]
        except (UnicodeDecodeError, csv.Error) as error:
            self.refuse(f"has a RECORD that is not a table: {error}")
        table: dict[str, tuple[str, str]] = {}
        for row in rows:
            if len(row) != 3 or row[0] in table:
                shown = naming.show(",".join(row))
                self.refuse(f"has a wrong or repeated line in its RECORD: `{shown}`")
            table[row[0]] = (row[1], row[2])
        return table

    def _compare(self, member: Member, digest: str, size: str) -> None:
        shown = naming.show(member.name)
        if not digest and member.name.removeprefix(f"{self._info}/") in _SIGNATURES:
            return
        algorithm, _, expected = digest.partition("=")
        if algorithm not in _HASHES:
            self.refuse(f"records no strong digest of `{shown}`")
        hasher = hashlib.new(algorithm)
        for chunk in self._unpack(member):
            hasher.update(chunk)
        found = base64.urlsafe_b64encode(hasher.digest()).rstrip(b"=").decode()
        if found != expected.rstrip("=") or size not in ("", str(member.size)):
            self.refuse(f"holds another `{shown}` than its RECORD states")


def _headers(data: bytes) -> Message:
    return HeaderParser().parsestr(data.decode("utf-8", "replace"))
