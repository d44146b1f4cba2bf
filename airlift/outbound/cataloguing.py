"""Building a catalogue: everything watched is asked for, what is silent stays as it was."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Protocol

from airlift.artifact import Kind, Pinned, Release, Wish
from airlift.errors import RequestError, SourceError
from airlift.fetch.resolver import Target
from airlift.fetch.simple_index import Project
from airlift.format import rule as rules
from airlift.format.catalogue import Advisory, Catalogue, Feed
from airlift.format.catalogue_entries import Item, Package
from airlift.format.rule import Rule
from airlift.outbound import advisories, exploited, packages, watching
from airlift.outbound.asking import Answer, ask
from airlift.outbound.catalogues import Last
from airlift.outbound.packages import Shipped
from airlift.outbound.watching import Watched
from airlift.progress import Progress
from airlift.sources.source import Source
from airlift.trust import clock

_AT_ONCE: Final = 8
"""Requests to indexes at once; hubs are asked one after the other by their library."""


class Sources(Protocol):
    """Gives the source of a kind."""

    def __call__(self, kind: Kind) -> Source:
        """Return the source of *kind*."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstreams:
    """Whom to ask.

    Attributes:
        sources: The source of a kind.
        project: What an index says of a project; the second argument is the only
            index to ask, or empty.
        pause: Waits that many seconds between tries.
        progress: Gets a task for artifacts and one for packages.
    """

    sources: Sources
    project: Callable[[str, str], Project]
    pause: Callable[[float], None]
    progress: Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What a catalogue is to be of.

    Attributes:
        stated: Entries of manifests.
        shipped: What releases and locks hold, the newest of each name first.
        osv: Where advisories lie; None where none are given this time.
        kev: Likewise what is known to be exploited.
        epss: Likewise how likely the rest is to be.
        rules: Models and runtimes that are dangerous together.
        packages: Packages to watch that were never shipped: runtimes of the sites.
        now: ``YYYY-MM-DDThh:mm:ssZ``.
        next_days: In how many days the next is expected.
        valid_days: For how many days this one is worth something.
    """

    stated: Sequence[Wish]
    shipped: Sequence[Pinned | Release]
    osv: Path | None
    kev: Path | None = None
    epss: Path | None = None
    rules: Sequence[Rule] = ()
    packages: Sequence[str] = ()
    now: str
    next_days: int = 7
    valid_days: int = 60


def build(order: Order, upstreams: Upstreams, last: Last | None) -> Catalogue:
    """Ask for everything in *order*; return the next catalogue.

    Args:
        order: What to ask for.
        upstreams: Whom.
        last: The catalogue before it; None for the first.

    Raises:
        RequestError: Nothing is watched, the clock is behind the last catalogue, or
            there are no advisories where *order* says.
    """
    watched = watching.watch_list(order.stated, order.shipped)
    if not watched and not order.packages:
        problem = "nothing is watched: nothing was shipped, and no manifest is given"
        raise RequestError(problem, hint="name a manifest, or export something first")
    if last is not None and order.now <= last.catalogue.issued:
        problem = (
            f"this host's clock says {order.now}, and catalogue"
            f" {last.catalogue.sequence} was made at {last.catalogue.issued}"
        )
        raise RequestError(problem, hint="set the clock, then run the command again")
    answers = _ask_all(watched, upstreams, last, order.now)
    known = _packages(order, answers, upstreams, last)
    feed, found = _advisories(order, known, last)
    found = _marked(order, found, last)
    if not feed.problem:
        known = tuple(replace(one, advised=feed.as_of) for one in known)
    items = sorted((one.item for one in answers), key=lambda one: one.order)
    return Catalogue(
        sequence=last.catalogue.sequence + 1 if last else 1,
        previous=last.id if last else None,
        issued=order.now,
        next_expected=clock.after(order.now, days=order.next_days),
        valid_until=clock.after(order.now, days=order.valid_days),
        items=tuple(items),
        packages=known,
        feed=feed,
        advisories=_with_rules(found, order.rules),
    )


def unasked(made: Catalogue) -> tuple[Item | Package, ...]:
    """Return the entries of *made* whose source did not answer for them this time."""
    return tuple(one for one in made.entries if one.problem)


def _ask_all(
    watched: Sequence[Watched], upstreams: Upstreams, last: Last | None, now: str
) -> tuple[Answer, ...]:
    items = last.catalogue.items if last else ()
    before = {watching.key(one.wish): one for one in items}
    found: dict[tuple[str, str, str, bytes], Answer] = {}
    with upstreams.progress.task("asking", len(watched), unit="artifacts") as advance:
        for one in watched:
            source = upstreams.sources(one.wish.kind)
            answer = ask(one, source, before, now=now, pause=upstreams.pause)
            # Two ways to ask for one thing are one entry.
            found.setdefault(answer.item.order, answer)
            advance(1)
    return tuple(found.values())


def _packages(
    order: Order,
    answers: Iterable[Answer],
    upstreams: Upstreams,
    last: Last | None,
) -> tuple[Package, ...]:
    watched = tuple(answers)
    listed = packages.beside(packages.shipped(_wheels(order, watched)), order.packages)
    before = {one.name: one for one in last.catalogue.packages} if last else {}
    targets = _targets(watched)

    def describe(one: Shipped) -> Package:
        try:
            project = upstreams.project(one.name, one.index)
        except SourceError as error:
            return packages.silent(one, before.get(one.name), error)
        fresh = packages.describe(one, project, targets, now=order.now)
        known = before.get(one.name)
        return replace(fresh, advised=known.advised if known else "")

    with (
        upstreams.progress.task("asking", len(listed), unit="packages") as advance,
        ThreadPoolExecutor(_AT_ONCE) as pool,
    ):
        found = []
        for package in pool.map(describe, listed):
            found.append(package)
            advance(1)
    return tuple(found)


def _wheels(order: Order, answers: Iterable[Answer]) -> Iterable[tuple[str, str]]:
    """Yield the wheels that were shipped, and those an export would take now."""
    for one in order.shipped:
        if one.kind is Kind.WHEELS:
            index = one.upstream.get("endpoint")
            for file in one.files:
                yield file.path, index if isinstance(index, str) else ""
    for answer in answers:
        if answer.item.kind is Kind.WHEELS:
            index = answer.item.options.get("index")
            for known in answer.item.files:
                yield known.path, index if isinstance(index, str) else ""


def _targets(answers: Iterable[Answer]) -> tuple[Target, ...]:
    found = {
        Target(python=str(python), platform=str(platform))
        for answer in answers
        if answer.item.kind is Kind.WHEELS
        for python in _texts(answer.item, "python")
        for platform in _texts(answer.item, "platform")
    }
    return tuple(sorted(found, key=str))


def _texts(item: Item, key: str) -> tuple[str, ...]:
    value = item.options.get(key)
    several = value if isinstance(value, list | tuple) else ()
    return tuple(one for one in several if isinstance(one, str))


def _advisories(
    order: Order, known: Sequence[Package], last: Last | None
) -> tuple[Feed, tuple[Advisory, ...]]:
    if order.osv is not None:
        wanted = [one.name for one in known]
        return advisories.read(order.osv, wanted, now=order.now)
    if last is None:
        return Feed(), ()
    feed = replace(last.catalogue.feed, problem=Feed().problem)
    return feed, _no_rules(last.catalogue.advisories)


def _no_rules(found: Iterable[Advisory]) -> tuple[Advisory, ...]:
    return tuple(one for one in found if not rules.is_rule(one))


def _with_rules(
    found: Iterable[Advisory], carried: Iterable[Rule]
) -> tuple[Advisory, ...]:
    """Return advisories and rules as one list, each id once: a rule gives way."""
    listed = {one.id: one for one in map(rules.as_advisory, carried)}
    listed |= {one.id: one for one in found}
    return tuple(listed[one] for one in sorted(listed))


def _marked(
    order: Order, found: tuple[Advisory, ...], last: Last | None
) -> tuple[Advisory, ...]:
    told = {}
    if order.kev is not None:
        told["kev"] = exploited.kev(order.kev, now=order.now)
    if order.epss is not None:
        wanted = exploited.cves(found)
        told["epss"] = exploited.epss(order.epss, wanted, now=order.now)
    before = _no_rules(last.catalogue.advisories) if last else ()
    return exploited.marked(found, told, before)
