"""The list of what is held: searched, filtered, sorted and cut into pages. Pure."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from airlift.artifact import Kind
from airlift.registry.held import Held, State
from airlift.serve.page import words
from airlift.serve.page.views import View, representative

PAGE = 50
"""Rows of a page."""
DENIED = "denied"

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a reader asked of the list; whatever cannot be meant is the default.

    Attributes:
        words: What to search for; every word must be found.
        kind: A kind's value; empty for all.
        state: A state's value or ``denied``; empty for all.
        sort: A key of ``SORTS``, with ``-`` before it for falling order.
        page: From 1.
    """

    words: str = ""
    kind: str = ""
    state: str = ""
    sort: str = "name"
    page: int = 1

    @property
    def key(self) -> str:
        """What is sorted by, without the direction."""
        return self.sort.removeprefix("-")

    @property
    def falling(self) -> bool:
        """Whether the largest comes first."""
        return self.sort.startswith("-")

    def query(self, **other: str | int) -> dict[str, str | int]:
        """Return the query that asks for this with *other* values; no defaults."""
        stated: dict[str, str | int] = {
            "q": self.words,
            "kind": self.kind,
            "state": self.state,
            "sort": self.sort,
            "page": self.page,
            **other,
        }
        plain: dict[str, str | int] = {"sort": "name", "page": 1}
        return {key: one for key, one in stated.items() if one != plain.get(key, "")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One name: the release shown for it, and how many there are."""

    held: Held
    versions: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut(Generic[T]):
    """One page of a sequence.

    Attributes:
        items: Those of this page.
        total: How many there are on all pages.
        page: Which this is, from 1; the last where a later one was asked for.
        pages: How many there are; at least 1.
        first: Number of the first item, from 1; 0 of none.
    """

    items: Sequence[T]
    total: int
    page: int
    pages: int
    first: int

    @property
    def last(self) -> int:
        """Number of the last item."""
        return self.first + len(self.items) - 1 if self.items else 0


SORTS: Mapping[str, Callable[[Row], tuple[object, ...]]] = {
    "name": lambda row: (row.held.release.name.casefold(),),
    "kind": lambda row: (row.held.release.kind.value,),
    "state": lambda row: (row.held.state.value,),
    "size": lambda row: (row.held.size,),
    "files": lambda row: (row.held.files,),
    "imported": lambda row: (row.held.imported,),
    "licence": lambda row: (row.held.release.licence.casefold(),),
}


def asked(query: Iterable[tuple[str, str]]) -> Asked:
    """Return what a query asks of the list."""
    told = dict(query)
    kind, state = told.get("kind", ""), told.get("state", "")
    sort, page = told.get("sort", ""), told.get("page", "")
    return Asked(
        words=words.typed(told.get("q", "")),
        kind=kind if kind in {one.value for one in Kind} else "",
        state=state if state in {*(one.value for one in State), DENIED} else "",
        sort=sort if sort.removeprefix("-") in SORTS else "name",
        page=number(page),
    )


def number(text: str, *, default: int = 1) -> int:
    """Return the positive number that *text* is, or *default*."""
    # isdecimal alone would let other scripts' digits and endless numbers through.
    plain = text.isascii() and text.isdecimal() and len(text) < 10
    return (int(text) if plain else 0) or default


def rows(view: View, wanted: Asked) -> list[Row]:
    """Return a row for each kind and name that has what is *wanted*, in its order."""
    words = wanted.words.casefold().split()
    found = []
    for several in view.by_name.values():
        matching = tuple(one for one in several if _matches(one, wanted, words))
        if shown := representative(matching):
            found.append(Row(held=shown, versions=len(several)))
    found.sort(key=lambda row: (row.held.release.name.casefold(), row.held.id))
    # Stable, so that equal rows stay in the order of their names.
    found.sort(key=SORTS[wanted.key], reverse=wanted.falling)
    return found


def _matches(held: Held, wanted: Asked, words: Sequence[str]) -> bool:
    release = held.release
    if wanted.kind and release.kind.value != wanted.kind:
        return False
    if wanted.state and wanted.state != (DENIED if held.denied else held.state.value):
        return False
    if not words:
        return True
    text = "\n".join(
        (
            *(release.name, release.kind.value, release.licence),
            *(release.revision, held.id),
            *release.refs,
            *release.base_models,
        )
    ).casefold()
    return all(word in text for word in words)


def cut(items: Sequence[T], page: int, size: int = PAGE) -> Cut[T]:
    """Return page *page* of *items*, or the last there is."""
    pages = max(1, -(-len(items) // size))
    page = min(page, pages)
    start = (page - 1) * size
    return Cut(
        items=items[start : start + size],
        total=len(items),
        page=page,
        pages=pages,
        first=start + 1 if items else 0,
    )
