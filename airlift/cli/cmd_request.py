"""``airlift request``: what an isolated site asks for, and how it goes out and is read."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import click

from airlift import naming
from airlift.artifact import Json
from airlift.cli import config, output, request_forms, request_lock, request_reading
from airlift.errors import RequestError
from airlift.format.answer import Outcome
from airlift.format.request import Want
from airlift.format.request_text import entry_label, want_label
from airlift.inbound import request_draft
from airlift.inbound.own_key import Maker
from airlift.inbound.receipts import Clerk
from airlift.inbound.request_draft import Draft
from airlift.inbound.requests import Held, Requests, Sent
from airlift.registry.registry import Registry
from airlift.registry.upstream import Upstream
from airlift.store.blobs import BlobStore
from airlift.trust.site_key import SiteKey


@click.group("request")
def command() -> None:
    """Ask for what is wanted (isolated side), and read what sites ask (connected)."""


command.add_command(request_reading.command)
command.add_command(request_lock.command)


@command.command("add")
@click.argument("items", nargs=-1)
@click.option(
    "--by-name",
    is_flag=True,
    help="Ask for ITEMs that no catalogue has; their names leave the site.",
)
@click.option("--anchor", is_flag=True, help="Ask for a delivery that needs no other.")
@config.home_option
def add(home: Path, items: tuple[str, ...], *, by_name: bool, anchor: bool) -> None:
    """Put ITEMs on the list of what will be asked for.

    An ITEM is the number of an entry of the newest catalogue, or its name, or KIND:NAME.
    With --by-name it is KIND:NAME or KIND:NAME@REVISION, of anything upstream has.
    """
    if not items and not anchor:
        problem = "nothing to add"
        raise RequestError(problem, hint="give ITEMs, or --anchor")
    with _desk(home) as (requests, newest):
        draft = request_draft.read(requests.home)
        for item in items:
            draft = _added(draft, item, newest, by_name=by_name)
        draft = replace(draft, anchor=draft.anchor or anchor)
        request_draft.write(requests.home, draft)
        _show_draft(draft, newest)


def _added(draft: Draft, item: str, newest: Held | None, *, by_name: bool) -> Draft:
    if key := request_draft.find(item, newest and newest.catalogue):
        return draft.adding(key)
    if by_name:
        return draft.wanting(request_draft.want_of(item))
    shown = naming.show(item)
    problem = f"no catalogue has come, so there is no entry `{shown}`"
    if newest:
        problem = f"`{shown}` is not in catalogue {newest.catalogue.sequence}"
    hint = "--by-name asks for KIND:NAME anyway; the name then leaves this site"
    raise RequestError(problem, hint=hint)


@command.command("remove")
@click.argument("items", nargs=-1)
@click.option("--anchor", is_flag=True, help="Do not ask for an anchor.")
@click.option("--all", "everything", is_flag=True, help="Ask for nothing of the list.")
@config.home_option
def remove(
    home: Path, items: tuple[str, ...], *, anchor: bool, everything: bool
) -> None:
    """Take ITEMs, named as for `add`, off the list again."""
    with _desk(home) as (requests, newest):
        draft = Draft() if everything else request_draft.read(requests.home)
        for item in items:
            draft = _removed(draft, item, newest)
        draft = replace(draft, anchor=draft.anchor and not anchor)
        request_draft.write(requests.home, draft)
        _show_draft(draft, newest)


def _removed(draft: Draft, item: str, newest: Held | None) -> Draft:
    key = request_draft.find(item, newest and newest.catalogue)
    if key in draft.entries:
        return draft.without(key or "")
    named = [one for one in draft.wants if item in (want_label(one), _spelt(one))]
    if named:
        return draft.not_wanting(named[0])
    gone = [one for one in draft.entries if item in one]
    if len(gone) == 1:  # an entry that the newest catalogue has no longer
        return draft.without(gone[0])
    problem = f"`{naming.show(item)}` is not on the list"
    raise RequestError(problem, hint="`airlift request show` shows it")


def _spelt(want: Want) -> str:
    name = f"{want.kind.value}:{want.name}"
    return f"{name}@{want.revision}" if want.revision else name


@command.command("show")
@click.argument("number", required=False, type=click.IntRange(min=1))
@config.home_option
@config.json_option
def show(home: Path, number: int | None, *, as_json: bool) -> None:
    """Show what will be asked for, and what became of what was asked."""
    with _desk(home) as (requests, newest):
        draft = request_draft.read(requests.home)
        sent = requests.all() if number is None else (requests.sent(number),)
    if as_json:
        output.as_json(
            {
                "draft": {
                    "entries": draft.entries,
                    "wants": tuple(_spelt(one) for one in draft.wants),
                    "anchor": draft.anchor,
                },
                "requests": [_as_json(one) for one in sent],
            }
        )
        return
    if number is None:
        _show_draft(draft, newest)
    for one in sent:
        _show_sent(one)


@command.command("export")
@click.option(
    "--to",
    "targets",
    multiple=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="File to write: .txt, .png or .svg (QR code), .html (to print); repeat.",
)
@click.option("--qr", is_flag=True, help="Show the QR code on the terminal.")
@click.option("--again", type=click.IntRange(min=1), help="Write this one once more.")
@click.option(
    "--pad", is_flag=True, help="Make it 256 bytes, to hide how much is asked for."
)
@config.passphrase_options
@config.home_option
def export(
    *,
    home: Path,
    targets: tuple[Path, ...],
    qr: bool,
    again: int | None,
    pad: bool,
    passphrase_fd: int | None,
    passphrase_file: Path | None,
) -> None:
    """Sign what is on the list with this site's key, and write it in every form.

    Without --to and --qr, the text is printed. All forms hold the same bytes.
    """
    for target in targets:
        request_forms.check(target)

    def phrase() -> str:
        return config.passphrase(passphrase_fd, passphrase_file, what="the site key")

    with _desk(home) as (requests, newest):
        if again is not None:
            sent = requests.sent(again)
        else:
            clerk = Clerk(
                home=home,
                registry=requests.registry,
                store=requests.store,
                now=requests.now,
                actor=requests.actor,
            )
            sent = requests.sign(
                newest, _key(requests, phrase), refused=clerk.refused, padded=pad
            )
    request_forms.write(sent, targets, on_terminal=qr)


def _key(requests: Requests, phrase: Callable[[], str]) -> Callable[[], SiteKey]:
    maker = Maker(
        home=requests.home,
        registry=requests.registry,
        now=requests.now,
        actor=requests.actor,
    )
    return lambda: maker.key(phrase)


@contextlib.contextmanager
def _desk(home: Path) -> Iterator[tuple[Requests, Held | None]]:
    """Give the requests of this site, and the newest catalogue it holds."""
    with contextlib.closing(Registry.open(home)) as registry:
        requests = Requests(
            home=home,
            registry=registry,
            store=BlobStore(home / "store", readonly=True),
            now=config.now(),
            actor=config.actor(),
        )
        yield requests, _newest(home)


def _newest(home: Path) -> Held | None:
    with contextlib.closing(Upstream.open(home, readonly=True)) as upstream:
        taken = upstream.taken(newest=1)
        return Held(taken[0].id, upstream.read(taken[0])) if taken else None


def _show_draft(draft: Draft, newest: Held | None) -> None:
    if draft == Draft():
        output.line("nothing is on the list: `airlift request add ITEM`")
        return
    output.line("on the list, not asked for yet:")
    known = request_draft.by_key(newest and newest.catalogue)
    for key in draft.entries:
        if newest and key in known:
            label = entry_label(newest.catalogue.entry(known[key]))
            output.line(f"  entry {known[key]}: {label}")
        else:
            output.line(f"  {naming.show(key)}: not in the newest catalogue")
    for want in draft.wants:
        output.line(f"  by name: {want_label(want)}")
    if draft.anchor:
        output.line("  a delivery that builds on nothing (an anchor)")
    output.line("next: `airlift request export`")


def _show_sent(sent: Sent) -> None:
    told = sent.request
    what = "open" if sent.is_open else "answered"
    output.line(f"request {told.number} of {told.day}: {what}")
    for place, label in enumerate(sent.labels):
        output.line(f"  {place + 1}. {label}: {_outcome(sent, place)}")
    if told.anchor:
        output.line("  an anchor was asked for")


def _outcome(sent: Sent, place: int) -> str:
    found = sent.line(place)
    if found is None:
        return "open"
    sequence, line = found
    match line.outcome:
        case Outcome.SENT:
            return f"sent with delivery {sequence}"
        case Outcome.HELD:
            return f"held already (delivery {sequence} says)"
        case Outcome.REFUSED:
            return f"refused (delivery {sequence} says): {naming.show(line.why)}"


def _as_json(sent: Sent) -> Json:
    lines: list[Json] = []
    for place, label in enumerate(sent.labels):
        found = sent.line(place)
        lines.append(
            {
                "asked": label,
                "outcome": found[1].outcome.value if found else "open",
                "delivery": found[0] if found else None,
                "release": found[1].release if found else None,
                "why": found[1].why if found else "",
            }
        )
    return {
        "number": sent.request.number,
        "day": sent.request.day,
        "id": sent.id,
        "bytes": len(sent.sealed),
        "open": sent.is_open,
        "anchor": sent.request.anchor,
        "lines": lines,
    }
