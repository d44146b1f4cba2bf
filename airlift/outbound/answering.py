"""From a request to what a delivery carries, and to the answer it carries.

Each line is pinned at just the revision that the catalogue states: what a person released
and read is what is built. What cannot be had is refused, with the reason, and the rest
is sent.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from airlift import naming
from airlift.artifact import Json, Kind, Pinned, Release, Wish
from airlift.digest import Sha256
from airlift.errors import RequestError, SourceBusyError, SourceError
from airlift.format import release
from airlift.format.answer import WHY, Answer, AnswerLine, Outcome, why_problem
from airlift.format.catalogue_entries import Item, Package
from airlift.format.request import Want
from airlift.outbound.asked import Asked

Resolve = Callable[[Wish], Pinned]
"""Asks the source of a wish's kind; SourceError where it does not have it."""

_BY_COMMIT = (Kind.MODEL, Kind.DATASET, Kind.GGUF)
"""Kinds whose sources can be asked for an exact revision."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a request is answered by.

    Attributes:
        resolve: Pins a wish.
        held: Releases that the site has said it holds, by id.
        targets: Options (``python``, ``platform``, ``index``) with which packages are
            watched; None where none are.
        refusals: Reasons of people to refuse lines, by place from 1.
    """

    resolve: Resolve
    held: Mapping[Sha256, Release]
    targets: Mapping[str, Json] | None
    refusals: Mapping[int, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answering:
    """What will be carried, and how each line will be answered.

    Attributes:
        asked: The request.
        pinned: What will be carried, in the order of the lines.
        lines: For each line the answer, where it is known by now; else which of
            *pinned* is its answer.
    """

    asked: Asked
    pinned: tuple[Pinned, ...]
    lines: tuple[AnswerLine | int, ...]

    def answer(self, releases: Sequence[Release]) -> Answer:
        """Return the answer, now that *pinned* have become *releases*."""
        return Answer(
            number=self.asked.request.number,
            id=self.asked.signed.id,
            lines=tuple(
                _sent(releases[one]) if isinstance(one, int) else one
                for one in self.lines
            ),
        )


def prepare(asked: Asked, terms: Terms) -> Answering:
    """Return what of *asked* can be carried, and why the rest cannot.

    Raises:
        RequestError: A refusal is of a line that there is not, or its reason is none.
        SourceBusyError: A source did not answer: that is no reason to refuse.
    """
    _check_refusals(terms.refusals, len(asked.things))
    pinned: list[Pinned] = []
    lines: list[AnswerLine | int] = []
    for place, thing in enumerate(asked.things, 1):
        found = _line(thing, terms, terms.refusals.get(place, ""))
        if isinstance(found, AnswerLine):
            lines.append(found)
            continue
        # Two lines may mean one artifact: an entry, and the same by name.
        if found not in pinned:
            pinned.append(found)
        lines.append(pinned.index(found))
    return Answering(asked=asked, pinned=tuple(pinned), lines=tuple(lines))


def _line(
    thing: Item | Package | Want, terms: Terms, refusal: str
) -> Pinned | AnswerLine:
    if refusal:
        return _refused(refusal)
    try:
        pinned = _pin(thing, terms)
    except SourceBusyError:
        raise
    except (SourceError, RequestError) as error:
        return _refused(error.problem)
    for id_, held in terms.held.items():
        if _is_same(pinned, held):
            return AnswerLine(outcome=Outcome.HELD, release=id_)
    return pinned


def _pin(thing: Item | Package | Want, terms: Terms) -> Pinned:
    """Return *thing*, pinned.

    Raises:
        SourceError: Upstream does not have it, or not as the catalogue states it.
        RequestError: It cannot be asked for.
    """
    if isinstance(thing, Item):
        return _pin_item(thing, terms.resolve)
    if isinstance(thing, Package):
        return terms.resolve(_wheels(thing.name, thing.newest, terms.targets))
    if thing.kind is Kind.WHEELS:
        return terms.resolve(_wheels(thing.name, thing.revision, terms.targets))
    return terms.resolve(_by_name(thing))


def _pin_item(item: Item, resolve: Resolve) -> Pinned:
    if not item.revision:
        problem = f"no revision of it is known: {item.reason or item.problem}"
        raise SourceError(problem)
    wish = item.wish
    if item.kind in _BY_COMMIT:
        wish = replace(wish, options={**wish.options, "revision": item.revision})
    pinned = resolve(wish)
    if pinned.revision != item.revision:
        problem = (
            f"it moved on: upstream has {pinned.revision[:12]},"
            f" the catalogue {item.revision[:12]}"
        )
        raise SourceError(problem)
    # Clients ask for the branch, not for the commit that stood in for it here.
    return replace(pinned, refs=pinned.refs or item.refs)


def _wheels(name: str, version: str, targets: Mapping[str, Json] | None) -> Wish:
    if targets is None:
        problem = "no manifest says for which Python and platform packages are wanted"
        raise RequestError(problem)
    requirement = f"{name}=={version}" if version else name
    return Wish(
        kind=Kind.WHEELS,
        name=name,
        options={**targets, "requirements": (requirement,)},
    )


def _by_name(want: Want) -> Wish:
    name, revision = want.name, want.revision
    if want.kind in (Kind.OLLAMA, Kind.OCI):
        tagged = f"{name}:{revision}" if revision else name
        return Wish(kind=want.kind, name=tagged, options={})
    options: dict[str, Json] = {"revision": revision or "main"}
    if want.kind is Kind.GGUF:
        name, colon, quant = name.partition(":")
        if not colon:
            problem = "of a GGUF repository one quantisation is to be named: NAME:QUANT"
            raise RequestError(problem)
        options["quant"] = quant
    return Wish(kind=want.kind, name=name, options=options)


def _is_same(pinned: Pinned, held: Release) -> bool:
    own = (pinned.kind, pinned.name, pinned.revision)
    if own != (held.kind, held.name, held.revision):
        return False
    return [file.path for file in pinned.files] == [file.path for file in held.files]


def _sent(one: Release) -> AnswerLine:
    id_ = release.identify(release.encode(one))
    return AnswerLine(outcome=Outcome.SENT, release=id_)


def _refused(why: str) -> AnswerLine:
    shown = naming.show(why).strip()
    return AnswerLine(outcome=Outcome.REFUSED, why=shown[:WHY].strip())


def _check_refusals(refusals: Mapping[int, str], count: int) -> None:
    for place, why in refusals.items():
        if not 1 <= place <= count:
            problem = f"the request has no line {place}, it has {count}"
            raise RequestError(problem, hint="`airlift request read` numbers them")
        if problem := why_problem(why):
            text = f"the reason to refuse line {place} {problem}"
            raise RequestError(text, hint="say it in a few words")
