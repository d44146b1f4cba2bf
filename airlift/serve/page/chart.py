"""What takes how much room: figures, and the bars that show them. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from airlift.artifact import Kind
from airlift.registry.held import Held, State
from airlift.serve.page import words
from airlift.serve.page.views import View

LARGEST = 20
WIDTH = 1000
"""Units of a bar's drawing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One line of a chart and of the table that says the same.

    Attributes:
        label: What is measured.
        name: The class its colour goes by.
        size: Bytes.
        count: Of blobs or releases.
        start: Where it begins among all, 0 to ``WIDTH``.
        width: Its part of all, 0 to ``WIDTH``; at least 2 where there is anything.
        length: Its part of the largest, likewise.
        percent: Of all, for people.
    """

    label: str
    name: str
    size: int
    count: int
    start: float = 0
    width: float = 0
    length: float = 0
    percent: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What is stored.

    Attributes:
        exact: Whether *total* counts each blob once; else each file of each release.
        total: Bytes.
        listed: Bytes of all files of all releases, each counted.
    """

    exact: bool
    total: int
    listed: int
    by_kind: tuple[Bar, ...]
    by_state: tuple[Bar, ...]

    @property
    def saved(self) -> int:
        """Bytes not stored again because releases share them."""
        return self.listed - self.total


def usage(view: View) -> Usage:
    """Return what the blobs of *view* take.

    Only who may see everything is told what is shared: else it would show what is
    held under names that are not the caller's to know.
    """
    if view.whole:
        told = [(s.kind, s.state, s.blobs, s.size) for s in view.snapshot.stored]
    else:
        told = [(h.release.kind, h.state, h.files, h.size) for h in view.releases]
    total = sum(size for _, _, _, size in told)
    kinds = [
        _sum(words.kind(kind), f"k-{kind.value}", [t for t in told if t[0] is kind])
        for kind in Kind
    ]
    states = [
        _sum(state.value, f"s-{state.value}", [t for t in told if t[1] is state])
        for state in State
    ]
    return Usage(
        exact=view.whole,
        total=total,
        listed=sum(one.size for one in view.releases),
        by_kind=placed(sorted(kinds, key=lambda bar: -bar.size)),
        by_state=placed(states),
    )


def _sum(label: str, name: str, told: Sequence[tuple[Kind, State, int, int]]) -> Bar:
    count, size = sum(one[2] for one in told), sum(one[3] for one in told)
    return Bar(label=label, name=name, size=size, count=count)


def placed(bars: Sequence[Bar]) -> tuple[Bar, ...]:
    """Return those of *bars* that measure anything, one after the other."""
    total = sum(bar.size for bar in bars) or 1
    largest = max((bar.size for bar in bars), default=0) or 1
    found, start = [], 0.0
    for bar in bars:
        if not bar.count:
            continue
        part = bar.size / total
        found.append(
            Bar(
                label=bar.label,
                name=bar.name,
                size=bar.size,
                count=bar.count,
                start=round(start, 1),
                width=round(part * WIDTH, 1),
                length=max(2, round(bar.size / largest * WIDTH, 1)),
                percent=_percent(part),
            )
        )
        start += part * WIDTH
    return tuple(found)


def _percent(part: float) -> str:
    if 0 < part < 0.01:
        return "< 1 %"
    return f"{part:.0%}".replace("%", " %")


def largest(view: View) -> tuple[tuple[Held, Bar], ...]:
    """Return the largest releases with their bars, the largest first."""
    found = sorted(view.releases, key=lambda one: (-one.size, one.release.name))
    found = found[:LARGEST]
    bars = placed(
        [
            Bar(
                label=one.release.name,
                name=f"k-{one.release.kind.value}",
                size=one.size,
                count=max(1, one.files),
            )
            for one in found
        ]
    )
    return tuple(zip(found, bars, strict=True))
