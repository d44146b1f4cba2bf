"""What a credential may be used for: scopes such as ``models:acme/*``.

A scope is a word and a pattern. The word says which kinds of release it is about,
the pattern which names, ignoring case: names that differ in nothing else are taken
for each other by clients and by people.
"""

import fnmatch
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from airlift import naming
from airlift.artifact import Kind
from airlift.errors import RequestError

EVERYTHING = "*"
METRICS = "metrics"

_PLAIN = (EVERYTHING, METRICS)
_WORDS = {
    Kind.MODEL: "models",
    Kind.GGUF: "models",
    Kind.FOLDER: "models",
    Kind.DATASET: "datasets",
}
_OF_KINDS = tuple(dict.fromkeys(_WORDS.get(kind, kind.value) for kind in Kind))
_LONGEST = 1024


@dataclass(frozen=True, kw_only=True)
class Scope:
    """One scope.

    Attributes:
        word: Which kinds it is about; ``*`` for all that is served, ``metrics`` for
            the figures of the server alone.
        pattern: Which names, with ``*`` for any characters and ``?`` for one; empty
            for the words that take none.
    """

    word: str
    pattern: str = ""

    def __str__(self) -> str:
        return f"{self.word}:{self.pattern}" if self.pattern else self.word

    def covers(self, kind: Kind, name: str) -> bool:
        """Say whether releases of *kind* called *name* may be had."""
        if self.word == EVERYTHING:
            return True
        return self.word == _WORDS.get(kind, kind.value) and self._matches(name)

    def _matches(self, name: str) -> bool:
        return self._expression.match(name.casefold()) is not None

    @cached_property
    def _expression(self) -> re.Pattern[str]:
        # The standard library's translation never backtracks, whatever the pattern.
        # A bracket is a letter like any other here.
        plain = self.pattern.casefold().replace("[", "[[]")
        return re.compile(fnmatch.translate(plain))


@dataclass(frozen=True, kw_only=True)
class Scopes:
    """What somebody may have, all in all; nothing unless something says so."""

    each: frozenset[Scope] = frozenset()

    def covers(self, kind: Kind, name: str) -> bool:
        """Say whether releases of *kind* called *name* may be had."""
        return any(one.covers(kind, name) for one in self.each)

    def allow(self, word: str) -> bool:
        """Say whether what *word* names, ``metrics`` say, may be had."""
        return any(one.word in (word, EVERYTHING) for one in self.each)

    @property
    def everything(self) -> bool:
        """Whether nothing is held back."""
        return self.allow(EVERYTHING)

    def __or__(self, other: "Scopes") -> "Scopes":
        return Scopes(each=self.each | other.each)

    def texts(self) -> tuple[str, ...]:
        """Return each scope as it is written, sorted."""
        return tuple(sorted(map(str, self.each)))


NOTHING = Scopes()
ALL = Scopes(each=frozenset([Scope(word=EVERYTHING)]))


def parse(text: str) -> Scope:
    """Return the scope that *text* means.

    Raises:
        RequestError: It is not ``*``, ``metrics`` or a known word with a pattern.
    """
    word, colon, pattern = text.partition(":")
    if not colon and word in _PLAIN:
        return Scope(word=word)
    fits = len(text) <= _LONGEST and pattern.isprintable() and " " not in pattern
    if word in _OF_KINDS and pattern and fits:
        return Scope(word=word, pattern=pattern)
    known = ", ".join([*(f"`{one}:PATTERN`" for one in _OF_KINDS), "`metrics`", "`*`"])
    problem = f"`{naming.show(text[:80])}` is not a scope"
    raise RequestError(problem, hint=f"use {known}; `models:acme/*` for example")


def parse_all(texts: Iterable[str]) -> Scopes:
    """Return what *texts* allow together.

    Raises:
        RequestError: One of them is not a scope.
    """
    return Scopes(each=frozenset(map(parse, texts)))
