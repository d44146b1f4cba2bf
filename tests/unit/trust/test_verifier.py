"""What a believed delivery says, and what a site trusts after it."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from airlift.artifact import Kind
from airlift.digest import sha256
from airlift.errors import AirliftError, FormatError, TrustError
from airlift.format import dispatch
from airlift.format.dispatch import Earlier
from airlift.format.packing import PackingList
from airlift.trust import history
from airlift.trust.delivery import LONG_AGO, TrustState
from airlift.trust.plan import RolePlan
from airlift.trust.records import PACKING, TIMESTAMP
from authority import (
    NOW,
    SITE,
    Authority,
    envelope,
    key,
    land,
    model,
    packing_list,
    release_id,
    resign,
    role_of,
)


def test_a_delivery_that_is_believed_says_all_it_brings(side: Authority) -> None:
    """What is used later is only what stands here."""
    document = model()
    offered = side.deliver(document)
    verified = land(offered, side.state())
    assert verified.id == sha256(offered["records/dispatch/plant7/1.json"])
    assert (verified.dispatch.site, verified.dispatch.sequence) == (SITE, 1)
    assert verified.packing == PackingList(blobs=())
    assert [one.id for one in verified.releases] == [release_id(document)]
    assert verified.releases[0].document == document
    assert verified.releases[0].release.name == "org/model"
    assert verified.records == offered
    assert (verified.repeat, verified.missed, verified.warnings) == (False, (), ())


def test_it_says_whose_signatures_counted(side: Authority) -> None:
    """An auditor asks who let this in."""
    verified = land(side.deliver(), side.state())
    alice = key("alice").public
    assert [(one.role, one.key_id, one.name) for one in verified.signed_by] == [
        (role, alice.key_id, "alice")
        for role in ("root", "targets", "site-plant7", "snapshot", "timestamp")
    ]
    assert {one.scheme for one in verified.signed_by} == {"ed25519"}


def test_the_state_moves_on_with_the_delivery(side: Authority) -> None:
    """The state is what keeps every later import from stepping back."""
    document = model()
    offered = side.deliver(document)
    before = side.state()
    assert (before.floor, before.deliveries) == (LONG_AGO, ())
    verified = land(offered, before)
    after = verified.state
    assert after.metadata == {
        "1.root.json": offered["metadata/1.root.json"],
        "timestamp.json": offered[TIMESTAMP],
        "snapshot.json": offered["metadata/3.snapshot.json"],
        "targets.json": offered["metadata/3.targets.json"],
        "site-plant7.json": offered["metadata/2.site-plant7.json"],
    }
    assert after.floor == NOW
    assert after.deliveries == (Earlier(sequence=1, sha256=verified.id),)
    assert after.counters == {(Kind.MODEL, "org/model"): 1}
    assert after.heads == {(Kind.MODEL, "org/model"): release_id(document)}
    assert (after.site, after.anchor) == (before.site, before.anchor)


def test_verification_changes_nothing_it_is_given(side: Authority) -> None:
    """A refused or repeated import must leave the caller's values alone."""
    offered, state = side.deliver(), side.state()
    copy = dict(offered)
    land(offered, state)
    assert offered == copy
    assert state == side.state()


@pytest.mark.parametrize("scheme", ["ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384"])
def test_deliveries_signed_on_nist_curves_are_believed(
    tmp_path: Path, scheme: str
) -> None:
    """Sites with tokens or approved modules have no other curves."""
    side = Authority(tmp_path / "side", signers=[key("alice", scheme)])
    state = side.state()
    for _ in range(3):
        state = land(side.deliver(), state).state
    assert [one.sequence for one in state.deliveries] == [3, 2, 1]


def test_an_empty_delivery_is_a_delivery(side: Authority) -> None:
    """Freshness and revocations travel without content."""
    assert land(side.deliver(), side.state()).releases == ()


def test_a_later_delivery_may_bring_an_earlier_release_again(side: Authority) -> None:
    """A site that lost a blob is sent it again under the same signature."""
    document = model()
    state = land(side.deliver(document), side.state()).state
    verified = land(side.deliver(document), state)
    assert [one.id for one in verified.releases] == [release_id(document)]


def test_only_the_newest_64_deliveries_are_kept(side: Authority) -> None:
    """State must not grow for ever."""
    known = tuple(
        Earlier(sequence=at, sha256=sha256(b"%d" % at)) for at in range(64, 0, -1)
    )
    verified = land(side.deliver(), side.state())
    record = replace(verified.dispatch, sequence=65)
    state = replace(side.state(), deliveries=known)
    kept = history.extended(state, record, verified.id)
    assert kept == (Earlier(sequence=65, sha256=verified.id), *known[:63])


@pytest.mark.parametrize("lost", range(8))
def test_a_missing_record_is_named(side: Authority, lost: int) -> None:
    """The operator must know what to copy again."""
    offered = side.deliver(model())
    name = sorted(offered)[lost]
    del offered[name]
    with pytest.raises(AirliftError) as caught:
        land(offered, side.state())
    role = role_of(name)
    shown = f"metadata/N.{role}.json" if role not in ("", "root", "timestamp") else name
    if name.startswith("records/dispatch"):
        shown = "records/dispatch/plant7/N.json"
    assert str(caught.value) == f"the delivery lacks `{shown}`"


@pytest.mark.parametrize(
    "name",
    [
        *("metadata/2.root.json.bak", "metadata/root.json", "metadata/01.root.json"),
        *("metadata/1.timestamp.json", "records/extra.json", "volume.json", ""),
        *(
            "metadata/1.other.json",
            "records/releases/ABC.json",
            "../evil",
            "/etc/passwd",
        ),
        *("records/dispatch/plant7/01.json", "metadata/1.site-plant7.json\n"),
    ],
)
def test_an_extra_file_is_refused_by_name(side: Authority, name: str) -> None:
    """Nothing may ride along beside what is signed."""
    offered = side.deliver() | {name: b"{}"}
    with pytest.raises(TrustError, match="which nothing calls for"):
        land(offered, side.state())


def test_a_hostile_name_cannot_drive_the_terminal(side: Authority) -> None:
    """Names come from the medium."""
    offered = side.deliver() | {"\x1b]0;owned\x07": b""}
    with pytest.raises(TrustError) as caught:
        land(offered, side.state())
    assert str(caught.value) == (
        r"the delivery has `\x1b]0;owned\x07`, which nothing calls for"
    )


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("metadata/9.snapshot.json", "`metadata/3.snapshot.json`, which nothing"),
        ("metadata/9.targets.json", "`metadata/3.targets.json`, which nothing"),
        ("metadata/9.site-plant7.json", "`metadata/2.site-plant7.json`, which"),
        ("records/dispatch/plant7/9.json", "`records/dispatch/plant7/1.json`, which"),
    ],
)
def test_a_second_file_of_a_kind_is_refused(
    side: Authority, name: str, message: str
) -> None:
    """Two snapshots are two truths."""
    offered = side.deliver(model())
    offered[name] = b"{}"
    with pytest.raises(TrustError, match=message):
        land(offered, side.state())


def test_a_release_the_record_does_not_name_is_refused(side: Authority) -> None:
    """An approved release may still not be meant for this site."""
    first = side.deliver(model("org/first"))
    second = side.deliver(model("org/second"))
    name = next(name for name in first if name.startswith("records/releases"))
    with pytest.raises(TrustError) as caught:
        land(second | {name: first[name]}, side.state())
    assert str(caught.value) == f"the delivery was not meant to bring `{name}`"


def test_a_release_that_is_left_out_is_named(side: Authority) -> None:
    """A courier must not thin out a delivery."""
    offered = side.deliver(model("org/first"), model("org/second"))
    name = max(name for name in offered if name.startswith("records/releases"))
    del offered[name]
    with pytest.raises(TrustError) as caught:
        land(offered, side.state())
    assert str(caught.value) == f"the delivery lacks `{name}`"


def test_a_release_nobody_approved_is_refused(tmp_path: Path) -> None:
    """A stolen dispatch key sends, but cannot say what may be sent."""
    alice, bob = key("alice"), key("bob")
    plan = RolePlan(approvers=(alice.public,), dispatchers=(bob.public,))
    side = Authority(tmp_path / "side", plan=plan, signers=(alice, bob))
    offered = side.deliver(model())
    name = next(name for name in offered if name.startswith("records/releases"))
    evil = model("org/evil")
    record = json.loads(offered["records/dispatch/plant7/1.json"])
    record["releases"] = [sha256(evil)]
    data = json.dumps(record, sort_keys=True, separators=(",", ":")).encode()

    def point(signed: dict[str, dict[str, object]]) -> None:
        signed["targets"]["dispatch/plant7/1.json"] = {
            "hashes": {"sha256": sha256(data)},
            "length": len(data),
        }

    forged = resign(offered, {"site-plant7": point}, [bob])
    forged["records/dispatch/plant7/1.json"] = data
    forged[f"records/releases/{sha256(evil)}.json"] = evil
    del forged[name]
    with pytest.raises(TrustError) as caught:
        land(forged, side.state())
    assert str(caught.value) == (
        f"`records/releases/{sha256(evil)}.json` is not what `metadata/3.targets.json`"
        " vouches for"
    )


def test_another_packing_list_is_refused(side: Authority) -> None:
    """It decides what is decoded, and from what."""
    offered = side.deliver() | {PACKING: packing_list() + b" "}
    with pytest.raises(TrustError) as caught:
        land(offered, side.state())
    assert str(caught.value) == (
        "`records/packing.json` is not the list that `records/dispatch/plant7/1.json`"
        " names"
    )


@pytest.mark.parametrize(
    ("name", "limit"),
    [
        ("metadata/1.root.json", 512_000),
        ("metadata/timestamp.json", 65_536),
        ("metadata/3.snapshot.json", 2_000_000),
        ("metadata/3.targets.json", 8 << 20),
        ("metadata/2.site-plant7.json", 65_536),
        ("records/dispatch/plant7/1.json", 16 << 20),
        ("records/packing.json", 256 << 20),
    ],
)
def test_a_record_longer_than_its_kind_may_be_is_refused_unread(
    side: Authority, name: str, limit: int
) -> None:
    """An endless record must not be hashed or parsed first."""
    offered = side.deliver(model())
    offered[name] = bytes(limit + 1)
    with pytest.raises(FormatError) as caught:
        land(offered, side.state())
    assert str(caught.value) == (
        f"`{name}` has {limit + 1} bytes, the limit is {limit}"
    )


def test_another_signing_sides_delivery_is_refused(
    side: Authority, tmp_path: Path
) -> None:
    """Well formed and signed is not enough: it must be signed by whom this site knows."""
    stranger = Authority(tmp_path / "stranger", signers=[key("mallory")])
    with pytest.raises(TrustError) as caught:
        land(stranger.deliver(), side.state())
    assert str(caught.value) == (
        "`metadata/1.root.json` is not the root that this site trusts"
    )


def test_a_strange_clock_is_refused(side: Authority) -> None:
    """Time is compared as text, so its spelling matters."""
    with pytest.raises(FormatError, match="this host's clock is `soon`"):
        land(side.deliver(), side.state(), now="soon")


def test_a_site_that_was_never_added_is_told_so(side: Authority) -> None:
    """The sender forgot something; the courier can do nothing about it."""
    offered = side.deliver()
    state = TrustState(site="other", anchor=offered["metadata/1.root.json"])
    renamed = {name.replace("plant7", "other"): data for name, data in offered.items()}
    with pytest.raises(TrustError) as caught:
        land(renamed, state)
    assert str(caught.value) == (
        "`metadata/2.targets.json` gives no key a say for site `other`"
    )


def test_a_root_that_is_signed_by_nobody_is_refused(side: Authority) -> None:
    """An empty list of signatures is the first thing a forger tries."""
    offered = side.deliver()
    signed = json.loads(offered["metadata/1.root.json"])["signed"]
    bare = envelope(signed, [])
    state = replace(side.state(), anchor=bare)
    with pytest.raises(TrustError) as caught:
        land(offered | {"metadata/1.root.json": bare}, state)
    assert str(caught.value) == (
        "`metadata/1.root.json` has 0 of the 1 signatures it needs from `alice`"
    )


def test_more_roots_or_releases_than_anybody_has_are_refused(side: Authority) -> None:
    """Each would be parsed and checked."""
    offered = side.deliver()
    roots = {f"metadata/{at}.root.json": b"" for at in range(2, 1026)}
    with pytest.raises(TrustError) as caught:
        land(offered | roots, side.state())
    assert str(caught.value) == "the delivery has 1025 roots, the limit is 1024"
    many = {f"records/releases/{at:064x}.json": b"" for at in range(65_537)}
    with pytest.raises(TrustError) as caught:
        land(offered | many, side.state())
    assert str(caught.value) == "the delivery has 65537 releases, the limit is 65536"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"site": "other"}, "delivery 1 to site `other`"),
        (
            {"sequence": 2, "earlier": (Earlier(sequence=1, sha256=sha256(b"")),)},
            "delivery 2 to site `plant7`",
        ),
    ],
)
def test_a_record_under_another_name_is_refused(
    side: Authority, changes: dict[str, object], says: str
) -> None:
    """Its name decides what it replaces; its content, what it is."""
    offered, name = side.deliver(), "records/dispatch/plant7/1.json"
    record = replace(dispatch.decode(offered[name]), **changes)  # type: ignore[arg-type]
    data = dispatch.encode(record)

    def point(signed: dict[str, dict[str, object]]) -> None:
        signed["targets"]["dispatch/plant7/1.json"] = {
            "hashes": {"sha256": sha256(data)},
            "length": len(data),
        }

    forged = resign(offered, {"site-plant7": point}, [key("alice")]) | {name: data}
    with pytest.raises(TrustError) as caught:
        land(forged, side.state())
    assert str(caught.value) == f"`{name}` says it is {says}"
