"""What the name of a distribution's file says, and what upstream says of its project."""

from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    NormalizedName,
    parse_sdist_filename,
    parse_wheel_filename,
)
from packaging.version import Version

from airlift.artifact import ReleaseFile

STATUS = "project-status"
"""Fact of a file: its project's status, as ``{"status": ..., "reason": ...}``.

Source: PEP 792."""
ACTIVE = "active"
QUARANTINED = "quarantined"


def parse(filename: str) -> tuple[NormalizedName, Version] | None:
    """Return project and version of *filename*; None for what installers ignore."""
    if "/" in filename:
        return None
    try:
        if filename.endswith(".whl"):
            # The exact name is kept; only what it says is parsed.
            project, version, _, _ = parse_wheel_filename(filename)
        else:
            project, version = parse_sdist_filename(filename)
    except (InvalidWheelFilename, InvalidSdistFilename):
        return None
    return project, version


def status(file: ReleaseFile) -> tuple[str, str]:
    """Return the status of the file's project and the reason given for it.

    ``active`` where upstream states none.
    """
    stated = file.facts.get(STATUS)
    if not isinstance(stated, dict):
        return ACTIVE, ""
    word, reason = stated.get("status"), stated.get("reason")
    return (
        word if isinstance(word, str) and word else ACTIVE,
        reason if isinstance(reason, str) else "",
    )


def is_quarantined(file: ReleaseFile) -> bool:
    """Say whether nobody should install the file.

    Installers ignore the status of a project, so its files must not be offered.
    """
    return status(file)[0] == QUARANTINED
