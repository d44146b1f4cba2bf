"""One release, one project, one delivery: what their pages show."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from airlift.artifact import ContentClass, Json, Kind, Release, ReleaseFile
from airlift.payload import oci_name
from airlift.registry.held import Held
from airlift.serve.dialect import Shelf
from airlift.serve.distribution import oci_model
from airlift.serve.hub import repos
from airlift.serve.page import commands, lists, views, words
from airlift.serve.page.commands import Offer, Place
from airlift.serve.page.links import Links
from airlift.serve.page.views import View
from airlift.serve.wheels.wheel_index import Distribution, WheelIndex
from airlift.trust.delivery import SignedBy

FILES = 200
"""Files of a page; a data set may have 100,000."""
PROJECTS = 100
_DERIVED = 20
_ACTING = {ContentClass.CODE: "code", ContentClass.PICKLE: "pickles"}
"""What runs when a model is loaded. Templates run in a sandbox of the runtime, and to
install a wheel is to trust its code: the list of files marks both."""
_UPSTREAM = {
    "endpoint": "Upstream",
    "repository": "Repository",
    "requested": "Asked for",
    "modified": "Changed upstream",
    "library": "Library",
    "task": "Task",
    "quantisation": "Quantisation",
    "notice": "Notice",
    "targets": "For",
}
"""Facts that readers ask for, in the order shown; all others follow by their keys."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """A key and all the roles it signed for."""

    name: str
    key_id: str
    scheme: str
    roles: tuple[str, ...]


def signers(signed_by: Iterable[SignedBy]) -> tuple[Signer, ...]:
    """Return each key once, with what it signed as."""
    found: dict[str, list[SignedBy]] = {}
    for one in signed_by:
        found.setdefault(one.key_id, []).append(one)
    return tuple(
        Signer(
            name=several[0].name,
            key_id=key,
            scheme=several[0].scheme,
            roles=tuple(one.role for one in several),
        )
        for key, several in found.items()
    )


def names(signed_by: Iterable[SignedBy]) -> str:
    """Return the names of the keys' holders, each once."""
    return ", ".join(dict.fromkeys(one.name for one in signed_by if one.name))


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Which files of a release a reader asked for."""

    words: str
    page: int


def shown(  # noqa: PLR0913 - what one page is made of
    held: Held,
    files: Sequence[ReleaseFile],
    *,
    view: View,
    shelf: Shelf,
    place: Place,
    asked: Asked,
) -> dict[str, object]:
    """Return what the page of a release shows.

    Args:
        held: It; the caller may see it.
        files: All its files.
        view: What else the caller may see.
        shelf: What the caller may fetch.
        place: This server.
        asked: Which files to list.
    """
    release, links = held.release, Links(base_url=place.base_url)
    served = views.is_served(held)
    refs = _refs(release, shelf, served=served)
    several = view.by_name[release.kind, release.name]
    live = views.representative(several)
    derived = _derived(release, view)
    words = asked.words.casefold()
    chosen = [one for one in files if words in one.path.casefold()]
    cut = lists.cut(chosen, asked.page, FILES)
    delivery = view.delivery(held.sequence)
    offer = Offer(
        release=release,
        files=files,
        is_main=_is_main(held, shelf),
        is_image=_is_alone(release, shelf),
    )
    return {
        "held": held,
        "release": release,
        "served": served,
        "newer": live if served and live and live.id != held.id else None,
        "refs": refs,
        "bases": _bases(release, view),
        "derived": derived[:_DERIVED],
        "more_derived": len(derived[_DERIVED:]),
        "upstream": upstream(release.upstream),
        "acting": _acting(files),
        "waits": view.snapshot.waiting.get(held.id, ""),
        "scans": view.snapshot.scans(held),
        "attested": view.snapshot.attestations(held),
        "delivery": delivery,
        "signers": signers(delivery.signed_by) if delivery else (),
        "recipes": commands.of_release(offer, place) if served else (),
        "cut": _linked(cut, release, links, served=served),
        "found": len(files) > FILES,
        "words": asked.words,
        "query": {"path": asked.words},
        "others": [one for one in several if one.id != held.id][: lists.PAGE],
    }


def _linked(
    cut: lists.Cut[ReleaseFile], release: Release, links: Links, *, served: bool
) -> lists.Cut[tuple[ReleaseFile, str]]:
    linked = [(file, links.file(release, file) if served else "") for file in cut.items]
    return lists.Cut(
        items=linked,
        total=cut.total,
        page=cut.page,
        pages=cut.pages,
        first=cut.first,
    )


def _repo(release: Release, shelf: Shelf) -> repos.Repo | None:
    for kinds in repos.KINDS.values():
        if release.kind in kinds:
            return repos.find(shelf, kinds, release.name)
    return None


def _refs(
    release: Release, shelf: Shelf, *, served: bool
) -> tuple[tuple[str, bool], ...]:
    """Return each ref of a release, and whether clients that ask for it get this one."""
    repo = _repo(release, shelf) if served else None
    return tuple(
        (
            ref,
            repo is None
            or repo.refs.get(ref.removeprefix("refs/heads/")) == release.revision,
        )
        for ref in release.refs
    )


def _is_main(held: Held, shelf: Shelf) -> bool:
    repo = _repo(held.release, shelf)
    return repo is not None and repo.refs["main"] == held.release.revision


def _is_alone(release: Release, shelf: Shelf) -> bool:
    """Say whether no other name is the same to container tools."""
    wanted = oci_name.repository(release.name)
    names = {live.release.name for live in shelf.releases(oci_model.KINDS)}
    return {one for one in names if oci_name.repository(one) == wanted} == {
        release.name
    }


def _bases(release: Release, view: View) -> tuple[tuple[str, Held | None], ...]:
    return tuple((name, _by_name(name, view)) for name in release.base_models)


def _by_name(name: str, view: View) -> Held | None:
    for kind in Kind:
        if kind is not Kind.WHEELS and (found := view.newest(kind, name)):
            return found
    return None


def _derived(release: Release, view: View) -> list[Held]:
    return [
        several[0]
        for (_, name), several in view.by_name.items()
        if name != release.name and release.name in several[0].release.base_models
    ]


def upstream(facts: Mapping[str, Json]) -> tuple[tuple[str, str], ...]:
    """Return what upstream said, as titles and texts; what readers ask for first."""
    order = [key for key in _UPSTREAM if key in facts]
    order += sorted(key for key in facts if key not in _UPSTREAM)
    return tuple(
        (_UPSTREAM.get(key, f"Upstream: {key}"), words.value(facts[key]))
        for key in order
        if facts[key] not in ("", None)
    )


def _acting(files: Iterable[ReleaseFile]) -> str:
    """Say how many files run when they are loaded, by class; empty where none does."""
    counts = Counter(file.content_class for file in files)
    return ", ".join(
        f"{words.plural(counts[one], 'file')} with {danger}"
        for one, danger in _ACTING.items()
        if counts[one]
    )


# --- wheels ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A line of the list of projects; *newest* is a version."""

    name: str
    newest: str
    versions: int
    files: int
    size: int


def projects(index: WheelIndex, words: str) -> list[Project]:
    """Return the projects whose names have *words* in them, by name."""
    part = words.casefold().replace("_", "-")
    return [
        Project(
            name=name,
            newest=offered(listed),
            versions=len({one.version for one in listed}),
            files=len(listed),
            size=sum(one.file.size for one in listed),
        )
        for name, listed in index.projects.items()
        if part in name
    ]


def offered(listed: Sequence[Distribution]) -> str:
    """Return the version to suggest, as installers choose: not yanked, not a preview."""
    sound = [one for one in listed if not one.file.facts.get("yanked")]
    final = [one for one in sound if not one.version.is_prerelease]
    return str((final or sound or listed)[-1].version)


def versions(
    listed: Iterable[Distribution], view: View
) -> list[tuple[str, list[tuple[Distribution, Held | None]]]]:
    """Return a project's files by version, the newest first, with their sets."""
    by_id: Mapping[str, Held] = {str(key): one for key, one in view.by_id.items()}
    found: dict[str, list[tuple[Distribution, Held | None]]] = {}
    for one in listed:
        found.setdefault(str(one.version), []).append((one, by_id.get(one.release)))
    return list(reversed(found.items()))
