"""Answers: what was asked for is pinned exactly, and what is not sent has a reason."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

import catalogues
from airlift.artifact import Json, Kind, Pinned, PinnedFile, Release, ReleaseFile, Wish
from airlift.digest import Sha256, sha256
from airlift.errors import RequestError, SourceBusyError, SourceError
from airlift.format import release
from airlift.format.answer import AnswerLine, Outcome
from airlift.format.catalogue_entries import Item, Package, Standing
from airlift.format.request import Request, Want
from airlift.outbound import answering
from airlift.outbound.answering import Answering, Terms
from airlift.outbound.asked import Asked
from airlift.trust import keys
from airlift.trust.site_request import SignedRequest
from authority import SITE

KEY = keys.generate(SITE).public
A, B = catalogues.item("a/model"), catalogues.item("b/model")
TARGETS: Mapping[str, Json] = {"python": ("3.12",), "platform": ("x86_64-linux",)}
HUB = {"a/model": A.revision, "b/model": B.revision}


def pinned(wish: Wish) -> Pinned:
    """Return what a hub with A and B gives, and an index with any package."""
    if wish.kind is Kind.WHEELS:
        digest = sha256(repr(wish.options["requirements"]).encode())
        file = PinnedFile(path=f"{wish.name}.whl", size=1)
        return Pinned(kind=wish.kind, name=wish.name, revision=digest, files=(file,))
    if wish.name not in HUB:
        problem = f"`{wish.name}` is not there"
        raise SourceError(problem)
    asked = wish.options.get("revision")
    revision = HUB[wish.name] if asked == "main" else str(asked)
    return Pinned(
        kind=wish.kind,
        name=wish.name,
        revision=revision,
        files=(PinnedFile(path="config.json", size=1),),
    )


def asking(*things: Item | Package | Want) -> Asked:
    """Return a checked request for *things*."""
    told = Request(site=SITE, number=3, day="2026-03-01", accepted=0, root=b"rootroot")
    signed = SignedRequest(request=told, id=sha256(b"sealed"), key=KEY, size=137)
    return Asked(signed=signed, things=things, repeat=False)


def prepared(
    *things: Item | Package | Want,
    held: Mapping[Sha256, Release] | None = None,
    targets: Mapping[str, Json] | None = TARGETS,
    refusals: Mapping[int, str] | None = None,
) -> Answering:
    """Return how *things* are answered."""
    terms = Terms(
        resolve=pinned, held=held or {}, targets=targets, refusals=refusals or {}
    )
    return answering.prepare(asking(*things), terms)


def made(one: Pinned) -> Release:
    """Return the release that *one* becomes."""
    files = tuple(
        ReleaseFile(path=file.path, size=1, sha256=sha256(b"x")) for file in one.files
    )
    return Release(
        kind=one.kind, name=one.name, revision=one.revision, counter=1, files=files
    )


def why(done: Answering, place: int = 0) -> str:
    """Return why a line is refused."""
    line = done.lines[place]
    assert isinstance(line, AnswerLine)
    assert line.outcome is Outcome.REFUSED
    return line.why


def test_what_was_asked_is_pinned_and_answered() -> None:
    """In the request's order, each with the release it became."""
    want = Want(kind=Kind.MODEL, name="b/model")
    done = prepared(A, catalogues.package("demo"), want)
    assert [one.name for one in done.pinned] == ["a/model", "demo", "b/model"]
    releases = [made(one) for one in done.pinned]
    answer = done.answer(releases)
    assert (answer.number, answer.id) == (3, sha256(b"sealed"))
    assert answer.lines == tuple(
        AnswerLine(outcome=Outcome.SENT, release=release.identify(release.encode(one)))
        for one in releases
    )
    assert answer.summary() == "asked 3, sent 3"


def test_an_entry_is_carried_at_the_revision_of_its_catalogue() -> None:
    """Upstream may have moved on since; what was released and read is what is built."""
    done = prepared(replace(A, revision="1" * 40))
    assert done.pinned[0].revision == "1" * 40
    assert done.pinned[0].refs == ("main",)


def test_what_moved_on_is_refused_where_only_the_newest_can_be_had() -> None:
    """A registry gives what its tag names now, which nobody asked for."""
    tag = replace(A, kind=Kind.OLLAMA, options={}, revision="2" * 64)

    def resolve(wish: Wish) -> Pinned:
        return Pinned(kind=wish.kind, name=wish.name, revision="3" * 64, files=())

    terms = Terms(resolve=resolve, held={}, targets=None, refusals={})
    assert why(answering.prepare(asking(tag), terms)) == (
        "it moved on: upstream has 333333333333, the catalogue 222222222222"
    )


def test_the_rest_is_sent_and_the_reason_told() -> None:
    """One line that cannot be had must not cost the other nine."""
    gone = replace(
        A, revision="", standing=Standing.GONE, reason="upstream has it no longer"
    )
    lost = Want(kind=Kind.MODEL, name="c/model")
    quant = Want(kind=Kind.GGUF, name="a/model")
    done = prepared(gone, B, lost, quant)
    assert [one.name for one in done.pinned] == ["b/model"]
    assert why(done, 0) == "no revision of it is known: upstream has it no longer"
    assert why(done, 2) == "`c/model` is not there"
    assert why(done, 3).startswith("of a GGUF repository one quantisation is to be")
    answer = done.answer([made(done.pinned[0])])
    assert answer.summary() == "asked 4, sent 1, refused 3"


def test_a_source_that_does_not_answer_is_no_reason_to_refuse() -> None:
    """The site would be told no where "later" is meant."""

    def busy(_: Wish) -> Pinned:
        problem = "the hub does not answer"
        raise SourceBusyError(problem)

    terms = Terms(resolve=busy, held={}, targets=None, refusals={})
    with pytest.raises(SourceBusyError):
        answering.prepare(asking(A), terms)


def test_what_the_site_holds_does_not_travel() -> None:
    """By its own word, at that very revision and with those very files."""
    id_ = sha256(b"held")
    held = made(pinned(Wish(kind=Kind.MODEL, name="a/model", options=A.wish.options)))
    done = prepared(A, B, held={id_: held})
    assert done.lines[0] == AnswerLine(outcome=Outcome.HELD, release=id_)
    assert [one.name for one in done.pinned] == ["b/model"]
    older = replace(held, revision="0" * 40)
    assert len(prepared(A, B, held={id_: older}).pinned) == 2
    other = replace(held, files=())
    assert len(prepared(A, B, held={id_: other}).pinned) == 2


def test_people_may_refuse_a_line() -> None:
    """With their reason, which the site is told."""
    done = prepared(A, B, refusals={2: "policy P-7"})
    assert why(done, 1) == "policy P-7"
    assert [one.name for one in done.pinned] == ["a/model"]
    with pytest.raises(RequestError) as caught:
        prepared(A, refusals={2: "x"})
    assert str(caught.value) == "the request has no line 2, it has 1"
    for reason in ("", " x", "a\nb", "x" * 201):
        with pytest.raises(RequestError, match="the reason to refuse line 1"):
            prepared(A, refusals={1: reason})


def test_one_artifact_asked_for_twice_travels_once() -> None:
    """As an entry, and again by name."""
    want = Want(kind=Kind.MODEL, name="a/model", revision=A.revision)
    done = prepared(replace(A, refs=()), want)
    assert len(done.pinned) == 1
    answer = done.answer([made(done.pinned[0])])
    assert answer.lines[0] == answer.lines[1]


def test_packages_need_to_be_watched_for_some_python() -> None:
    """Nobody can guess which wheels fit the machines of a site."""
    done = prepared(catalogues.package("demo"), targets=None)
    assert why(done).startswith("no manifest says for which Python and platform")
    newest = Want(kind=Kind.WHEELS, name="demo")
    wanted = prepared(newest, replace(newest, revision="1.0")).pinned
    assert [one.revision for one in wanted] == [
        sha256(repr((text,)).encode()) for text in ("demo", "demo==1.0")
    ]
