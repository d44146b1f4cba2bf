"""How bad an advisory is: from its CVSS vectors, or from what its publisher says.

The worst of several vectors counts: two scorers disagree, and the reader is warned. What
nobody has rated counts as high, and says so: nobody may pass over it because a number is
missing.

Source: CVSS 2.0, 3.0, 3.1 and 4.0, by FIRST; OSV schema 1.7, "severity".
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from cvss import (  # type: ignore[import-untyped]
    CVSS2,
    CVSS3,
    CVSS4,
    CVSSError,
)

from airlift.artifact import Json

LEVELS: Final = ("critical", "high", "medium", "low", "info")
"""The worst first."""
UNRATED: Final = "high"
"""What counts for an advisory without any rating."""
_LEAST: Final = (("critical", 9.0), ("high", 7.0), ("medium", 4.0), ("low", 0.1))
"""Least base score of each level. Source: CVSS 3.1, table 14."""
_WORDS: Final = {"MODERATE": "medium"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rating:
    """How bad something is, and who says so.

    Attributes:
        level: One of ``LEVELS``.
        score: The base score with one decimal; empty where there is none.
        vector: What the score is of; empty where there is none.
        by: ``vector``, ``publisher``, or empty where nobody has rated it.
    """

    level: str
    score: str = ""
    vector: str = ""
    by: str = ""

    @property
    def order(self) -> tuple[int, float]:
        """Sorts the worst first."""
        return LEVELS.index(self.level), -float(self.score or 0)


class _Scored(Protocol):
    def scores(self) -> tuple[float, ...]:
        """Return scores, the base score first."""
        ...


_CLASSES: Final[Mapping[str, Callable[[str], _Scored]]] = {
    "CVSS_V2": CVSS2,
    "CVSS_V3": CVSS3,
    "CVSS_V4": CVSS4,
}


def rate(record: Mapping[str, Json]) -> Rating:
    """Return how bad a kept *record* is."""
    rated = [one for each in _vectors(record) if (one := _of_vector(*each))]
    if rated:
        return min(rated, key=lambda one: one.order)
    own = record.get("database_specific")
    said = own.get("severity") if isinstance(own, Mapping) else None
    level = _WORDS.get(str(said), str(said).lower())
    if level in LEVELS:
        return Rating(level=level, by="publisher")
    return Rating(level=UNRATED)


def worst(ratings: tuple[Rating, ...]) -> Rating:
    """Return the worst of *ratings*; one by somebody before one by nobody."""
    stated = [one for one in ratings if one.by] or list(ratings)
    return min(stated, key=lambda one: one.order)


def _vectors(record: Mapping[str, Json]) -> list[tuple[str, str]]:
    listed = record.get("severity")
    return [
        (str(one.get("type")), str(one.get("score")))
        for one in (listed if isinstance(listed, list | tuple) else ())
        if isinstance(one, Mapping)
    ]


def _of_vector(kind: str, vector: str) -> Rating | None:
    """Return the rating of one vector; None where it is none that can be read."""
    made = _CLASSES.get(kind)
    if made is None:
        return None
    try:
        score = float(made(vector).scores()[0])
    except (CVSSError, ArithmeticError, LookupError, TypeError, ValueError):
        return None  # anybody can write an advisory; others of its ratings may count
    level = next((name for name, least in _LEAST if score >= least), "info")
    if kind == "CVSS_V2" and level == "critical":
        level = "high"  # its scale ends there
    return Rating(level=level, score=f"{score:.1f}", vector=vector, by="vector")
