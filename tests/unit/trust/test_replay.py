"""The courier's attacks: old, mixed, forked, frozen and misdirected deliveries."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from airlift.artifact import Kind
from airlift.digest import sha256
from airlift.errors import AirliftError, TrustError
from airlift.format import dispatch
from airlift.format.dispatch import Dispatch, Earlier
from airlift.trust import clock
from airlift.trust.delivery import TrustState
from airlift.trust.plan import Lives, RolePlan
from authority import (
    NOW,
    SITE,
    Authority,
    key,
    land,
    model,
    packing_list,
    resign,
    role_of,
)

ROLES = ("targets", "site-plant7", "snapshot", "timestamp")


@dataclass(frozen=True)
class Pair:
    """Two deliveries, one after the other, and a site that has seen neither."""

    first: dict[str, bytes]
    second: dict[str, bytes]
    state: TrustState


@pytest.fixture(name="pair", scope="module")
def _pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    side = Authority(tmp_path_factory.mktemp("pair") / "side")
    return Pair(
        first=side.deliver(model("org/a")),
        second=side.deliver(model("org/b")),
        state=side.state(),
    )


@pytest.fixture(name="three", scope="module")
def _three(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    sites = ("east", "north", "west")
    side = Authority(tmp_path_factory.mktemp("three") / "side", sites=sites)
    for site in sites:
        side.deliver(site=site)
    return side


def arrive(side: Authority, count: int) -> tuple[list[dict[str, bytes]], TrustState]:
    """Make *count* deliveries and import them all."""
    made, state = [], side.state()
    for at in range(count):
        made.append(side.deliver(model(f"org/m{at}")))
        state = land(made[-1], state).state
    return made, state


def forge_record(
    offered: Mapping[str, bytes], **changes: object
) -> tuple[dict[str, bytes], str]:
    """Return *offered* with its dispatch record changed and signed for, and its name.

    A thief of the dispatch key can do this.
    """
    files = dict(offered)
    name = next(one for one in files if one.startswith("records/dispatch"))
    record = replace(dispatch.decode(files.pop(name)), **changes)  # type: ignore[arg-type]
    data = dispatch.encode(record)
    new = f"records/{dispatch.target_name(SITE, record.sequence)}"

    def point(signed: dict[str, dict[str, object]]) -> None:
        signed["targets"].clear()
        signed["targets"][new.removeprefix("records/")] = {
            "hashes": {"sha256": sha256(data)},
            "length": len(data),
        }

    forged = resign(files, {"site-plant7": point}, [key("alice")])
    return forged | {new: data}, new


def test_every_older_delivery_is_a_repeat_and_changes_nothing(side: Authority) -> None:
    """Importing a disc twice is a habit, not an attack; it must not step back."""
    made, state = arrive(side, 5)
    for old in made:
        again = land(old, state)
        assert again.repeat
        assert again.state == state
        assert again.missed == ()


def test_a_repeat_is_believed_long_after_it_expired(side: Authority) -> None:
    """A site repairs its store from the disc it has."""
    made, state = arrive(side, 2)
    again = land(made[0], state, now="2046-01-01T00:00:00Z")
    assert again.repeat


def test_a_repeat_with_a_changed_record_is_refused(side: Authority) -> None:
    """Being known by name is not being the same."""
    made, state = arrive(side, 1)
    name = "records/dispatch/plant7/1.json"
    for at in range(len(made[0][name])):
        damaged = bytearray(made[0][name])
        damaged[at] ^= 1 << at % 8
        with pytest.raises(TrustError):
            land(made[0] | {name: bytes(damaged)}, state)


def test_an_older_delivery_that_never_came_is_refused_by_number(
    side: Authority,
) -> None:
    """The operator learns which disc is newer."""
    first, second = side.deliver(), side.deliver()
    state = land(second, side.state()).state
    with pytest.raises(TrustError) as caught:
        land(first, state)
    assert str(caught.value) == (
        "delivery 1 is older than delivery 2, which this site has"
    )
    assert caught.value.hint == "import the deliveries after 2 only"


def test_another_delivery_of_an_imported_number_is_named_as_such(
    side: Authority, tmp_path: Path
) -> None:
    """Damage or a fork: either way it is not what this site has."""
    _, state = arrive(side, 2)
    other = Authority(tmp_path / "other")
    with pytest.raises(TrustError) as caught:
        land(other.deliver(), state)
    assert str(caught.value) == (
        "delivery 1 is older than delivery 2, which this site has, and is not the"
        " delivery 1 it imported"
    )


def test_a_skipped_delivery_is_reported_and_not_forgotten(side: Authority) -> None:
    """A delta may stand on it; and a courier who keeps one back should be noticed."""
    state = land(side.deliver(), side.state()).state
    side.deliver()
    side.deliver()
    verified = land(side.deliver(), state)
    assert verified.missed == (2, 3)
    assert [one.sequence for one in verified.state.deliveries] == [4, 1]


def test_a_fresh_site_hears_of_all_that_was_sent_before(side: Authority) -> None:
    """A wiped host must not look like a new one."""
    side.deliver()
    side.deliver()
    assert land(side.deliver(), side.state()).missed == (1, 2)


@pytest.mark.parametrize(
    "taken", [c for n in (1, 2, 3) for c in itertools.combinations(ROLES, n)]
)
@pytest.mark.parametrize("fresh", [True, False])
def test_no_mixture_of_two_deliveries_is_believed(
    pair: Pair, taken: tuple[str, ...], *, fresh: bool
) -> None:
    """Old targets under a new timestamp would bring back what was withdrawn."""
    first, second = pair.first, pair.second
    mixed = {
        name: data for name, data in second.items() if role_of(name) not in taken
    } | {name: data for name, data in first.items() if role_of(name) in taken}
    state = pair.state if fresh else land(first, pair.state).state
    with pytest.raises(TrustError):
        land(mixed, state)


@pytest.mark.parametrize("role", ROLES)
def test_a_mixture_is_said_to_be_one(pair: Pair, role: str) -> None:
    """The usual cause is two discs copied into one folder."""
    first, second = pair.first, pair.second
    mixed = {name: data for name, data in second.items() if role_of(name) != role} | {
        name: data for name, data in first.items() if role_of(name) == role
    }
    with pytest.raises(TrustError) as caught:
        land(mixed, pair.state)
    assert "calls for version" in str(caught.value)
    assert caught.value.hint == (
        "the records are not from one delivery: copy them again from one source"
    )


@pytest.mark.parametrize(
    ("sender", "receiver"), list(itertools.product(("east", "north", "west"), repeat=2))
)
def test_only_the_site_that_is_addressed_takes_a_delivery(
    three: Authority, sender: str, receiver: str
) -> None:
    """Three sites and three bundles: only the diagonal imports."""
    offered = three.publisher.delivered(sender, 1)
    if sender == receiver:
        assert land(offered, three.state(receiver)).dispatch.site == receiver
        return
    with pytest.raises(TrustError) as caught:
        land(offered, three.state(receiver))
    assert str(caught.value) == (
        f"this delivery is for site `{sender}`, this host is site `{receiver}`"
    )


def test_a_delivery_renamed_for_another_site_is_refused(tmp_path: Path) -> None:
    """The address is inside the signature, not in the file's name."""
    side = Authority(tmp_path / "side", sites=("east", "west"))
    offered = side.deliver(site="east")
    renamed = {name.replace("east", "west"): data for name, data in offered.items()}
    with pytest.raises(TrustError, match="calls for version 1 of what is offered"):
        land(renamed, side.state("west"))


def test_a_sites_key_cannot_address_another_site(tmp_path: Path) -> None:
    """A stolen key of one site must not reach the others."""
    alice, east = key("alice"), key("east")
    side = Authority(tmp_path / "side", sites=())
    for site, owner in (("east", east), ("west", alice)):
        side.publisher.add_site(site, [owner.public], 1, [alice, east], NOW)
    offered = side.deliver(site="west")
    forged = resign(offered, {"site-west": lambda _signed: None}, [east])
    with pytest.raises(
        TrustError, match=r"is signed by key \w+, which has no say in it"
    ):
        land(forged, side.state("west"))


def test_two_deliveries_of_one_number_are_a_forked_history(side: Authority) -> None:
    """Whoever signs two histories shows each site the one it likes."""
    offered = side.deliver()
    state = land(offered, side.state()).state
    forked, _ = forge_record(offered, operator="mallory")
    forked = raise_versions(forked)
    with pytest.raises(TrustError) as caught:
        land(forked, state)
    assert str(caught.value) == "there are two deliveries 1: a forked history"


def raise_versions(
    offered: Mapping[str, bytes], by: int = 1, roles: tuple[str, ...] = ROLES[1:]
) -> dict[str, bytes]:
    """Return *offered* with later versions of all documents the dispatch key signs."""

    def edit(signed: dict[str, int]) -> None:
        signed["version"] += by

    return resign(offered, dict.fromkeys(roles, edit), [key("alice")])


def test_a_record_that_names_another_past_is_a_forked_history(side: Authority) -> None:
    """A fork is found out even where the forked delivery itself was kept back."""
    state = land(side.deliver(), side.state()).state
    side.deliver()
    stray = Earlier(sequence=1, sha256=sha256(b"another delivery"))
    third = side.deliver()
    record = dispatch.decode(third["records/dispatch/plant7/3.json"])
    forked, _ = forge_record(third, earlier=(record.earlier[0], stray))
    with pytest.raises(TrustError) as caught:
        land(forked, state)
    assert str(caught.value) == (
        "delivery 3 follows another delivery 1 than the one this site imported:"
        " a forked history"
    )


@pytest.mark.parametrize("role", ROLES)
def test_two_documents_of_one_version_are_a_forked_history(
    side: Authority, role: str
) -> None:
    """Signed twice with one number: the site must not choose between them."""
    offered = side.deliver()
    state = land(offered, side.state()).state

    def later(signed: dict[str, str]) -> None:
        signed["expires"] = clock.after(signed["expires"], days=1)

    second, _ = forge_record(
        raise_versions(offered),
        sequence=2,
        earlier=(Earlier(sequence=1, sha256=state.deliveries[0].sha256),),
    )
    assert land(second, state).dispatch.sequence == 2
    forked = resign(second, {role: later}, [key("alice")])
    state = land(second, state).state
    state = replace(state, deliveries=state.deliveries[1:])
    with pytest.raises(TrustError) as caught:
        land(forked, state)
    assert str(caught.value) == (
        "`timestamp.json` differs from the one of the same version that this site"
        " trusts: a forked history"
    )


def test_versions_turned_back_are_refused(side: Authority) -> None:
    """A dispatch key turned back to an old snapshot would hide what came since."""
    first = side.deliver(model("org/a"))
    state = land(first, side.state()).state
    state = land(side.deliver(model("org/b")), state).state
    old, _ = forge_record(
        first,
        sequence=3,
        earlier=tuple(state.deliveries),
    )
    with pytest.raises(TrustError) as caught:
        land(old, state)
    assert str(caught.value).startswith(
        "the signed records are older than those this site trusts"
        " (records/dispatch/plant7/3.json: New timestamp version"
    )


@pytest.mark.parametrize("role", ROLES)
def test_a_version_that_leaps_is_refused(side: Authority, role: str) -> None:
    """The largest number, signed by a thief, would end all updates."""
    state = land(side.deliver(), side.state()).state

    def leap(signed: dict[str, int]) -> None:
        signed["version"] += 10_001

    forged = resign(side.deliver(), {role: leap}, [key("alice")])
    with pytest.raises(TrustError, match=rf"the version of `{role}` jumps from \d+ to"):
        land(forged, state)


def test_a_sequence_that_leaps_is_refused(side: Authority) -> None:
    """The list of missed deliveries must not become endless either."""
    state = land(side.deliver(), side.state()).state
    offered = side.deliver()
    far = 10_002
    earlier = tuple(
        Earlier(sequence=at, sha256=sha256(b"%d" % at))
        for at in range(far - 1, far - 65, -1)
    )
    forged, _ = forge_record(offered, sequence=far, earlier=earlier)
    with pytest.raises(TrustError) as caught:
        land(forged, state)
    assert str(caught.value) == (
        "the delivery's sequence jumps from 1 to 10002, more than 10000"
    )


def test_a_thief_who_raised_versions_is_outlived_by_new_keys(tmp_path: Path) -> None:
    """After the keys are replaced, lower numbers count again."""
    alice, bob, eve = key("alice"), key("bob"), key("eve")
    plan = RolePlan(approvers=(alice.public,), dispatchers=(bob.public,))
    side = Authority(tmp_path / "side", plan=plan, signers=(alice, bob))
    state = land(side.deliver(), side.state()).state

    def leap(signed: dict[str, int]) -> None:
        signed["version"] += 9_000

    second, name = _second(side, state, bob)
    stolen = resign(second, dict.fromkeys(ROLES[2:], leap), [bob])
    state = land(stolen, state).state
    assert name in stolen
    renewed = RolePlan(approvers=(alice.public,), dispatchers=(eve.public,))
    side.publisher.rotate(renewed, [alice, bob, eve], NOW)
    side.signers = (alice, eve)
    verified = land(side.deliver(), replace(state, deliveries=state.deliveries[1:]))
    assert verified.dispatch.sequence == 2


def _second(
    side: Authority, state: TrustState, signer: object
) -> tuple[dict[str, bytes], str]:
    offered = side.publisher.delivered(SITE, 1)
    record = Dispatch(
        site=SITE,
        sequence=2,
        earlier=state.deliveries,
        issued=NOW,
        operator="thief",
        releases=(),
        needs=(),
        packing_sha256=sha256(packing_list()),
        packing_size=len(packing_list()),
    )
    data = dispatch.encode(record)

    def point(signed: dict[str, object]) -> None:
        signed["version"] = 3
        signed["targets"] = {
            "dispatch/plant7/2.json": {
                "hashes": {"sha256": sha256(data)},
                "length": len(data),
            }
        }

    assert signer is key("bob")
    files = {
        name: one for name, one in offered.items() if not name.startswith("records/d")
    }
    name = "records/dispatch/plant7/2.json"
    return resign(files, {"site-plant7": point}, [key("bob")]) | {name: data}, name


def test_a_release_older_than_the_one_held_is_refused(side: Authority) -> None:
    """A stolen dispatch key could otherwise bring back a withdrawn model."""
    first = model(counter=1)
    state = land(side.deliver(first), side.state()).state
    state = land(side.deliver(model(counter=2, text="y")), state).state
    with pytest.raises(TrustError) as caught:
        land(side.deliver(first), state)
    assert str(caught.value) == (
        "release 1 of model `org/model` is older than release 2 held here"
    )


def test_two_releases_of_one_number_are_a_forked_history(side: Authority) -> None:
    """The same number must be the same model everywhere."""
    state = land(side.deliver(model()), side.state()).state
    other = replace(state, heads={(Kind.MODEL, "org/model"): sha256(b"another")})
    with pytest.raises(TrustError) as caught:
        land(side.deliver(model()), other)
    assert str(caught.value) == (
        "there are two of release 1 of model `org/model`: a forked history"
    )


EXPIRIES = {
    "timestamp": 45,
    "snapshot": 90,
    "site-plant7": 182,
    "targets": 365,
    "root": 1095,
}


@pytest.mark.parametrize("role", EXPIRIES)
def test_each_document_expires_on_its_day(tmp_path: Path, role: str) -> None:
    """A courier who keeps delivering the same is found out in time."""
    short = EXPIRIES[role]
    lives = {name.partition("-")[0]: 2000 for name in EXPIRIES}
    lives[role.partition("-")[0]] = short
    plan = RolePlan.single(key("alice").public, lives=Lives(**lives))
    side = Authority(tmp_path / "side", plan=plan)
    offered, state = side.deliver(), side.state()
    expires = clock.after(NOW, days=short)
    land(offered, state, now=clock.after(NOW, days=short - 1))
    for days in (short, short + 1):
        with pytest.raises(TrustError) as caught:
            land(offered, state, now=clock.after(NOW, days=days))
        assert str(caught.value) == (
            f"`{role}` of this delivery expired on {expires};"
            f" this clock says {clock.after(NOW, days=days)}"
        )


def test_a_clock_turned_back_does_not_bring_the_expired_back(side: Authority) -> None:
    """The floor is the newest time this site has verified; nothing is before it."""
    first = side.deliver()
    late = clock.after(NOW, days=60)
    state = land(side.deliver(now=late), side.state(), now=late).state
    assert state.floor == late
    stale = replace(state, deliveries=(), metadata={})
    with pytest.raises(TrustError) as caught:
        land(first, stale, now=NOW)
    assert str(caught.value) == (
        "`timestamp` of this delivery expired on 2026-04-15T12:00:00Z; this clock says"
        " 2026-03-01T12:00:00Z, the newest time verified here is 2026-04-30T12:00:00Z"
    )
    assert caught.value.hint == (
        "this clock is 60 days behind a verified time: set it, then ask for a newer"
        " delivery"
    )


@pytest.mark.parametrize("years", [-20, -10, -1])
def test_a_clock_behind_the_floor_is_a_warning_not_a_refusal(
    side: Authority, years: int
) -> None:
    """A dead battery must not stop imports, and must be noticed."""
    state = land(side.deliver(), side.state()).state
    behind = clock.after(NOW, days=365 * years)
    verified = land(side.deliver(), state, now=behind)
    assert verified.warnings == (
        (
            f"this host's clock says {behind}, before {NOW}, which is verified:"
            " set the clock"
        ),
        (
            f"the delivery was issued at {NOW}, later than this host's clock ({behind}):"
            " one of the two clocks is wrong"
        ),
    )
    assert verified.state.floor == NOW


@pytest.mark.parametrize("days", [46, 365, 366])
def test_an_expiry_asks_for_a_newer_delivery(side: Authority, days: int) -> None:
    """The ordinary case needs no guess about the clock."""
    with pytest.raises(TrustError) as caught:
        land(side.deliver(), side.state(), now=clock.after(NOW, days=days))
    assert caught.value.hint == "ask for a newer delivery"


@pytest.mark.parametrize("days", [367, 3650, 7300])
def test_a_clock_far_ahead_is_said_to_be_so(side: Authority, days: int) -> None:
    """A clock set ahead makes everything expire, and nothing else is wrong."""
    with pytest.raises(TrustError) as caught:
        land(side.deliver(), side.state(), now=clock.after(NOW, days=days))
    assert caught.value.hint == (
        f"this clock is {days} days past the newest signed time: if that cannot be, set"
        " it; else ask for a newer delivery"
    )


def test_a_root_about_to_expire_is_announced(side: Authority) -> None:
    """Renewing it takes people and time."""
    late = clock.after(NOW, days=1095 - 89)
    verified = land(side.deliver(now=late), side.state(), now=late)
    assert verified.warnings == (
        (
            "the root expires on 2029-02-28T12:00:00Z: whoever signs must renew it"
            " before then"
        ),
    )


def test_the_floor_never_falls(side: Authority) -> None:
    """Whatever the clocks say, verified time only goes on."""
    late = clock.after(NOW, days=5)
    state = land(side.deliver(now=late), side.state(), now=late).state
    verified = land(side.deliver(now=NOW), state, now=late)
    assert verified.dispatch.issued == NOW
    assert verified.state.floor == late


def test_a_dropped_root_is_named(tmp_path: Path) -> None:
    """The root that revokes a key is the one a courier would drop."""
    alice, bob = key("alice"), key("bob")
    side = Authority(tmp_path / "side", signers=(alice, bob))
    first = side.state()
    for who in (bob, alice, bob):
        side.publisher.rotate(RolePlan.single(who.public), [alice, bob], NOW)
    offered = side.deliver()
    land(offered, first)
    for version in range(1, 5):
        chain = dict(offered)
        del chain[f"metadata/{version}.root.json"]
        with pytest.raises(AirliftError) as caught:
            land(chain, first)
        if version < 4:
            assert str(caught.value) == (
                f"the delivery lacks `metadata/{version}.root.json`"
            )
        else:
            assert "which has no say in it" in str(caught.value)


def test_a_newest_root_that_changes_no_dispatch_key_cannot_be_dropped(
    tmp_path: Path,
) -> None:
    """TUF alone would not miss it: everything else still verifies without."""
    alice, bob, eve = key("alice"), key("bob"), key("eve")
    plan = RolePlan(approvers=(alice.public, eve.public), dispatchers=(bob.public,))
    side = Authority(tmp_path / "side", plan=plan, signers=(alice, bob))
    first = side.state()
    revoked = RolePlan(approvers=(alice.public,), dispatchers=(bob.public,))
    side.publisher.rotate(revoked, [alice, bob], NOW)
    offered = side.deliver()
    del offered["metadata/2.root.json"]
    with pytest.raises(TrustError) as caught:
        land(offered, first)
    assert str(caught.value) == (
        "`metadata/4.snapshot.json` calls for version 2 of what is offered as"
        " `metadata/1.root.json`"
    )


def test_a_chain_that_ends_before_the_trusted_root_is_refused(tmp_path: Path) -> None:
    """A site that knows of a revocation cannot be made to forget it."""
    alice, bob = key("alice"), key("bob")
    side = Authority(tmp_path / "side", signers=(alice, bob))
    start = side.state()
    old = side.deliver()
    forged, _ = forge_record(old, sequence=2, earlier=land(old, start).state.deliveries)
    side.publisher.rotate(RolePlan.single(bob.public), [alice, bob], NOW)
    state = land(side.deliver(signers=[bob]), land(old, start).state).state
    state = replace(state, deliveries=state.deliveries[1:])
    with pytest.raises(TrustError) as caught:
        land(forged, state)
    assert str(caught.value) == (
        "the roots offered end at version 1, this site trusts version 2"
    )


def test_a_delivery_from_before_the_anchor_is_refused(tmp_path: Path) -> None:
    """A site set up after a revocation must not take what was signed before it."""
    alice, bob = key("alice"), key("bob")
    side = Authority(tmp_path / "side", signers=(alice, bob))
    old = side.deliver()
    side.publisher.rotate(RolePlan.single(bob.public), [alice, bob], NOW)
    with pytest.raises(TrustError) as caught:
        land(old, side.state())
    assert str(caught.value) == (
        "the roots offered end at version 1, this site was set up with version 2"
    )


@pytest.mark.parametrize("version", [1, 2])
def test_not_a_bit_of_the_roots_before_the_anchor_is_free(
    tmp_path: Path, version: int
) -> None:
    """They are kept and shown, so they must be the true ones."""
    alice, bob = key("alice"), key("bob")
    side = Authority(tmp_path / "side", signers=(alice, bob))
    for who in (bob, alice):
        side.publisher.rotate(RolePlan.single(who.public), [alice, bob], NOW)
    offered, state = side.deliver(), side.state()
    land(offered, state)
    name = f"metadata/{version}.root.json"
    for at in range(0, len(offered[name]), 7):
        damaged = bytearray(offered[name])
        damaged[at] ^= 1 << at % 8
        with pytest.raises(AirliftError):
            land(offered | {name: bytes(damaged)}, state)
