"""What is new upstream, per site: asked, compared with what went there, estimated.

Nothing is fetched but headers and small texts, nothing is signed, nothing is written
but what was seen. One source that is down takes nothing away from the others: its
entries say so and keep what the site has.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from airlift.artifact import Kind, Pinned, Wish
from airlift.errors import (
    AirliftError,
    RequestError,
    SourceBusyError,
    SourceError,
    SourceGatedError,
    SourceGoneError,
)
from airlift.outbound import bases, shipped
from airlift.outbound.forecast import forecast
from airlift.outbound.ledger import Ledger
from airlift.outbound.looking import Looker
from airlift.outbound.news import Answer, Estimate, Item, SiteNews, State
from airlift.outbound.pulling import TRIES, resolve
from airlift.outbound.shipped import Shipped
from airlift.payload import changes, portrait
from airlift.payload.changes import Changes
from airlift.payload.portrait import Portrait
from airlift.progress import Progress
from airlift.sources.source import Source
from airlift.store.blobs import BlobStore
from airlift.trust.publisher import Publisher


@dataclass(frozen=True, slots=True, kw_only=True)
class Office:
    """What the connected side works with.

    Attributes:
        publisher: The trust repository.
        ledger: What was written.
        store: Where fetched blobs lie.
        pieces: Folder of the index of pieces.
        looks: Folder of what was seen of files.
        sources: The source of each kind.
        progress: Who watches.
        pause: Waits that many seconds before upstream is asked again.
    """

    publisher: Publisher
    ledger: Ledger
    store: BlobStore
    pieces: Path
    looks: Path
    sources: Callable[[Kind], Source]
    progress: Progress
    pause: Callable[[float], None] = field(default=time.sleep)


def ask(wishes: Sequence[Wish], office: Office) -> tuple[Answer, ...]:
    """Return what upstream says to each of *wishes*.

    Raises:
        RequestError: A kind needs a package that is not installed.
    """
    found = []
    down: set[Kind] = set()
    with office.progress.task("asking", len(wishes), unit="entries") as advance:
        for wish in wishes:
            source = office.sources(wish.kind)
            # Fifty entries of a hub that is down must not each wait for it.
            most = 1 if wish.kind in down else TRIES
            try:
                pinned = resolve(wish, source, pause=office.pause, most=most)
                found.append(Answer(wish=wish, pinned=pinned))
            except (SourceError, RequestError) as error:
                if isinstance(error, SourceBusyError):
                    down.add(wish.kind)
                found.append(_unanswered(wish, error))
            advance(1)
    return tuple(found)


def _unanswered(wish: Wish, error: AirliftError) -> Answer:
    states = (
        (SourceGoneError, State.GONE),
        (SourceGatedError, State.GATED),
        (RequestError, State.UNFIT),
        (SourceError, State.FAILED),
    )
    state = next(state for kind, state in states if isinstance(error, kind))
    return Answer(wish=wish, state=state, problem=error.problem, hint=error.hint)


class Survey:
    """Compares what upstream has with what sites were sent.

    Args:
        answers: What ``ask`` returned.
        office: What to work with.
    """

    def __init__(self, answers: Sequence[Answer], office: Office) -> None:
        self._answers, self._office = answers, office
        self._looker = Looker(
            store=office.store, folder=office.looks, pause=office.pause
        )
        self._seen: dict[tuple[int, str], tuple[Item, Pinned]] = {}

    def of(self, site: str) -> SiteNews:
        """Return what is new for *site*.

        Raises:
            RequestError: There is no such site.
            StoreError: The store fails, or records of a delivery are damaged.
        """
        sent = shipped.to(self._office.publisher, self._office.ledger, site)
        pinned = [one.pinned for one in self._answers if one.pinned]
        matched = iter(shipped.before(pinned, sent))
        items, known = [], []
        for place, answer in enumerate(self._answers):
            if answer.pinned is None:
                items.append(_kept(answer, sent))
                continue
            item, full = self._compare(place, answer.pinned, next(matched))
            items.append(item)
            known.append(full)
        asked = {one.release.name for item in items if (one := item.before)}
        asked |= {one.name for one in pinned}
        written = self._office.ledger.written(site)
        said = self._office.ledger.standing(site).confirmed
        return SiteNews(
            site=site,
            last=max(written, default=0),
            lost=tuple(sorted(one for one in written if said and said.never_took(one))),
            items=tuple(items),
            left=tuple(_newest(one for one in sent if one.release.name not in asked)),
            full=_bytes(known),
            estimates=self._estimates(site, known),
            unfetched=tuple(self._unfetched(items, known)),
        )

    def _compare(
        self, place: int, pinned: Pinned, before: Shipped | None
    ) -> tuple[Item, Pinned]:
        """Return what became of an entry, and *pinned* with the digests known here."""
        key = (place, before.id if before else "")
        if key not in self._seen:
            old = self._looker.held(before.release, pinned) if before else None
            source = self._office.sources(pinned.kind)
            new, problems = self._looker.shown(pinned, old, source)
            found = changes.between(old, new)
            item = Item(
                answer=self._answers[place],
                state=_state(old, found),
                changes=found,
                unread=problems,
            )
            self._seen[key] = item, _with_digests(pinned, old, new)
        item, known = self._seen[key]
        return replace(item, before=before), known

    def _estimates(self, site: str, known: Sequence[Pinned]) -> tuple[Estimate, ...]:
        office, made = self._office, set()
        found = []
        for choice in bases.WORDS:
            try:
                held = bases.holdings(choice, office.ledger, office.publisher, site)
            except RequestError:
                continue  # nothing was written, or confirmed, to build on
            blobs = frozenset(held.brought)
            if blobs and blobs not in made:
                made.add(blobs)
                parts = forecast(
                    known, held, office.store, office.pieces, office.progress
                )
                found.append(Estimate(build_on=choice, parts=parts))
        return tuple(sorted(found, key=lambda one: one.carried))

    def _unfetched(
        self, items: Sequence[Item], known: Sequence[Pinned]
    ) -> Iterator[tuple[int, str]]:
        sent = {
            file.sha256
            for item in items
            if item.before
            for file in item.before.release.files
        }
        answered = [place for place, item in enumerate(items) if item.answer.pinned]
        for place, one in zip(answered, known, strict=True):
            for file in one.files:
                blob = file.sha256
                there = blob in sent or (blob and self._office.store.span(blob))
                if not there:
                    yield place, file.path


def _state(old: Portrait | None, found: Changes) -> State:
    if old is None:
        return State.NEW
    return State.UNCHANGED if found.is_nothing else State.CHANGED


def _kept(answer: Answer, sent: Sequence[Shipped]) -> Item:
    assert answer.state is not None
    wish = answer.wish
    before = shipped.named(sent, wish.kind, shipped.served_names(wish))
    return Item(answer=answer, state=answer.state, before=before)


def _newest(sent: Iterator[Shipped]) -> Iterator[Shipped]:
    seen = set()
    for one in sent:
        if (key := (one.release.kind, one.release.name)) not in seen:
            seen.add(key)
            yield one


def _with_digests(pinned: Pinned, old: Portrait | None, new: Portrait) -> Pinned:
    """Return *pinned* with the digests of files that are what *old* had.

    Upstream states git's own id of a small file and no SHA-256; what went to the site
    before under the same id need not travel again.
    """
    same = portrait.same_paths(old, new) if old else frozenset[str]()
    files = tuple(
        replace(file, sha256=old.members[file.path].sha256)
        if old and file.sha256 is None and file.path in same
        else file
        for file in pinned.files
    )
    return replace(pinned, files=files)


def _bytes(known: Sequence[Pinned]) -> int:
    """Return the bytes of all contents, each once."""
    sizes = {
        file.sha256 or file.git_oid or file.location or file.path: file.size or 0
        for one in known
        for file in one.files
    }
    return sum(sizes.values())
