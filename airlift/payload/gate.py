"""Content gates: what a stored file must be like to be carried, or to go live.

They read bytes that were verified already, and never execute them.
"""

from collections.abc import Callable, Collection, Mapping

from airlift.artifact import ContentClass, Kind, Release, ReleaseFile
from airlift.digest import Sha256, sha256
from airlift.errors import FormatError
from airlift.payload import sniff

ReadBlob = Callable[[Sha256, int, int], bytes]
"""Returns bytes ``start`` to ``stop`` of a blob."""


def leaving(release: Release, read: ReadBlob) -> str:
    """Say why *release* must not be carried; empty when it may.

    A wheel that can be read in two ways, or whose record does not cover its files,
    could install other files than a scanner saw.
    """
    return _first(release, lambda file: _check_wheel(release, file, read))


def arriving(release: Release, read: ReadBlob) -> str:
    """Say why *release* must not go live by itself; empty when it may.

    Its wheels were checked whole when they left, by who signed them; here each is
    compared with the metadata that resolvers will be given in its place.
    """
    return _first(release, lambda file: _check_metadata(release, file, read))


def disguised(
    release: Release, read: ReadBlob, allowed: Collection[ContentClass]
) -> str:
    """Say which file of *release* is of a class that is not *allowed*; empty if none.

    The signed document says what each file is; this looks at the bytes again, here,
    for a site that does not leave it to whoever signed.
    """
    for file in release.files:
        head = read(file.sha256, 0, min(file.size, sniff.HEAD))
        whole = file.size <= sniff.HEAD
        tail = b"" if whole else read(file.sha256, file.size - sniff.HEAD, file.size)
        word, found = sniff.sniff(file.path, head, tail)
        if found not in allowed and found is not file.content_class:
            stated = file.content_class
            return f"{file.path}: stated to be {stated}, its bytes are {found} ({word})"
    return ""


def _first(release: Release, check: Callable[[ReleaseFile], str]) -> str:
    if release.kind is not Kind.WHEELS:
        return ""
    wheels = (file for file in release.files if file.path.endswith(".whl"))
    return next((problem for file in wheels if (problem := check(file))), "")


def _check_wheel(release: Release, file: ReleaseFile, read: ReadBlob) -> str:
    from airlift.payload import wheel  # noqa: PLC0415 - see below

    try:
        found = wheel.check(_reader(file, read), file.size, filename=file.path)
    except FormatError as error:
        return error.problem
    return _compare(_by_path(release), file, found.metadata)


def _check_metadata(release: Release, file: ReleaseFile, read: ReadBlob) -> str:
    # 30 ms to import, and most deliveries hold models.
    from airlift.payload import wheel  # noqa: PLC0415

    try:
        reader = _reader(file, read)
        metadata = wheel.read_metadata(reader, file.size, filename=file.path)
    except FormatError as error:
        return error.problem
    return _compare(_by_path(release), file, metadata)


def _compare(
    files: Mapping[str, ReleaseFile], file: ReleaseFile, metadata: bytes
) -> str:
    beside = files.get(f"{file.path}.metadata")
    if beside is not None and beside.sha256 != sha256(metadata):
        return f"{file.path}: the metadata beside it is not the wheel's own"
    return ""


def _by_path(release: Release) -> dict[str, ReleaseFile]:
    return {file.path: file for file in release.files}


def _reader(file: ReleaseFile, read: ReadBlob) -> Callable[[int, int], bytes]:
    return lambda offset, length: read(file.sha256, offset, offset + length)
