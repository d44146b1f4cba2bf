"""What the wheels that are held say of their files, read from their stored bytes."""

from airlift.artifact import ReleaseFile
from airlift.audit.site import HeldWheel, Site
from airlift.digest import Sha256
from airlift.errors import AirliftError
from airlift.payload import installed, wheel


def placed(site: Site, file: ReleaseFile) -> dict[str, str] | None:
    """Return the digests of a wheel's files, by where each is installed.

    As ``payload.installed.placed`` gives them; None where the wheel is not in the store,
    or is none that can be read.
    """
    lines = _lines(site, file)
    return None if lines is None else installed.placed(lines)


def content(site: Site, file: ReleaseFile) -> Sha256 | None:
    """Return what a package must be that was installed from a wheel; None as above."""
    lines = _lines(site, file)
    return None if lines is None else installed.content(lines)


def by_package(site: Site) -> dict[tuple[str, str], list[HeldWheel]]:
    """Return the wheels of every release that is held, by package and version."""
    found: dict[tuple[str, str], list[HeldWheel]] = {}
    for one in site.wheels:
        if one.file.path.endswith(".whl"):
            found.setdefault((one.name, one.version), []).append(one)
    return found


def _lines(site: Site, file: ReleaseFile) -> tuple[installed.Line, ...] | None:
    def read(offset: int, length: int) -> bytes:
        stop = offset + length
        return b"".join(site.store.read(file.sha256, start=offset, stop=stop))

    try:
        return installed.lines(wheel.read_record(read, file.size, filename=file.path))
    except AirliftError:
        return None
