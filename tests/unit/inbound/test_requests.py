"""Requests of a site: what goes out is what was put on the list, once, and followed."""

from dataclasses import replace
from pathlib import Path

import pytest

import catalogues
from airlift.artifact import Kind
from airlift.digest import sha256
from airlift.errors import FormatError, RequestError
from airlift.format import catalogue, request, state
from airlift.format.answer import Answer, AnswerLine, Outcome
from airlift.format.catalogue import Catalogue
from airlift.format.receipt import Reason, Refusal
from airlift.format.request import Want
from airlift.inbound import request_draft
from airlift.inbound.request_draft import Draft
from airlift.inbound.requests import Held, Requests
from airlift.registry.account import account
from airlift.trust import keys, site_request
from airlift.trust.site_key import SiteKey
from authority import NOW, SITE
from sites import Site, document

CATALOGUE = catalogues.of(
    catalogues.item("c/model", kind=Kind.GGUF, options={"quant": "Q4_K_M"}),
    catalogues.item("c/model", kind=Kind.GGUF, options={"quant": "Q8_0"}),
    catalogues.item("a/model"),
    catalogues.item("b/model"),
    packages=(catalogues.package("demo"),),
)
ID = sha256(catalogue.encode(CATALOGUE))
NEWEST = Held(ID, CATALOGUE)
_MADE = keys.generate(SITE)
KEY = SiteKey(public=_MADE.public, _key=_MADE)
BY_NAME = Want(kind=Kind.DATASET, name="d/set", revision="v1")


@pytest.fixture(name="site")
def _site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def requests(site: Site) -> Requests:
    """Return the requests of *site*."""
    return Requests(
        home=site.home, registry=site.registry, store=site.store, now=NOW, actor="eva"
    )


def listed(*references: str, newest: Catalogue | None = CATALOGUE) -> Draft:
    """Return a draft of what *references* mean."""
    draft = Draft()
    for one in references:
        key = request_draft.find(one, newest)
        assert key, one
        draft = draft.adding(key)
    return draft


def test_what_is_on_the_list_goes_out_signed(site: Site) -> None:
    """With what the site holds, and what it refused."""
    site.model("a/model", b"weights")
    draft = listed("b/model", "4", "1").wanting(BY_NAME)
    request_draft.write(site.home, replace(draft, anchor=True))
    refused = [Refusal(sequence=7, reason=Reason.BASE)] * 2
    sent = requests(site).sign(NEWEST, lambda: KEY, refused=lambda _: refused)
    held = account(site.home, site.store).state
    told = sent.request
    assert told == request.Request(
        site=SITE,
        number=1,
        day=NOW[:10],
        accepted=1,
        root=bytes.fromhex(state.root(held))[:8],
        catalogue=bytes.fromhex(ID)[:8],
        items=(1, 3, 4),
        wants=(BY_NAME,),
        refused=tuple(refused[:1]),
        anchor=True,
    )
    assert site_request.believe(sent.sealed, {SITE: KEY.public}).request == told
    assert sent.labels == (
        f"gguf c/model Q8_0 at {CATALOGUE.items[1].revision[:12]}",
        f"model b/model at {CATALOGUE.items[3].revision[:12]}",
        "package demo 1.1",
        "dataset d/set at v1",
    )
    assert request_draft.read(site.home) == Draft()
    assert requests(site).all() == (sent,)


def test_the_order_on_the_list_leaves_no_trace(site: Site) -> None:
    """It would be a way to tell somebody outside what nobody released."""
    sealed = set()
    for order in (("2", "3", "4"), ("demo", "b/model", "model:a/model")):
        request_draft.write(site.home, listed(*order))
        told = requests(site).sign(NEWEST, lambda: KEY).request
        sealed.add(request.encode(replace(told, number=1)))
    assert len(sealed) == 1


def test_numbers_rise_also_when_files_are_lost(site: Site) -> None:
    """Two requests of one number are refused on the other side, and rightly."""
    for number in (1, 2, 3):
        request_draft.write(site.home, listed("0"))
        sent = requests(site).sign(NEWEST, lambda: KEY)
        assert sent.request.number == number
        for path in (site.home / "requests").glob("0*.json"):
            path.unlink()
        site.reopen()


def test_nothing_is_not_asked_for(site: Site) -> None:
    """An empty request is a courier's way for nothing."""
    with pytest.raises(RequestError) as caught:
        requests(site).sign(NEWEST, lambda: KEY)
    assert str(caught.value) == "nothing is asked for"


def test_an_entry_means_the_same_in_the_next_catalogue(site: Site) -> None:
    """Numbers shift when something is watched anew; what was chosen does not."""
    request_draft.write(site.home, listed("b/model"))
    wider = catalogues.of(catalogues.item("aa/model"), *CATALOGUE.items)
    wider = replace(wider, items=tuple(sorted(wider.items, key=lambda one: one.order)))
    sent = requests(site).sign(Held(ID, wider), lambda: KEY)
    assert wider.entry(sent.request.items[0]).name == "b/model"
    request_draft.write(site.home, listed("b/model"))
    narrower = catalogues.of(CATALOGUE.items[0])
    with pytest.raises(RequestError, match="the newest catalogue has no entry for"):
        requests(site).sign(Held(ID, narrower), lambda: KEY)
    assert request_draft.read(site.home) == listed("b/model")


def test_a_reference_means_one_entry_or_is_refused() -> None:
    """Which of two quantisations was meant, nobody should guess."""
    with pytest.raises(RequestError) as caught:
        request_draft.find("c/model", CATALOGUE)
    revision = CATALOGUE.items[0].revision[:12]
    assert str(caught.value) == (
        "`c/model` means several entries: "
        f"0 (gguf c/model Q4_K_M at {revision}), 1 (gguf c/model Q8_0 at {revision})"
    )
    assert request_draft.find("package:demo", CATALOGUE)
    assert request_draft.find("dataset:a/model", CATALOGUE) is None
    assert request_draft.find("a/model", None) is None
    with pytest.raises(RequestError, match="the catalogue has no entry 5"):
        request_draft.find("5", CATALOGUE)


@pytest.mark.parametrize(
    "reference",
    ["d/set", "nosuch:d/set", "folder:x", "model:../x", "model:a b", "model:a@b c"],
)
def test_a_name_that_cannot_be_asked_for_is_refused_at_once(reference: str) -> None:
    """Not when the courier stands at the door."""
    with pytest.raises(RequestError):
        request_draft.want_of(reference)


def test_a_want_is_read_as_it_is_written() -> None:
    """With a revision or without."""
    assert request_draft.want_of("dataset:d/set@v1") == BY_NAME
    assert request_draft.want_of("ollama:qwen3:8b") == Want(
        kind=Kind.OLLAMA, name="qwen3:8b"
    )


def test_a_draft_survives_its_file(site: Site) -> None:
    """And damage to it is not taken for an empty list."""
    draft = replace(listed("0", "4").wanting(BY_NAME), anchor=True)
    request_draft.write(site.home, draft)
    assert request_draft.read(site.home) == draft
    assert draft.without(draft.entries[0]).not_wanting(BY_NAME) == replace(
        draft, entries=draft.entries[1:], wants=()
    )
    (site.home / "requests" / "draft.json").write_text("{}")
    with pytest.raises(FormatError):
        request_draft.read(site.home)


def test_a_request_is_open_until_a_delivery_answers_it(site: Site) -> None:
    """The answer is signed with the delivery, and shown beside what was asked."""
    request_draft.write(site.home, listed("0", "1", "4"))
    sent = requests(site).sign(NEWEST, lambda: KEY)
    assert sent.is_open
    assert requests(site).sent(1).line(0) is None
    site.side.answer = Answer(
        number=1,
        id=sent.id,
        lines=(
            AnswerLine(outcome=Outcome.SENT, release=sha256(b"1")),
            AnswerLine(outcome=Outcome.REFUSED, why="policy P-7"),
            AnswerLine(outcome=Outcome.HELD, release=sha256(b"2")),
        ),
    )
    site.hold(b"w")
    site.bring(document("a/model", {"w": b"w"}))
    found = requests(site).sent(1)
    assert not found.is_open
    lines = [found.line(place) for place in range(3)]
    assert [(one[0], one[1].outcome, one[1].why) for one in lines if one] == [
        (1, Outcome.SENT, ""),
        (1, Outcome.REFUSED, "policy P-7"),
        (1, Outcome.HELD, ""),
    ]


def test_what_was_sent_once_is_not_refused_later(site: Site) -> None:
    """A request built twice is answered twice, and the second time it may be held."""
    request_draft.write(site.home, listed("0"))
    sent = requests(site).sign(NEWEST, lambda: KEY)
    site.hold(b"w", b"v")
    refused = AnswerLine(outcome=Outcome.REFUSED, why="not yet")
    brought = AnswerLine(outcome=Outcome.SENT, release=sha256(b"1"))
    for counter, line in enumerate((refused, brought, refused), 1):
        site.side.answer = Answer(number=1, id=sent.id, lines=(line,))
        data = b"v" if counter == 2 else b"w"
        site.bring(document("a/model", {"w": data}, counter=counter))
    assert requests(site).sent(1).line(0) == (2, brought)


def test_an_answer_to_another_request_is_none_to_this(site: Site) -> None:
    """Of the same number, from before the host was lost."""
    request_draft.write(site.home, listed("0"))
    requests(site).sign(NEWEST, lambda: KEY)
    site.side.answer = Answer(
        number=1,
        id=sha256(b"other"),
        lines=(AnswerLine(outcome=Outcome.REFUSED, why="no"),),
    )
    site.hold(b"w")
    site.bring(document("a/model", {"w": b"w"}))
    assert requests(site).sent(1).is_open


def test_a_request_that_there_is_not_is_named(site: Site) -> None:
    """Instead of an empty answer."""
    with pytest.raises(RequestError) as caught:
        requests(site).sent(4)
    assert str(caught.value) == "there is no request 4 here"
