"""The one checker of names: file paths, artifact names, sites, and how to show them.

The same rules hold at export and at import, so that nothing is carried that the far
side refuses (threats E1, E2, E10, J1, J4).
"""

import re
import unicodedata
from collections.abc import Iterable

PATH_BYTES = 1024
PART_BYTES = 240
DEPTH = 16

_SITE = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?", re.ASCII)
_RESERVED = frozenset(
    ["con", "prn", "aux", "nul"]
    + [f"{port}{n}" for port in ("com", "lpt") for n in range(10)]
)
_FORBIDDEN = frozenset('<>:"|?*\\')
# What nearly every path is, and good by each rule below: told in 1 us instead of 12,
# which is a second for a release of 100,000 files.
_ORDINARY = re.compile(
    r"(?:(?!(?:con|prn|aux|nul|(?:com|lpt)[0-9])(?:[./]|\Z))"
    r"[a-z0-9_.+][a-z0-9_.+-]*(?<!\.)(?:/(?!\Z)|\Z))+",
    re.ASCII | re.IGNORECASE,
)


def path_problem(path: str) -> str:
    """Say what is wrong with *path* as a carried file's path; empty when nothing is.

    A good path is relative, ``/``-separated, in Unicode NFC, without control,
    format or Windows-reserved characters, at most 16 levels, 240 bytes a part and
    1,024 bytes in all, and no part starts with ``-`` or ends in a dot or space.
    """
    return "" if _is_ordinary(path) else _path_problem(path)


def _is_ordinary(path: str) -> bool:
    short = len(path) <= PART_BYTES and path.count("/") < DEPTH
    return short and _ORDINARY.fullmatch(path) is not None


def _path_problem(path: str) -> str:
    try:
        size = len(path.encode())
    except UnicodeEncodeError:
        return "is not valid Unicode"
    if not path or size > PATH_BYTES:
        return f"is empty or longer than {PATH_BYTES} bytes"
    if path != unicodedata.normalize("NFC", path):
        return "is not in Unicode normal form C"
    parts = path.split("/")
    if len(parts) > DEPTH:
        return f"has more than {DEPTH} levels"
    return next((problem for part in parts if (problem := _part_problem(part))), "")


def _part_problem(part: str) -> str:
    stem = part.split(".", maxsplit=1)[0].casefold()
    checks = (
        (part in ("", ".", ".."), "has an empty, `.` or `..` part"),
        (len(part.encode()) > PART_BYTES, f"has a part longer than {PART_BYTES} bytes"),
        (part[:1] == "-", "has a part that starts with `-`"),
        (part[-1:] in (".", " "), "has a part that ends in a dot or space"),
        (
            any(c in _FORBIDDEN or unicodedata.category(c)[0] == "C" for c in part),
            'has a control character or one of <>:"|?*\\',
        ),
        (stem in _RESERVED, "has a part whose name Windows reserves"),
    )
    return next((problem for wrong, problem in checks if wrong), "")


def collision(paths: Iterable[str]) -> tuple[str, str] | None:
    """Return two of *paths* that some file system would confuse, or None.

    Equal under NFKC and case folding (``Config.json``, ``config.json``), or one
    used both as a file and as a folder.
    """
    seen: dict[str, str] = {}
    folders: dict[str, str] = {}
    for path in paths:
        key = _folded(path)
        if key in seen:
            return seen[key], path
        seen[key] = path
        folder = key.rpartition("/")[0]
        # A folder that was met before has brought those above it.
        while folder and folder not in folders:
            folders[folder] = path
            folder = folder.rpartition("/")[0]
    return next(
        ((seen[folder], path) for folder, path in folders.items() if folder in seen),
        None,
    )


def _folded(path: str) -> str:
    if path.isascii():
        return path.lower()
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", path).casefold())


def name_problem(name: str) -> str:
    """Say what is wrong with *name* as an artifact's name; empty when nothing is.

    One to four path parts (``org/model``), of the same grammar as file paths and
    without white space.
    """
    if problem := path_problem(name):
        return problem
    if name.count("/") > 3:
        return "has more than four parts"
    if any(c.isspace() for c in name):
        return "has white space in it"
    return ""


def is_site(name: str) -> bool:
    """Say whether *name* is a site's name: 1 to 32 of ``a-z 0-9 -``."""
    return _SITE.fullmatch(name) is not None


def show(text: str) -> str:
    """Return *text* safe for a terminal or a log line (threats J1, J2).

    Control, format, private and unassigned characters, line separators and lone
    surrogates become escapes of Python's spelling; everything else is kept.
    """
    if text.isprintable():
        return text  # nothing of what is escaped is: 60 times as fast
    return "".join(
        c
        if unicodedata.category(c)[0] != "C" and unicodedata.category(c) not in _BREAKS
        else c.encode("unicode_escape").decode("ascii")
        for c in text
    )


_BREAKS = ("Zl", "Zp")
