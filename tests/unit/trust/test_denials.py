"""The deny list: what it says, that it only grows, and whose keys it keeps out."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from airlift.digest import Sha256, sha256
from airlift.errors import AirliftError, FormatError, RequestError, TrustError
from airlift.format import canonical
from airlift.trust import ceremony, denials, draft, records, revocation, strict
from airlift.trust.denials import NOTHING, Denial, DenyList, What
from airlift.trust.metadata import VersionedTarget
from airlift.trust.metadata_set import MetadataSet
from airlift.trust.quorum import quorum
from airlift.trust.repository import Repository
from authority import NOW, SITE, Authority, key, land, model, release_id, resign

NAME = "records/deny/1.json"
WHY = "found to phone home"
MODEL = model()
CONFIG = sha256(b"x")
"""The only file of it."""


def entry(
    what: What = What.RELEASE,
    digest: Sha256 | None = None,
    *,
    since: str = NOW,
    why: str = WHY,
) -> Denial:
    """Return an entry; by default of the release ``MODEL``."""
    return Denial(what=what, digest=digest or release_id(MODEL), since=since, why=why)


def listing(*entries: Denial, version: int = 1) -> DenyList:
    """Return a list of *entries*."""
    return DenyList(version=version, issued=NOW, entries=tuple(sorted(entries)))


@pytest.fixture(name="side")
def _side(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "side", sites=(SITE, "plant8"))


def deny(side: Authority, *entries: Denial) -> bytes:
    """Deny *entries*, by default ``MODEL``; return the record that says so."""
    side.publisher.deny(entries or (entry(),), side.signers, NOW)
    return denials.encode(side.publisher.denials())


def _vouched(offered: Mapping[str, bytes]) -> VersionedTarget | None:
    (data,) = (offered[name] for name in offered if ".targets." in name)
    return strict.targets(data, name="targets").body.denials


def test_a_deny_list_reaches_every_site_with_an_empty_delivery(side: Authority) -> None:
    """Revoking something must not wait until there is something to send."""
    data = deny(side)
    for site in (SITE, "plant8"):
        offered = side.deliver(site=site)
        assert offered[NAME] == data
        assert land(offered, side.state(site)).state.denials == data


def test_without_a_deny_list_nothing_of_one_travels(side: Authority) -> None:
    """Deliveries made before there were deny lists stay as they are, to the byte."""
    offered = side.deliver(MODEL)
    assert [name for name in offered if "deny" in name] == []
    assert land(offered, side.state()).state.denials == b""


def test_any_flipped_bit_of_a_deny_list_is_refused(side: Authority) -> None:
    """A courier who could change one digit would have taken an entry back."""
    data = deny(side)
    offered = side.deliver()
    vouched, passed = _vouched(offered), []
    for at in range(len(data) * 8):
        flipped = bytearray(data)
        flipped[at // 8] ^= 1 << at % 8
        offer = records.sort({**offered, NAME: bytes(flipped)}, site=SITE)
        try:
            revocation.brought(offer, vouched)
        except AirliftError:
            continue
        passed.append(at)
    assert passed == []
    assert revocation.brought(records.sort(offered, site=SITE), vouched) == data


def test_a_deny_list_cannot_be_left_out_or_added(side: Authority) -> None:
    """It is there exactly where its signers put it."""
    bare = side.deliver()
    data = deny(side)
    offered = side.deliver()
    left_out = {name: offered[name] for name in offered if name != NAME}
    with pytest.raises(TrustError) as caught:
        land(left_out, side.state())
    assert caught.value.problem == f"the delivery lacks `{NAME}`"
    with pytest.raises(TrustError) as caught:
        land({**bare, NAME: data}, side.state())
    assert caught.value.problem == f"the delivery was not meant to bring `{NAME}`"


def test_two_deny_lists_in_one_delivery_are_refused(side: Authority) -> None:
    """Which of them counts would be for the courier to choose."""
    deny(side)
    offered = side.deliver()
    offered["records/deny/2.json"] = offered[NAME]
    with pytest.raises(TrustError) as caught:
        land(offered, side.state())
    assert caught.value.problem == (
        f"the delivery has `{NAME}`, which nothing calls for"
    )


def test_targets_that_name_two_deny_lists_are_refused(side: Authority) -> None:
    """Not even approvers can leave it open which of two counts."""
    deny(side)
    offered = side.deliver()

    def twice(signed: dict[str, dict[str, object]]) -> None:
        signed["targets"]["deny/2.json"] = signed["targets"]["deny/1.json"]

    forged = resign(offered, {"targets": twice}, side.signers)
    with pytest.raises(FormatError) as caught:
        land(forged, side.state())
    assert "`signed.targets` name more than one deny list" in caught.value.problem


def test_a_site_takes_no_delivery_without_the_list_it_has(side: Authority) -> None:
    """A thief of keys who leaves the list out would bring everything back."""
    data = deny(side)
    offered = side.deliver()
    state = replace(side.state(), denials=data)

    def drop(signed: dict[str, dict[str, object]]) -> None:
        del signed["targets"]["deny/1.json"]

    forged = resign(offered, {"targets": drop}, side.signers)
    del forged[NAME]
    with pytest.raises(TrustError) as caught:
        land(forged, state)
    assert caught.value.problem == (
        "the delivery brings no deny list, this site has version 1"
    )


OTHER = entry(What.FILE, CONFIG)
LOST = (
    "deny list 4 does not deny release {0} as version 3 does, and a deny list only"
    " grows"
)


@pytest.mark.parametrize(
    ("after", "problem"),
    [
        (
            listing(OTHER, version=4),
            LOST,
        ),
        (
            listing(entry(why="never mind"), OTHER, version=4),
            LOST,
        ),
        (
            listing(entry(What.FILE), OTHER, version=4),
            LOST,
        ),
        (
            listing(entry(), OTHER, version=2),
            "the delivery brings deny list 2, this site has version 3",
        ),
        (
            listing(entry(), OTHER, version=3),
            "there are two deny lists of version 3: a forked history",
        ),
        (
            listing(entry(), OTHER, version=10_004),
            "the deny list's version jumps from 3 to 10004, more than 10000",
        ),
        (None, "the delivery brings no deny list, this site has version 3"),
    ],
    ids=["gone", "reworded", "weakened", "earlier", "forked", "leap", "none"],
)
def test_a_deny_list_only_grows(after: DenyList | None, problem: str) -> None:
    """Whoever could shorten it, with whichever keys, could bring back what is denied."""
    before = denials.encode(listing(entry(), version=3))
    with pytest.raises(TrustError) as caught:
        revocation.check_follows(before, denials.encode(after) if after else b"")
    assert caught.value.problem == problem.format(release_id(MODEL)[:16])


def test_a_longer_deny_list_follows() -> None:
    """The refusals above refuse nothing that is as it should be."""
    before = denials.encode(listing(entry(), version=3))
    revocation.check_follows(b"", before)
    revocation.check_follows(before, before)
    revocation.check_follows(
        before, denials.encode(listing(entry(), OTHER, version=9_000))
    )


def test_a_list_that_is_put_back_on_the_connected_side_is_refused_by_sites(
    side: Authority, tmp_path: Path
) -> None:
    """A signing host restored from an old backup must not make sites forget."""
    side.deliver()
    twin = side.copied(tmp_path / "twin")
    deny(side)
    state = land(side.deliver(), side.state()).state
    with pytest.raises(TrustError) as caught:
        land(twin.deliver(), replace(state, deliveries=(), metadata={}))
    assert caught.value.problem == (
        "the delivery brings no deny list, this site has version 1"
    )


def test_a_repeat_brings_no_earlier_list_back(side: Authority) -> None:
    """An old volume restores lost bytes, and nothing of what was believed then."""
    first = side.deliver(MODEL)
    state = land(first, side.state()).state
    data = deny(side)
    state = land(side.deliver(), state).state
    again = land(first, state)
    assert (again.repeat, again.state.denials) == (True, data)


# --- keys -----------------------------------------------------------------------


def test_a_denied_key_is_given_no_say_again(side: Authority) -> None:
    """Denied, a stolen key cannot come back by a mistake of whoever signs."""
    mallory = key("mallory").public
    deny(side, entry(What.KEY, Sha256(mallory.key_id), why="stolen in May"))
    problem = (
        f"`site-plant8` counts key {mallory.key_id[:16]} of `mallory`, which is denied"
        f" since {NOW}: stolen in May"
    )
    with pytest.raises(RequestError) as caught:
        side.publisher.add_site("plant8", [mallory], 1, side.signers, NOW)
    assert caught.value.problem == problem
    with pytest.raises(RequestError) as caught:
        side.publisher.set_catalogue(quorum([mallory], 1), side.signers, NOW)
    assert "`catalogue` counts key" in caught.value.problem


def test_a_key_that_has_a_say_is_revoked_before_it_is_denied(side: Authority) -> None:
    """Else no site would take the delivery that says so."""
    alice = key("alice").public
    with pytest.raises(RequestError) as caught:
        deny(side, entry(What.KEY, Sha256(alice.key_id)))
    assert caught.value.problem == (
        f"`root` counts key {alice.key_id[:16]} of `alice`, which is denied since"
        f" {NOW}: {WHY}"
    )
    assert caught.value.hint == (
        "take its say from it first: `airlift trust revoke`, or name other keys"
    )
    assert side.publisher.denials() == NOTHING


def test_a_site_refuses_what_counts_a_denied_key(side: Authority) -> None:
    """Also where enough stolen keys sign for it: the site remembers what was denied."""
    thief = key("mallory")
    mallory = thief.public
    held = denials.encode(listing(entry(What.KEY, Sha256(mallory.key_id))))
    side.publisher.add_site("plant8", [mallory], 1, [*side.signers, thief], NOW)
    with pytest.raises(TrustError) as caught:
        revocation.check_keys(_set_of(side), denials.decode(held))
    assert caught.value.problem == (
        f"`site-plant8` counts key {mallory.key_id[:16]} of `mallory`, which is denied"
        f" since {NOW}: {WHY}"
    )


def _set_of(side: Authority) -> MetadataSet:
    repository = Repository(side.folder)
    return repository.load(repository.newest())


def test_of_approvers_those_that_are_denied_count_no_longer() -> None:
    """Too few may be left to approve anything: then nothing is, which is safe."""
    bob, carol = key("bob").public, key("carol").public
    people = quorum([bob, carol], 2)
    listed = listing(entry(What.KEY, Sha256(bob.key_id)))
    left = listed.without(people)
    assert (left.keys, left.threshold) == ((carol,), 2)
    assert listing(entry()).without(people) == people


# --- releases and files ---------------------------------------------------------


@pytest.mark.parametrize(
    ("what", "digest"), [(What.RELEASE, release_id(MODEL)), (What.FILE, CONFIG)]
)
def test_what_is_denied_does_not_leave(
    side: Authority, what: What, digest: Sha256
) -> None:
    """The connected side must not send what it has told sites to refuse."""
    deny(side, entry(what, digest))
    with pytest.raises(RequestError) as caught:
        side.deliver(MODEL)
    assert caught.value.problem == (
        f"model `org/model` may not leave: {what.value} {digest[:16]} is denied since"
        f" {NOW}: {WHY}"
    )
    assert side.publisher.deliveries(SITE) == ()


def test_denying_again_changes_nothing(side: Authority) -> None:
    """Day and reason of an entry stay those of the first time."""
    first = deny(side)
    assert deny(side, entry(since="2026-04-01T00:00:00Z", why="again")) == first


def test_who_signs_is_told_of_the_list(side: Authority) -> None:
    """An approver on a machine without network sees what they put their name to."""
    deny(side)
    mallory = Sha256(key("mallory").public.key_id)
    with pytest.raises(RequestError):
        side.publisher.deny([entry(What.KEY, mallory)], (), NOW)
    pending = side.publisher.pending()
    assert pending is not None
    record = pending.after.targets.body.denials
    assert record is not None
    lines = (
        f"deny list, version 2: record {record.target.sha256}",
        f"denies key {mallory}: {WHY}",
        f"denies release {release_id(MODEL)}: {WHY}",
    )
    assert ceremony.describe(pending)[:3] == lines
    carried = draft.decode(draft.encode(pending))
    assert ceremony.describe(carried)[:3] == lines


def test_the_list_that_is_shown_is_the_one_that_is_signed(side: Authority) -> None:
    """Whoever prepares the file must not show one list and have another signed."""
    with pytest.raises(RequestError):
        side.publisher.deny([entry()], (), NOW)
    pending = side.publisher.pending()
    assert pending is not None
    other = replace(pending, denials=denials.encode(listing(OTHER)))
    with pytest.raises(FormatError) as caught:
        draft.decode(draft.encode(other))
    assert "are not the deny list that is to be signed" in caught.value.problem


# --- form -----------------------------------------------------------------------


def test_a_list_is_read_as_it_was_written() -> None:
    """Both sides speak of the same bytes."""
    listed = listing(entry(), OTHER, entry(What.KEY, sha256(b"key")))
    assert denials.decode(denials.encode(listed)) == listed
    assert denials.decode(b"") == NOTHING


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"denied": []}, "`denied` is not sorted, each once, at least one"),
        ({"version": 0}, "`version`"),
        ({"issued": "today"}, "`issued` is not `YYYY-MM-DDThh:mm:ssZ`"),
        ({"format": "airlift/deny/2"}, "`format`"),
        ({"also": 1}, "`also`"),
    ],
)
def test_a_record_that_is_no_deny_list_is_refused(
    change: dict[str, Any], problem: str
) -> None:
    """What cannot be read whole cannot be gone by."""
    table: dict[str, Any] = json.loads(denials.encode(listing(entry())))
    with pytest.raises(FormatError) as caught:
        denials.decode(canonical.encode({**table, **change}))
    assert problem in str(caught.value)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"what": "wheel"}, "`denied[0].what` has the unknown value `wheel`"),
        ({"why": ""}, "is empty, longer than 200 characters or not one line"),
        ({"why": "a\nb"}, "is empty, longer than 200 characters or not one line"),
        ({"why": "\x1b[2J"}, "is empty, longer than 200 characters or not one line"),
        ({"since": "May"}, "is not `YYYY-MM-DDThh:mm:ssZ`"),
        ({"digest": "A" * 64}, "digest"),
    ],
)
def test_an_entry_that_is_not_understood_is_refused(
    change: dict[str, Any], problem: str
) -> None:
    """To pass over an entry of a newer version would be to serve what it denies."""
    table: dict[str, Any] = json.loads(denials.encode(listing(entry())))
    table["denied"][0].update(change)
    with pytest.raises(FormatError) as caught:
        denials.decode(canonical.encode(table))
    assert problem in str(caught.value)


def test_entries_out_of_order_or_twice_are_refused() -> None:
    """There is one spelling of a list, so that two sites never differ about one."""
    table: dict[str, Any] = json.loads(denials.encode(listing(entry(), OTHER)))
    first, second = table["denied"]
    for entries in ([second, first], [first, first]):
        with pytest.raises(FormatError) as caught:
            denials.decode(canonical.encode({**table, "denied": entries}))
        assert "is not sorted, each once, at least one" in str(caught.value)


@pytest.mark.parametrize("why", ["", "x" * 201, "two\nlines", "\x07"])
def test_a_reason_is_one_short_line(why: str) -> None:
    """It is shown wherever somebody asks, on terminals and pages."""
    with pytest.raises(RequestError) as caught:
        denials.reason(why)
    assert caught.value.problem == (
        "the reason is empty, longer than 200 characters or not one line"
    )
    assert denials.reason("CVE-2026-1") == "CVE-2026-1"
