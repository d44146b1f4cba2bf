"""Names that Ollama accepts, and one for every artifact whose own name it refuses.

Ollama knows ``host[:port]/namespace/model:tag``: exactly two parts after the host, the
namespace without dots, each part of at most 80 characters. Other names get an alias
that anyone can work out from the name alone; it never depends on what else is held.

Source: Ollama, ``types/model/name.go``.
"""

import hashlib
import re
from typing import Final

from airlift.payload.gguf_repo import LATEST

LIBRARY: Final = "library"
"""The namespace of names that are written without one."""
PART_CHARS: Final = 80

_SPACE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,79}", re.ASCII)
_MODEL = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,79}", re.ASCII)
_ODD_IN_SPACE = re.compile(r"[^A-Za-z0-9_-]+", re.ASCII)
_ODD_IN_MODEL = re.compile(r"[^A-Za-z0-9._-]+", re.ASCII)
_ALIAS = re.compile(r"[^/]+/[^/]+-[0-9a-f]{12}", re.IGNORECASE | re.ASCII)
_DIGITS = 12


def is_name(name: str) -> bool:
    """Say whether *name* is ``namespace/model`` as Ollama accepts it."""
    space, slash, model = name.partition("/")
    fits = _SPACE.fullmatch(space) and _MODEL.fullmatch(model)
    return bool(slash and fits)


def pulled_as(name: str) -> str:
    """Return the ``namespace/model`` under which Ollama pulls the artifact *name*.

    The name itself where Ollama accepts it; ``library/NAME`` for a name of one part;
    else an alias: its parts with odd characters as ``-``, cut to length, and the first
    twelve digits of the SHA-256 of the whole name, so that no two names share one.
    """
    if is_name(name):
        return name
    if is_name(f"{LIBRARY}/{name}"):
        return f"{LIBRARY}/{name}"
    *spaces, model = name.split("/")
    digits = hashlib.sha256(name.encode()).hexdigest()[:_DIGITS]
    space = _tidy(_ODD_IN_SPACE, "-".join(spaces), PART_CHARS) or LIBRARY
    stem = _tidy(_ODD_IN_MODEL, model, PART_CHARS - _DIGITS - 1) or "model"
    return f"{space}/{stem}-{digits}"


def could_be_alias(name: str) -> bool:
    """Say whether *name* has the shape of an alias, before all names are tried."""
    return _ALIAS.fullmatch(name) is not None


def command_name(name: str, tag: str = LATEST) -> str:
    """Return what stands after ``ollama pull HOST/`` for *tag* of the artifact *name*."""
    pulled = pulled_as(name)
    return pulled if tag == LATEST else f"{pulled}:{tag}"


def _tidy(odd: re.Pattern[str], text: str, limit: int) -> str:
    # Ollama wants a letter, a digit or an underscore at the beginning.
    return odd.sub("-", text).lstrip(".-")[:limit]
