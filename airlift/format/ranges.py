"""What a manifest leaves open: versions within a range, sizes up to a limit, licences.

Which of what upstream has is meant is decided here alone, from names and numbers, so
that it comes out the same on every host; what was decided is pinned in the lock.
"""

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Final

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from airlift import naming
from airlift.artifact import Json
from airlift.errors import RequestError
from airlift.format.fields import Fields

RANGE: Final = "version"
SIZE: Final = "max-size"
LICENCES: Final = "licences"
TAGS: Final = "tags"

_SIZE = re.compile(r"(\d{1,6}(?:\.\d{1,3})?) ?([KMGT])(i?)B", re.ASCII)
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}", re.ASCII)


def read(entry: Fields, *keys: str) -> dict[str, Json]:
    """Return what *entry* states of *keys*; nothing of those it does not state.

    Args:
        entry: A table of a manifest.
        keys: Which of ``RANGE``, ``SIZE``, ``LICENCES`` and ``TAGS`` its kind knows.

    Raises:
        RequestError: A value is none of its sort; the message names the place.
    """
    found: dict[str, Json] = {}
    for key in keys:
        if not entry.has(key):
            continue
        if key == RANGE:
            found[key] = _version(entry)
        else:
            found[key] = _size(entry) if key == SIZE else _words(entry, key)
    return found


def _version(entry: Fields) -> str:
    text = entry.text(RANGE)
    try:
        empty = not list(SpecifierSet(text))
    except InvalidSpecifier:
        empty = True
    if empty:
        problem = f"is `{naming.show(text)}`, expected a range such as `>=2,<3`"
        hint = "`~=2.0` is any 2.x from 2.0 on; `==2.*` any 2.x; `>=2,<3` the same"
        entry.refuse(RANGE, problem, hint=hint)
    if entry.has("revision"):
        hint = "leave one out: a range is asked of the tags, a revision is one of them"
        entry.refuse(RANGE, "is given together with `revision`", hint=hint)
    return text


def _size(entry: Fields) -> str:
    text = entry.text(SIZE)
    if text.startswith("0") or _SIZE.fullmatch(text) is None:
        problem = f"is `{naming.show(text)}`, expected such as `8GiB`"
        entry.refuse(SIZE, problem)
    return text


def _words(entry: Fields, key: str) -> tuple[str, ...]:
    words = entry.texts(key)
    if not words or len(set(words)) != len(words):
        entry.refuse(key, "is empty, or has a value twice")
    for place, word in enumerate(words):
        good = _TAG.fullmatch(word) if key == TAGS else word.strip() == word != ""
        if not good:
            entry.refuse(f"{key}[{place}]", f"is `{naming.show(word)}`")
    return words


def size_bytes(text: str) -> int:
    """Return the bytes that *text* (``16GiB``, ``7.5 GB``) means.

    Raises:
        RequestError: It means none.
    """
    found = _SIZE.fullmatch(text)
    if found is None:
        problem = f"`{naming.show(text)}` is not a size"
        raise RequestError(problem, hint="write it like `16GiB`")
    power = 1 + "KMGT".index(found[2])
    unit: int = (1024 if found[3] else 1000) ** power
    return int(Decimal(found[1]) * unit)


def newest_first(tags: Iterable[str], wanted: str) -> tuple[str, ...]:
    """Return those of *tags* that are versions within *wanted*, the newest first.

    ``v2.1`` is version 2.1. What is no version is none of them, and a pre-release only
    where *wanted* names one.

    Args:
        tags: Names, in any order.
        wanted: A range as the packages of Python have them.

    Source: PyPA "Version specifiers" (PEP 440).
    """
    range_ = SpecifierSet(wanted)
    early = bool(range_.prereleases)
    found = []
    for tag in tags:
        try:
            version = Version(tag)
        except InvalidVersion:
            continue
        if range_.contains(version, prereleases=early):
            found.append((version, tag))
    return tuple(tag for _, tag in sorted(found, reverse=True))


def text(options: Mapping[str, Json], key: str) -> str:
    """Return the text at *key* of an entry's *options*; empty where there is none."""
    value = options.get(key, "")
    return value if isinstance(value, str) else ""


def texts(options: Mapping[str, Json], key: str) -> tuple[str, ...]:
    """Return the texts at *key* of an entry's *options*; none where there are none."""
    value = options.get(key, ())
    found = value if isinstance(value, list | tuple) else ()
    return tuple(one for one in found if isinstance(one, str))


def room(options: Mapping[str, Json]) -> int | None:
    """Return the bytes that an entry of *options* may have; None for any number."""
    stated = text(options, SIZE)
    return size_bytes(stated) if stated else None


def check_size(options: Mapping[str, Json], size: int, name: str) -> None:
    """Refuse *size* bytes where an entry of *options* allows fewer.

    Raises:
        RequestError: It is too large.
    """
    if (most := room(options)) is not None and size > most:
        problem = (
            f"`{naming.show(name)}` has {size} bytes, "
            f"`{SIZE}` allows {text(options, SIZE)}"
        )
        raise RequestError(problem, hint="allow more, or leave files out")


def check_licence(options: Mapping[str, Json], licence: str, name: str) -> None:
    """Refuse *licence* where an entry of *options* allows others.

    A card may state several, joined by ``, ``: each must be allowed, because nobody
    says which of them counts for which file.

    Raises:
        RequestError: It is not among those allowed, or none is stated.
    """
    allowed = {one.casefold() for one in texts(options, LICENCES)}
    stated = {one.strip().casefold() for one in licence.split(",") if one.strip()}
    if allowed and not (stated and stated <= allowed):
        listed = ", ".join(texts(options, LICENCES))
        found = f"is under `{naming.show(licence)}`" if stated else "states no licence"
        problem = f"`{naming.show(name)}` {found}; `{LICENCES}` allows {listed}"
        hint = "read the licence, then allow it in the manifest or keep what is held"
        raise RequestError(problem, hint=naming.show(hint))
