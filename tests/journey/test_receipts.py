"""Deliveries over weeks: lost ones are told by what comes back, or healed without."""

import shutil
from pathlib import Path

import pytest

from airlift.digest import sha256
from airlift.errors import BaseMissingError, RequestError, TrustError
from airlift.format.receipt import Gap, Reason, Refusal
from airlift.inbound.receipts import Clerk
from airlift.outbound import phases
from airlift.outbound.phases import Phase
from airlift.outbound.standing import Means, Outcome
from airlift.registry.registry import Registry
from airlift.store.blobs import BlobStore
from answering import SITE, Answering, carried
from crossing import NOW

WEEKS = range(1, 6)


@pytest.fixture(name="gap")
def _gap(tmp_path: Path) -> Answering:
    return Answering(tmp_path)


def data(gap: Answering, name: str) -> str:
    """Return the digest of what an artifact is now, as it travels."""
    return sha256(gap.files(name)["data.bin"])


def stands(gap: Answering) -> list[str]:
    """Return where each delivery stands, oldest first."""
    entries = gap.connected.dock.ledger.entries(SITE)
    return [one.value for one in phases.phases(entries, gap.standing).values()]


def brought(gap: Answering) -> list[int]:
    """Return the deliveries that brought the releases which are held."""
    return sorted(one.sequence for one in gap.isolated.registry.releases())


@pytest.mark.parametrize("lost", [None, *WEEKS])
@pytest.mark.parametrize("means", Means)
def test_with_an_answer_the_next_delivery_carries_what_was_lost_and_no_more(
    gap: Answering, lost: int | None, means: Means
) -> None:
    """Drop any one of five: the sixth brings it, and both sides say the same code."""
    gap.take(gap.send())
    missing: set[str] = set()
    for week in WEEKS:
        code = gap.clerk().account().state
        told = gap.answer()
        assert told.receipt.state == code
        if means is Means.RECEIPT:
            gap.read(told.path.read_bytes())
        else:
            gap.hear(told.code)
        name = "abc"[week % 3]
        gap.change(name)
        sent = gap.send("confirmed")
        missing = (missing - {one for one in missing if name in one}) | {name}
        assert carried(sent) == {data(gap, one) for one in missing}
        if week != lost:
            gap.take(sent)
            missing = set()
            assert gap.answer().code == sent.code
    if lost != WEEKS[-1]:
        assert gap.held() == gap.current()


@pytest.mark.parametrize("lost", WEEKS)
def test_without_an_answer_a_delivery_on_the_anchor_heals_the_one_before(
    gap: Answering, lost: int
) -> None:
    """Nothing comes back, ever; whatever was lost, the next one taken makes it good."""
    gap.take(gap.send(anchor=True))
    for week in WEEKS:
        gap.change("abc"[week % 3])
        sent = gap.send("anchor")
        assert {one.sequence for one in sent.record.needs} == {1}
        if week != lost:
            gap.take(sent)
            assert gap.answer().code == sent.code
            assert gap.held() == gap.current()
            gap.collect()
    assert gap.standing.confirmed is None


def test_what_the_newest_delivery_was_built_on_is_never_collected(
    gap: Answering,
) -> None:
    """Retired long ago, the anchor stays: without it the next delivery is refused."""
    gap.take(gap.send(anchor=True))
    for _ in range(3):
        gap.change("a", "b", "c")
        gap.take(gap.send("anchor"))
        gap.retire()
    assert brought(gap) == [1, 1, 1, 4, 4, 4]
    gap.change("a")
    gap.take(gap.send(anchor=True))
    gap.change("b")
    gap.take(gap.send("anchor"))
    gap.retire()
    assert brought(gap) == [4, 4, 5, 6]
    assert gap.held() == gap.current()


def test_a_confirmed_state_newer_than_the_anchor_takes_its_place(
    gap: Answering,
) -> None:
    """What a site said is as good as an anchor, and certain."""
    gap.take(gap.send(anchor=True))
    gap.change("a")
    gap.take(gap.send("anchor"))
    gap.read(gap.answer().path.read_bytes())
    gap.change("b")
    sent = gap.send("anchor")
    assert carried(sent) == {data(gap, "b")}
    gap.take(sent)


def test_a_receipt_says_what_was_missed_and_refused(gap: Answering) -> None:
    """The sender learns all of it from one file."""
    gap.take(gap.send(anchor=True))
    gap.change("a")
    lost = gap.send("last")
    gap.change("b")
    refused = gap.send("last")
    with pytest.raises(BaseMissingError):
        gap.take(refused)
    gap.change("c")
    sent = gap.send("anchor")
    gap.take(sent)
    with pytest.raises(TrustError):
        gap.take(lost)
    told = gap.answer().receipt
    assert told.missed == (Gap(first=2, last=3),)
    assert told.refused == (
        Refusal(sequence=3, reason=Reason.BASE),
        Refusal(sequence=2, reason=Reason.TRUST),
    )
    found = gap.read(gap.answer().path.read_bytes())
    assert (found.outcome, found.lost) == (Outcome.CONFIRMED, (2, 3))
    assert stands(gap) == ["confirmed", "contradicted", "contradicted", "confirmed"]
    assert found.code == found.expected == sent.code


def test_a_site_that_lacks_something_contradicts_and_says_what(gap: Answering) -> None:
    """By artifact: what it holds, and what was sent."""
    gap.take(gap.send())
    first = gap.wanted()[0].revision[:12]
    gap.change("a", "b")
    gap.send_only("a")
    gap.take(gap.send_only("b"))
    second = gap.wanted()[0].revision[:12]
    found = gap.read(gap.answer().path.read_bytes())
    assert (found.outcome, found.lost) == (Outcome.CONTRADICTED, (2,))
    assert [str(one) for one in found.differences] == [
        f"folder x/a: it holds release 1 ({first}), expected release 2 ({second})"
    ]
    assert found.advice.startswith("`airlift export MANIFEST --build-on confirmed`")


def test_a_receipt_counts_once_and_in_order(gap: Answering) -> None:
    """An old one, found in a drawer, must not take the sender back."""
    gap.take(gap.send())
    first = gap.answer().path.read_bytes()
    assert gap.read(first).repeat is False
    assert gap.read(first).repeat is True
    gap.change("a")
    gap.take(gap.send("confirmed"))
    second = gap.answer()
    gap.read(second.path.read_bytes())
    before = gap.standing
    with pytest.raises(RequestError) as caught:
        gap.read(first)
    assert caught.value.problem == (
        "receipt 1 of plant7 is older than receipt 2, which was read before"
    )
    assert gap.standing == before
    assert gap.answer() == gap.clerk("2030-01-01T00:00:00Z").write(lambda: gap.key)
    assert gap.answer().fresh is False


def test_a_copy_of_the_site_that_goes_its_own_way_is_found_out(gap: Answering) -> None:
    """Put back from a backup, it writes a second receipt of the same number."""
    gap.take(gap.send())
    gap.read(gap.answer().path.read_bytes())
    copy = Path(shutil.copytree(gap.isolated.home, gap.folder / "copy"))
    gap.change("a")
    gap.take(gap.send("confirmed"))
    gap.read(gap.answer().path.read_bytes())
    store = BlobStore(copy / "store")
    store.remove([sha256(gap.files("b")["data.bin"])])
    clerk = Clerk(
        home=copy, registry=Registry.open(copy), store=store, now=NOW, actor="bob"
    )
    with pytest.raises(TrustError) as caught:
        gap.read(clerk.write(lambda: gap.key).path.read_bytes())
    assert caught.value.problem == "there are two receipts 2 of plant7"


def test_a_site_that_began_anew_is_believed_by_its_new_key(gap: Answering) -> None:
    """Its store is empty, its receipts begin at 1; what it said before is void."""
    gap.take(gap.send())
    gap.read(gap.answer().path.read_bytes())
    gap.key = gap.maker().make(replace=True)
    gap.keys = {SITE: gap.key.public}
    shutil.rmtree(gap.isolated.home / "receipts")
    found = gap.read(gap.answer().path.read_bytes())
    assert (found.outcome, found.repeat) == (Outcome.CONFIRMED, False)
    assert gap.standing.receipt
    assert gap.standing.receipt.key_id == gap.key.public.key_id


def test_what_was_never_sent_cannot_have_been_taken(gap: Answering) -> None:
    """A ledger put back from a copy is found out by the first receipt."""
    gap.take(gap.send())
    gap.change("a")
    gap.take(gap.send("last"))
    told = gap.answer().path.read_bytes()
    (gap.connected.home / "ledger" / SITE / "000002.json").unlink()
    with pytest.raises(TrustError) as caught:
        gap.read(told)
    assert caught.value.problem == (
        "plant7 says it took delivery 2, which was never made here"
    )


def test_a_lost_blob_is_told_and_travels_again(gap: Answering) -> None:
    """The store lost it; the sender must not count on it."""
    gap.take(gap.send())
    whole = gap.answer().code
    lost = sha256(gap.files("b")["data.bin"])
    gap.isolated.store.remove([lost])
    told = gap.answer()
    assert told.receipt.state.lacking == (lost,)
    assert told.code != whole
    found = gap.read(told.path.read_bytes())
    assert found.outcome is Outcome.CONTRADICTED
    gap.change("c")
    sent = gap.send("confirmed")
    assert carried(sent) == {lost, data(gap, "c")}
    gap.take(sent)
    assert gap.answer().code == sent.code
    assert gap.held() == gap.current()


# --- codes ----------------------------------------------------------------------------


def test_a_code_tells_which_deliveries_were_lost(gap: Answering) -> None:
    """Nothing but twelve characters came back, and the sender knows what is missing."""
    gap.take(gap.send())
    for name in "abc":
        gap.change(name)
        gap.send_only(name)
    gap.take(gap.send_only("c"))
    found = gap.hear(gap.answer().code)
    assert found.outcome is Outcome.CONTRADICTED
    assert found.lost == (2, 3)
    assert [one.name for one in found.differences] == ["x/a", "x/b"]
    assert stands(gap) == [
        *("confirmed", "contradicted", "contradicted", "moot", "confirmed")
    ]
    assert carried(gap.send("confirmed")) == {data(gap, "a"), data(gap, "b")}


def test_a_slip_of_the_tongue_condemns_nobody(gap: Answering) -> None:
    """It is said to be one, with the code that was meant, and nothing changes."""
    gap.take(gap.send())
    code = gap.answer().code
    heard = ("0" if code[0] != "0" else "1") + code[1:]
    with pytest.raises(RequestError) as caught:
        gap.hear(heard)
    assert caught.value.problem == (
        f"{heard} is a character or two away from {code}, the code after delivery 1"
    )
    assert gap.standing.readings == ()


def test_a_code_of_yesterday_is_refused(gap: Answering) -> None:
    """Read from an old slip; or the site was put back, and that is to be found out."""
    gap.take(gap.send())
    old = gap.answer().code
    assert gap.hear(old).repeat is False
    assert gap.hear(old).repeat is True
    gap.change("a")
    gap.take(gap.send("confirmed"))
    gap.hear(gap.answer().code)
    with pytest.raises(RequestError) as caught:
        gap.hear(old)
    assert caught.value.problem == (
        f"{old} was the code of plant7 before delivery 2, which it said it took"
    )


def test_a_code_that_nothing_explains_asks_for_more(gap: Answering) -> None:
    """What was removed and collected there is not known here: nothing is built on it."""
    gap.take(gap.send(anchor=True))
    gap.hear(gap.answer().code)
    registry = gap.isolated.registry
    gone = [one.id for one in registry.releases() if one.release.name != "x/a"]
    registry.deactivate(gone, now=NOW, actor="bob")
    for _ in range(2):
        gap.change("a")
        gap.take(gap.send_only("a"))
    gap.collect()
    code = gap.answer().code
    found = gap.hear(code)
    assert found.outcome is Outcome.UNEXPLAINED
    assert found.advice == (
        "ask for its receipt (`airlift receipt export`), or send an anchor:"
        " `airlift export MANIFEST --anchor --to FOLDER`"
    )
    with pytest.raises(RequestError) as caught:
        gap.send("confirmed")
    assert caught.value.problem == (
        f"what plant7 holds is in doubt since 2027-01-01T00:00:00Z: it said {code},"
        " which nothing explains"
    )
    found = gap.read(gap.answer().path.read_bytes())
    assert found.outcome is Outcome.CONTRADICTED
    assert [one.name for one in found.differences] == ["x/b", "x/c"]
    sent = gap.send("confirmed")
    gap.take(sent)
    assert gap.answer().code == sent.code
    assert gap.held() == gap.current()


def test_nothing_is_confirmed_by_time(gap: Answering) -> None:
    """Handed over, presumed; confirmed only when the site says so."""
    with pytest.raises(RequestError) as caught:
        gap.send("confirmed")
    assert caught.value.problem == "plant7 has confirmed nothing yet"
    with pytest.raises(RequestError) as caught:
        gap.send("anchor")
    assert caught.value.problem == "no anchor was ever written for plant7"
    gap.send()
    assert stands(gap) == [Phase.BUILT.value]
