"""Settings in JSON as one flat table, so that two versions compare key by key.

What upstream wrote is shown to a person who decides: every value is bounded, and one
that is too long for a line keeps its digest, so that no change of it goes unseen.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from airlift.digest import sha256

TABLE: Final = 256
"""Entries of an object or array above which it counts as one value: a vocabulary."""
LINE: Final = 160
"""Characters of a value up to which it is kept as it is."""
_DEPTH: Final = 12


def flat(value: Any) -> Mapping[str, str]:
    """Return the leaves of decoded JSON by dotted path, each as compact JSON.

    Args:
        value: What ``json`` decoded; an object at the top.
    """
    empty = isinstance(value, Mapping) and not value
    return {} if empty else dict(_leaves("", value, 0))


def _leaves(place: str, value: Any, depth: int) -> Iterator[tuple[str, str]]:
    table = isinstance(value, Mapping) and 0 < len(value) <= TABLE
    if table and depth < _DEPTH:
        for key, one in value.items():
            yield from _leaves(f"{place}.{key}" if place else str(key), one, depth + 1)
        return
    yield place, shown(value)


def shown(value: Any) -> str:
    """Return *value* on one line: as JSON, or how much there is of it and its digest."""
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, default=dict)
    if len(text) <= LINE:
        return text
    count = (
        f"{len(value)} entries" if isinstance(value, Mapping | list) else "long text"
    )
    # A lone surrogate is legal in JSON and no text.
    digest = sha256(text.encode("utf-8", "surrogatepass"))
    return f"({count}, sha256 {digest[:16]})"
