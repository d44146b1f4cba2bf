"""What ``airlift update`` says: for people, and whole for programs."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from airlift import naming
from airlift.artifact import Json
from airlift.cli import output, telling_changes
from airlift.outbound.news import Estimate, Item, SiteNews, State
from airlift.outbound.shipped import Shipped

_NAMED: Final = 20  # files and artifacts that one line names
_DIGITS: Final = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What there is to say.

    Attributes:
        manifest: The file that was asked for.
        news: Of each site.
        lock: The lock that was written; None for none.
    """

    manifest: Path
    news: Sequence[SiteNews]
    lock: Path | None


def show(told: Told, *, as_json: bool) -> None:
    """Print what *told* holds."""
    if as_json:
        output.as_json(_table(told))
        return
    for line in _lines(told):
        output.line(line)


def _lines(told: Told) -> Iterator[str]:
    items = [one.items for one in told.news]
    for entry in zip(*items, strict=True):
        yield from _entry(entry, told.news)
    yield ""
    for news in told.news:
        yield from _site(news)
    yield from _next(told)


def _entry(items: Sequence[Item], news: Sequence[SiteNews]) -> Iterator[str]:
    """Yield what is to say of one entry: once for sites that are equally far."""
    groups: dict[tuple[State, str], list[int]] = {}
    for place, item in enumerate(items):
        known = (item.state, item.before.id if item.before else "")
        groups.setdefault(known, []).append(place)
    for places in groups.values():
        item = items[places[0]]
        sites = ", ".join(news[place].site for place in places)
        carried = [one for place in places if (one := items[place].before)]
        yield f"{_head(item)}  [{sites}]{_since(carried)}"
        for line in _body(item):
            yield f"  {line}"


def _head(item: Item) -> str:
    wish = item.answer.wish
    name = naming.show(item.answer.pinned.name if item.answer.pinned else wish.name)
    head = f"{item.state.value}: {wish.kind.value} {name}"
    if item.changes is None:
        return head
    before, after = item.changes.before[:_DIGITS], item.changes.after[:_DIGITS]
    if item.state is not State.CHANGED:
        return f"{head}  {after}"
    moved = after if before == after else f"{before} -> {after}"
    return f"{head}  {moved}: {item.changes.extent.value}"


def _since(carried: Sequence[Shipped]) -> str:
    if not carried:
        return ""
    numbers = ", ".join(map(str, sorted({one.sequence for one in carried})))
    sure = ", confirmed" if all(one.confirmed for one in carried) else ""
    return f", last sent in delivery {numbers}{sure}"


def _body(item: Item) -> Iterator[str]:
    answer = item.answer
    if answer.problem:
        kept = item.before
        yield answer.problem
        if answer.hint:
            yield f"hint: {answer.hint}"
        yield (
            f"kept as it is: {kept.release.revision[:_DIGITS]}"
            if kept
            else "never sent there"
        )
    if answer.pinned:
        for note in answer.pinned.notes:
            yield f"note: {note}"
    if item.changes is not None and item.state is not State.UNCHANGED:
        if item.state is State.NEW:
            files = answer.pinned.files if answer.pinned else ()
            total = output.size(sum(file.size or 0 for file in files))
            yield f"{len(files)} files, {total}"
        yield from telling_changes.lines(item.changes)
    for problem in item.unread:
        yield f"could not be looked into: {problem}"


def _site(news: SiteNews) -> Iterator[str]:
    counts = dict.fromkeys(State, 0)
    for item in news.items:
        counts[item.state] += 1
    said = ", ".join(
        f"{count} {state.value}" for state, count in counts.items() if count
    )
    last = f"last delivery {news.last}" if news.last else "no delivery yet"
    yield f"{news.site}: {said}; {last}"
    if news.lost:
        numbers = ", ".join(map(str, news.lost))
        yield f"  never took delivery {numbers}: what that brought counts as not sent"
    if news.is_news:
        yield f"  in full: at most {output.size(news.full)}"
        for one in news.estimates:
            yield f"  --build-on {one.build_on}: at most {_carried(one)}"
        yield from _unfetched(news)
    if news.left:
        names = _names([naming.show(one.release.name) for one in news.left])
        yield f"  sent before and not asked for here: {names}"


def _carried(one: Estimate) -> str:
    text = output.size(one.carried)
    if one.unknown:
        text += f", of which {output.size(one.unknown)} are unknown until fetched"
    return text


def _unfetched(news: SiteNews) -> Iterator[str]:
    if not news.unfetched:
        return
    files: dict[int, list[str]] = {}
    for place, path in news.unfetched:
        files.setdefault(place, []).append(naming.show(path))
    for place, paths in files.items():
        name = naming.show(news.items[place].answer.wish.name)
        yield f"  to fetch for {name}: {_names(paths)}"


def _names(names: Sequence[str]) -> str:
    more = len(names) - _NAMED
    text = ", ".join(names[:_NAMED])
    return f"{text} and {more} more" if more > 0 else text


def _next(told: Told) -> Iterator[str]:
    open_ = (
        [one for one in told.news[0].items if not one.answer.pinned]
        if told.news
        else []
    )
    if told.lock:
        yield f"wrote {told.lock}"
        if open_:
            names = _names([naming.show(one.answer.wish.name) for one in open_])
            yield f"left out of it, and so kept as they are: {names}"
    for news in told.news:
        if not news.is_news:
            continue
        if told.lock is None:
            yield f"next: `airlift update {told.manifest} --write-lock`"
            return
        base = f" --build-on {news.advised.build_on}" if news.advised else ""
        yield f"next: `airlift export {told.lock} --site {news.site}{base} --to FOLDER`"


def _table(told: Told) -> Json:
    return {
        "manifest": str(told.manifest),
        "lock": str(told.lock) if told.lock else None,
        "sites": [_site_table(news) for news in told.news],
    }


def _site_table(news: SiteNews) -> Json:
    return {
        "site": news.site,
        "last": news.last,
        "lost": news.lost,
        "complete": news.is_complete,
        "news": news.is_news,
        "entries": [_item_table(item) for item in news.items],
        "not_asked_for": [_shipped(one) for one in news.left],
        "full_bytes": news.full,
        "advised": news.advised.build_on if news.advised else None,
        "estimates": [
            {
                "build_on": one.build_on,
                "carried": one.carried,
                "unknown": one.unknown,
                "parts": [asdict(part) for part in one.parts],
            }
            for one in news.estimates
        ],
        "to_fetch": [{"entry": place, "path": path} for place, path in news.unfetched],
    }


def _item_table(item: Item) -> Json:
    answer = item.answer
    return {
        "kind": answer.wish.kind.value,
        "name": answer.pinned.name if answer.pinned else answer.wish.name,
        "state": item.state.value,
        "before": _shipped(item.before) if item.before else None,
        "revision": answer.pinned.revision if answer.pinned else None,
        "problem": answer.problem,
        "hint": answer.hint,
        "notes": answer.pinned.notes if answer.pinned else (),
        "changes": asdict(item.changes) if item.changes else None,
        "unread": item.unread,
    }


def _shipped(one: Shipped) -> Json:
    return {
        "kind": one.release.kind.value,
        "name": one.release.name,
        "revision": one.release.revision,
        "id": one.id,
        "delivery": one.sequence,
        "confirmed": one.confirmed,
    }
