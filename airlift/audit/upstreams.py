"""What questions about upstream share: whom a piece of news is about, and what is unknown."""

from collections.abc import Iterable, Iterator

from airlift.artifact import Kind
from airlift.audit import subjects
from airlift.audit.finding import About, Subject
from airlift.audit.site import Site
from airlift.format import withdrawal
from airlift.inbound.ages import Age
from airlift.inbound.news import Finding as Piece
from airlift.inbound.news import News
from airlift.registry.held import Held, State


def is_package(one: Piece) -> bool:
    """Say whether a piece of news is about a package, not an artifact."""
    return one.kind == withdrawal.PACKAGE


def held(site: Site) -> Iterator[Piece]:
    """Yield the news about what is held and has an upstream."""
    for one in site.news:
        if one.held and one.kind != Kind.FOLDER.value:
            yield one


def release(site: Site, one: Piece) -> Held | None:
    """Return the release that a piece of news is about; None of a package."""
    found = [
        each
        for each in site.releases
        if (each.release.kind, each.release.name, each.release.revision)
        == (one.kind, one.name, one.held)
    ]
    live = [each for each in found if each.state is State.LIVE]
    return next(iter(live or found), None)


def subject(site: Site, one: Piece) -> Subject:
    """Return whom a piece of news is about."""
    if is_package(one):
        return subjects.wheel(one.name, one.held)
    found = release(site, one)
    if found is not None:
        return subjects.release(found)
    return Subject(kind=About.MODEL, name=one.name, version=one.held)


def arrived_in(site: Site, one: Piece) -> str:
    """Return the number of the delivery that brought it; empty where nobody knows."""
    if not is_package(one):
        found = release(site, one)
        return str(found.sequence) if found else ""
    brought = {
        each.held.sequence
        for each in site.wheels
        if (each.name, each.version) == (one.name, one.held)
    }
    return str(min(brought)) if brought else ""


def unknown(site: Site, pieces: Iterable[Piece]) -> tuple[str, ...]:
    """Return of which of *pieces* nobody knows what upstream says, each with why.

    Within a catalogue that is too old to conclude from, that is said once, as the
    reason of the whole.
    """
    return tuple(
        f"{one.asked or one.name}: {why}" for one in pieces if (why := _why(site, one))
    )


def _why(site: Site, one: Piece) -> str:
    if one.number is None:
        return "the catalogue does not watch it"
    days, age = site.clock.today.days(one.as_of), site.clock.today.age(one.as_of)
    if age is Age.NEVER:
        return f"its source never answered: {one.problem}" if one.problem else "unknown"
    if age is Age.STALE and not site.ignorance:
        return f"its source answered {days} days ago for the last time"
    if one.news is News.UNKNOWN and not one.withdrawn:
        return one.problem or "upstream states no newest"
    return ""
