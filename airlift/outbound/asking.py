"""What an artifact's source says of it now, beside what it said before.

An answer is knowledge, also the answer that it is gone; silence is not. What could not
be asked keeps the time, the revision and the files it had, and says why; what is gated
or gone keeps no revision, because none is known to be the newest.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from airlift import naming
from airlift.artifact import Json, Kind, Pinned, PinnedFile
from airlift.errors import (
    AirliftError,
    RequestError,
    SourceError,
    SourceGatedError,
    SourceGoneError,
)
from airlift.format.catalogue_entries import EARLIER, Item, KnownFile, Seen, Standing
from airlift.outbound import watching
from airlift.outbound.pulling import resolve
from airlift.outbound.watching import LOCAL, Key, Watched
from airlift.sources.source import Source

WORDS: Final = 300
"""Most characters of a reason: what upstream says can be a page."""
_FACTS: Final = (
    *("author", "library", "task", "gated", "tags", "quantisation", "projector"),
    "targets",
)
_HUBS: Final = (Kind.MODEL, Kind.DATASET, Kind.GGUF)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What is known of an artifact now.

    Attributes:
        item: For the catalogue.
        pinned: What its source gave; None where it gave nothing.
    """

    item: Item
    pinned: Pinned | None = None


def ask(
    watched: Watched,
    source: Source,
    before: Mapping[Key, Item],
    *,
    now: str,
    pause: Callable[[float], None],
) -> Answer:
    """Ask *source* for what is *watched*.

    Args:
        watched: What.
        source: The source of its kind.
        before: Items of the last catalogue, by ``watching.key``.
        now: ``YYYY-MM-DDThh:mm:ssZ``, for what is answered.
        pause: Waits that many seconds between tries.
    """
    wish = watched.wish
    options = {key: value for key, value in wish.options.items() if key not in LOCAL}
    known = before.get(watching.key(wish)) or Item(
        kind=wish.kind,
        name=watched.name or label(wish.kind, wish.name),
        asked=wish.name,
        standing=Standing.UNKNOWN,
    )
    known = replace(known, options=options, name=watched.name or known.name)
    try:
        pinned = resolve(wish, source, pause=pause)
    except SourceGatedError as error:
        return Answer(item=_refused(known, Standing.GATED, error, now))
    except SourceGoneError as error:
        return Answer(item=_refused(known, Standing.GONE, error, now))
    except (SourceError, RequestError) as error:
        return Answer(item=replace(known, problem=words(error)))
    return Answer(item=_answered(known, pinned, watched.name, now), pinned=pinned)


def words(error: AirliftError) -> str:
    """Return what *error* says, as a catalogue may carry it."""
    return naming.show(error.problem)[:WORDS]


def label(kind: Kind, asked: str) -> str:
    """Return a name for what never had a release and never was answered for."""
    plain = asked.partition("@")[0]
    if kind in (Kind.OLLAMA, Kind.OCI):
        stem, _, last = plain.rpartition("/")
        plain = f"{stem}/{last.partition(':')[0]}".lstrip("/").replace(":", "_")
    return plain


def _refused(known: Item, standing: Standing, error: SourceError, now: str) -> Item:
    return replace(
        known,
        as_of=now,
        problem="",
        standing=standing,
        reason=words(error),
        revision="",
        modified="",
        refs=(),
        files=(),
        earlier=_earlier(known, ""),
    )


def _answered(known: Item, pinned: Pinned, name: str, now: str) -> Item:
    upstream = pinned.upstream
    facts: dict[str, Json] = {key: upstream[key] for key in _FACTS if upstream.get(key)}
    if pinned.notes:
        # A newer one that was passed over must not look as if there were none.
        facts["notes"] = pinned.notes
    options = dict(known.options)
    if pinned.kind is Kind.WHEELS:
        # All of them: some stood in a file that is on this host only.
        options["requirements"] = upstream.get("requested", ())
    repository = _text(upstream, "repository")
    moved = pinned.kind in _HUBS and repository not in ("", pinned.name)
    return Item(
        kind=pinned.kind,
        name=name or pinned.name,
        asked=known.asked,
        options=options,
        source=_text(upstream, "endpoint"),
        as_of=now,
        standing=Standing.DISABLED if upstream.get("disabled") else Standing.AVAILABLE,
        moved_to=repository if moved else "",
        revision=pinned.revision,
        modified=_text(upstream, "modified"),
        refs=pinned.refs,
        licence=pinned.licence,
        base_models=pinned.base_models,
        facts=facts,
        files=tuple(known_file(one) for one in pinned.files if _is_listed(one)),
        earlier=_earlier(known, pinned.revision),
    )


def _earlier(known: Item, revision: str) -> tuple[Seen, ...]:
    found = list(known.earlier)
    if known.revision and known.revision != revision:
        found.insert(0, Seen(revision=known.revision, as_of=known.as_of))
    return tuple(one for one in found if one.revision != revision)[:EARLIER]


def _text(table: Mapping[str, Json], key: str) -> str:
    value = table.get(key)
    return value if isinstance(value, str) else ""


def _is_listed(file: PinnedFile) -> bool:
    # The metadata of a wheel is in the wheel.
    return not file.path.endswith(".whl.metadata")


def known_file(file: PinnedFile) -> KnownFile:
    """Return *file* as a catalogue lists it."""
    return KnownFile(
        path=file.path,
        size=file.size,
        sha256=file.sha256,
        git_oid=file.git_oid,
        yanked=yanked(file.facts),
    )


def yanked(facts: Mapping[str, Json]) -> str | None:
    """Return why a file with *facts* was yanked, perhaps empty; None if it was not."""
    said = facts.get("yanked")
    if isinstance(said, str):
        return naming.show(said)[:WORDS]
    return "" if said else None
