"""How the page says things: sizes, times, ages, names from outside. Pure."""

import json
import re
import unicodedata
from collections.abc import Mapping

from airlift import naming
from airlift.artifact import Json, Kind
from airlift.trust.clock import days_from

_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")
LONGEST = 300
"""Characters of a text from outside that are shown; a licence field may hold 4 KiB."""
_TYPED = 200
HEX = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}", re.ASCII)
"""A digest or a commit."""
SHORT = 12
"""Digits of it that are shown."""

KIND_WORDS: Mapping[str, str] = {
    "model": "model repository",
    "dataset": "data set",
    "gguf": "GGUF files",
    "ollama": "Ollama model",
    "wheels": "Python wheels",
    "folder": "folder",
    "oci": "OCI artifact",
}


def kind(one: Kind) -> str:
    """Return *one* as a reader calls it."""
    return KIND_WORDS.get(one.value, one.value)


def size(count: int) -> str:
    """Return *count* bytes for a person: ``1.4 GB``, decimal units."""
    value, unit = float(count), 0
    while value >= 999.5 and unit < len(_UNITS) - 1:
        value, unit = value / 1000, unit + 1
    return f"{count} B" if unit == 0 else f"{value:.3g} {_UNITS[unit]}"


def number(count: int) -> str:
    """Return *count* with its thousands apart."""
    return f"{count:,}"


def plural(count: int, one: str, many: str = "") -> str:
    """Return *count* and the word for so many."""
    return f"{number(count)} {one if count == 1 else many or one + 's'}"


def show(text: str) -> str:
    """Return *text* from outside without what acts on a reader, and bounded.

    Control and bidirectional characters become escapes: the order of what is read is
    the order of what is signed.
    """
    shown = naming.show(text)
    return shown if len(shown) <= LONGEST else f"{shown[: LONGEST - 1]}\u2026"


def brief(text: str) -> str:
    """Return *text* likewise, and of a digest or commit its first twelve digits."""
    return text[:SHORT] if HEX.fullmatch(text) else show(text)


def typed(text: str) -> str:
    """Return what a reader typed without what cannot be seen, and bounded.

    A page shows it again; whoever made the link a reader followed chose it.
    """
    plain = (c for c in text if unicodedata.category(c)[0] not in "CZ" or c == " ")
    return "".join(plain).strip()[:_TYPED]


def value(told: Json) -> str:
    """Return a value of a record as text."""
    if isinstance(told, str):
        return show(told)
    if isinstance(told, list | tuple) and all(isinstance(one, str) for one in told):
        return show(", ".join(str(one) for one in told))
    return show(json.dumps(told, ensure_ascii=False, default=dict))


def day(time: str) -> str:
    """Return the date of ``YYYY-MM-DDThh:mm:ssZ``."""
    return time[:10]


def minute(time: str) -> str:
    """Return ``YYYY-MM-DDThh:mm:ssZ`` as people read it."""
    return f"{time[:10]} {time[11:16]} UTC"


def ago(time: str, now: str) -> str:
    """Return how long *time* is before *now*, in whole days."""
    days = days_from(time, now)
    if time > now:
        return "by this host's clock not yet"
    if days == 0:
        return "today" if day(time) == day(now) else "less than a day ago"
    return f"{plural(days, 'day')} ago"


def until(time: str, now: str) -> str:
    """Return how long *time* is after *now*, in whole days."""
    days = days_from(now, time)
    if time <= now:
        return f"expired {ago(time, now)}"
    return "within a day" if days == 0 else f"in {plural(days, 'day')}"
