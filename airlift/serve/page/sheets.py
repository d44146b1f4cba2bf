"""Each page: what it shows of what its reader may see."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from airlift.artifact import Kind, ReleaseFile
from airlift.digest import Sha256, is_sha256
from airlift.registry.held import Held, State
from airlift.serve.dialect import Answer
from airlift.serve.page import alerts, chart, commands, lists, releases, views
from airlift.serve.page.answers import Ask, moved, not_held, page
from airlift.serve.wheels import wheel_index

_NEWEST = 10
_LOG = 100

Files = Callable[[Sha256], tuple[ReleaseFile, ...]]


def overview(ask: Ask) -> Answer:
    """Show what is held, and what somebody should act on, which comes first."""
    every = ask.view.releases
    newest = sorted(every, key=lambda one: one.imported, reverse=True)[:_NEWEST]
    values = {
        "releases": every,
        "live": [one for one in every if views.is_served(one)],
        "waiting": [one for one in every if _waits(one)],
        "usage": chart.usage(ask.view),
        "newest": newest,
        "recipes": commands.of_server(ask.place),
        "warnings": alerts.found(ask.view, ask.now),
    }
    return page(ask, "overview", values)


def _waits(held: Held) -> bool:
    return held.state is State.QUARANTINE and not held.denied


def models(ask: Ask) -> Answer:
    """List what is held, a line for each name."""
    asked = lists.asked(ask.request.query)
    cut = lists.cut(lists.rows(ask.view, asked), asked.page)
    kinds = sorted({one.release.kind for one in ask.view.releases})
    return page(
        ask, "models", {"asked": asked, "cut": cut, "kinds": kinds}, tab="models"
    )


def named(ask: Ask, kind: str, name: str) -> Answer:
    """Send the reader to what is newest under a name."""
    known = {one.value: one for one in Kind}
    if kind not in known:
        return not_held(ask, name)
    found = ask.view.newest(known[kind], name)
    if found is None:
        return not_held(ask, name, frozenset({known[kind]}))
    return moved(ask.links.release(found.id))


def held_of(
    ask: Ask, release_id: str, held_files: Files
) -> tuple[Held, tuple[ReleaseFile, ...]] | None:
    """Return a release and its files; None where the caller sees none of that id."""
    held = ask.view.by_id.get(Sha256(release_id)) if is_sha256(release_id) else None
    if held is None:
        return None
    return held, (ask.shelf.files if views.is_served(held) else held_files)(held.id)


def release(ask: Ask, release_id: str, held_files: Files) -> Answer:
    """Show one release.

    Args:
        ask: What is answered.
        release_id: As the path has it.
        held_files: Returns the files of a release in any state.
    """
    if (found := held_of(ask, release_id, held_files)) is None:
        return not_held(ask, "This release")
    held, files = found
    values = releases.shown(
        held,
        files,
        view=ask.view,
        shelf=ask.shelf,
        place=ask.place,
        asked=releases.Asked(words=ask.said("path"), page=ask.number),
    )
    return page(ask, "release", values, tab="models", release=held)


def wheels(ask: Ask) -> Answer:
    """List the projects that installers find here."""
    words = ask.said("q")
    found = releases.projects(ask.wheels(), words)
    sets = [
        one
        for one in ask.view.releases
        if one.release.kind is Kind.WHEELS and views.is_served(one)
    ]
    values = {
        "cut": lists.cut(found, ask.number, releases.PROJECTS),
        "sets": sets,
        "words": words,
        "query": {"q": words},
    }
    return page(ask, "wheels", values, tab="wheels")


def project(ask: Ask, asked: str) -> Answer:
    """Show one project's files."""
    name = wheel_index.normalised(asked)
    listed = ask.wheels().projects.get(name)
    if listed is None:
        return not_held(ask, asked)
    newest = releases.offered(listed)
    values = {
        "project": name,
        "newest": newest,
        "versions": releases.versions(listed, ask.view),
        "recipes": commands.of_project(name, newest, ask.place),
    }
    return page(ask, "project", values, tab="wheels")


def imports(ask: Ask) -> Answer:
    """Show how what is held came here, and what was done to it since."""
    view, snapshot = ask.view, ask.view.snapshot
    listed = [
        (
            one,
            view.by_delivery.get(one.sequence, ()),
            releases.names(one.signed_by),
        )
        for one in view.deliveries
    ]
    values = {
        "cut": lists.cut(listed, ask.number),
        "expires": snapshot.knowledge.expires if view.whole else {},
        "generations": snapshot.generations if view.whole else (),
        "events": snapshot.events[:_LOG] if view.whole else (),
    }
    return page(ask, "imports", values, tab="imports")


def delivery(ask: Ask, sequence: str) -> Answer:
    """Show one delivery."""
    found = ask.view.delivery(lists.number(sequence, default=0))
    if found is None:
        return not_held(ask, "This delivery")
    brought = ask.view.by_delivery.get(found.sequence, ())
    values = {
        "delivery": found,
        "signers": releases.signers(found.signed_by),
        "cut": lists.cut(brought, ask.number),
        "total": sum(one.size for one in brought),
    }
    return page(ask, "delivery", values, tab="imports")


def storage(ask: Ask) -> Answer:
    """Show what takes how much room."""
    values = {
        "usage": chart.usage(ask.view),
        "largest": chart.largest(ask.view),
    }
    return page(ask, "storage", values, tab="storage")


TABS: Mapping[str, Callable[[Ask], Answer]] = MappingProxyType(
    {"models": models, "wheels": wheels, "imports": imports, "storage": storage}
)
"""Pages that are reached from every page, by their name."""
