"""``--for``: a delivery that answers a request."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import click

from airlift.artifact import Json, Kind, Pinned, Release
from airlift.cli import config, output, receipt_reading
from airlift.cli.request_reading import sealed_from
from airlift.cli.wanted import Wanted
from airlift.digest import Sha256
from airlift.errors import RequestError
from airlift.format.answer import Answer
from airlift.format.request_text import state_code
from airlift.outbound import answering, bases
from airlift.outbound.answering import Terms
from airlift.outbound.asked import Asked, Desk, Find
from airlift.outbound.catalogues import Shelf
from airlift.outbound.fetching import resolve
from airlift.outbound.ledger import Ledger
from airlift.sources.source import Source
from airlift.trust.enrolled import SiteKeys
from airlift.trust.publisher import Publisher

_TARGETS = ("python", "platform", "index")
"""Options of a watched set of wheels that a package is asked for with."""


class Refusal(click.ParamType[tuple[int, str]]):
    """``LINE=WHY``: which line of a request is refused, and why."""

    name = "LINE=WHY"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, str]:
        """Return the line's number, from 1, and the reason."""
        place, equals, why = str(value).partition("=")
        if not (equals and place.isascii() and place.isdecimal()):
            self.fail(f"`{value}` is not a line's number, = and a reason")
        return int(place), why


def options(command: config.F) -> config.F:
    """Add ``--for`` and ``--refuse`` to a command."""
    carry = click.option(
        "--for",
        "request",
        type=click.Path(path_type=Path, dir_okay=False),
        help="Carry what this request of a site asks for, instead of a MANIFEST.",
    )
    refuse = click.option(
        "--refuse",
        "refusals",
        multiple=True,
        type=Refusal(),
        help="With --for: do not carry this line of it, and tell the site why; repeat.",
    )
    return carry(refuse(command))


@dataclass(frozen=True, slots=True, kw_only=True)
class Goods:
    """What is to be carried, and what is answered with it.

    Attributes:
        pinned: The artifacts.
        answer: As ``departure.Order`` has it; None where nobody asked.
        labels: What each line of the request asks for, in words.
    """

    pinned: tuple[Pinned, ...]
    answer: Callable[[Sequence[Release]], Answer] | None = None
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """A request on the command line, believed, and how it is to be answered.

    Attributes:
        home: The connected side's home.
        asked: What it says.
        refusals: Reasons of people to refuse lines, by place from 1.
    """

    home: Path
    asked: Asked
    refusals: Mapping[int, str]

    @property
    def site(self) -> str:
        """Whose it is."""
        return self.asked.request.site

    def basis(self, chosen: str, *, anchor: bool) -> tuple[str, bool]:
        """Return what to build on, and whether that makes an anchor.

        Args:
            chosen: By --build-on; where nothing was, what the site has confirmed.
            anchor: Whether one was asked for here; the request may ask too.

        Raises:
            RequestError: The site asks for an anchor, and something was chosen.
        """
        anchor = anchor or self.asked.request.anchor
        if anchor and chosen != bases.NONE:
            problem = f"site {self.site} asks for a delivery that builds on nothing"
            raise RequestError(problem, hint="leave --build-on out")
        if anchor or chosen != bases.NONE:
            return chosen, anchor
        said = Ledger(self.home / "ledger").standing(self.site)
        known = said.confirmed and said.confirmed.state.sequence and not said.doubt
        return (bases.CONFIRMED if known else bases.NONE), False

    def goods(self, sources: Callable[[Kind], Source]) -> Goods:
        """Return what is to be carried.

        Args:
            sources: The source of each kind.

        Raises:
            RequestError: A refusal is of a line that there is not, or has no reason.
            SourceBusyError: A source did not answer.
        """
        terms = Terms(
            resolve=lambda wish: resolve(wish, sources(wish.kind), pause=time.sleep),
            held=_held(self.home, self.site),
            targets=_targets(self.home),
            refusals=self.refusals,
        )
        found = answering.prepare(self.asked, terms)
        return Goods(pinned=found.pinned, answer=found.answer, labels=self.asked.labels)


def asking(
    home: Path, file: Path | None, refusals: Sequence[tuple[int, str]]
) -> Asking | None:
    """Return the request in *file*, checked and kept; None where none is given.

    Raises:
        RequestError, TrustError, FormatError: As ``read``.
    """
    if file is None:
        if refusals:
            problem = "--refuse is about a line of a request"
            raise RequestError(problem, hint="give the request with --for")
        return None
    sealed, name = sealed_from(file, None)
    asked = read(home, sealed, name=name)
    for line in heard(home, asked):
        output.note(line)
    return Asking(home=home, asked=asked, refusals=dict(refusals))


def site(found: Asking | None, named: str | None) -> str | None:
    """Return the site that is meant; None where nobody says.

    Args:
        found: The request, if there is one.
        named: The site on the command line, if there is one.

    Raises:
        RequestError: They do not agree.
    """
    if found is None:
        return named
    if named not in (None, found.site):
        problem = f"the request is of site {found.site}, not of {named}"
        raise RequestError(problem, hint="leave --site out")
    return found.site


def goods(
    found: Asking | None,
    sources: Callable[[Kind], Source],
    stated: Wanted | None,
    cleared: tuple[Pinned, ...],
) -> Goods:
    """Return what is to be carried.

    Args:
        found: The request; None where nobody asked.
        sources: The source of each kind.
        stated: What the manifest or lock says; None where there is none.
        cleared: What of it may be carried.

    Raises:
        RequestError: The lock is of another request, or of something else.
        SourceBusyError: A source did not answer.
    """
    if found is None:
        return Goods(pinned=cleared)
    asked_for = found.goods(sources)
    if stated is None:
        return asked_for
    approved = {_key(one): one for one in cleared}
    own = stated.locked and stated.manifest_sha256 == found.asked.signed.id
    if not own or [_key(one) for one in asked_for.pinned] != list(approved):
        problem = "the lock is not of what the request asks for, as it is answered now"
        hint = "make it again with the same --refuse: `airlift request lock`"
        raise RequestError(problem, hint=hint)
    return replace(asked_for, pinned=cleared)


def _key(one: Pinned) -> tuple[str, ...]:
    """Return what tells an artifact at a revision apart, with its files."""
    files = (f"{file.path} {file.size} {file.sha256}" for file in one.files)
    return (one.kind.value, one.name, one.revision, *files)


def read(home: Path, sealed: bytes, *, name: str) -> Asked:
    """Return the *sealed* request, checked and kept on the connected side in *home*.

    Raises:
        RequestError, TrustError, FormatError: As ``Desk.read``.
        StoreError: The disk refuses.
    """
    desk = Desk(
        ledger=home / "ledger",
        keys=SiteKeys(home / "ledger").everyone(),
        publisher=Publisher.open(home / "trust"),
        find=_find(home),
        now=config.now(),
        actor=config.actor(),
    )
    return desk.read(sealed, name=name)


def heard(home: Path, asked: Asked) -> tuple[str, ...]:
    """Take in what the request says of its site's state; return that in lines.

    A request says what its site holds, and so confirms or contradicts as a code does.
    Read again, it is news no more.

    Raises:
        StoreError: The disk refuses.
    """
    if asked.repeat:
        return ()
    try:
        read = receipt_reading.read_code(
            home, state_code(asked.request), asked.request.site
        )
    except RequestError as error:
        return (f"its state was not taken in: {error.problem}",)
    return tuple(receipt_reading.lines(read))


def _find(home: Path) -> Find:
    shelf = Shelf(home / "catalogues")
    return lambda prefix: shelf.find(prefix.hex()) if prefix else None


def _held(home: Path, site: str) -> Mapping[Sha256, Release]:
    """Return the releases that *site* has said it holds whole, by id."""
    confirmed = Ledger(home / "ledger").standing(site).confirmed
    if confirmed is None:
        return {}
    publisher, lost = Publisher.open(home / "trust"), set(confirmed.state.lacking)
    found = {one: publisher.release(one) for one in confirmed.state.releases}
    return {
        id_: one
        for id_, one in found.items()
        if lost.isdisjoint(file.sha256 for file in one.files)
    }


def _targets(home: Path) -> Mapping[str, Json] | None:
    """Return with what options packages are watched here; None where none are."""
    last = Shelf(home / "catalogues").last()
    for item in last.catalogue.items if last else ():
        if item.kind is Kind.WHEELS:
            return {key: item.options[key] for key in _TARGETS if key in item.options}
    return None
