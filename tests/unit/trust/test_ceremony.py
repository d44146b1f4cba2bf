"""Several people, several machines: nothing is in force before all have signed."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from airlift.digest import sha256
from airlift.errors import AirliftError, FormatError, RequestError, TrustError
from airlift.format import canonical
from airlift.trust import ceremony, draft
from airlift.trust.keys import UnlockedKey
from airlift.trust.plan import RolePlan
from airlift.trust.publisher import Publisher
from authority import (
    NOW,
    SITE,
    Authority,
    key,
    land,
    model,
    packing_list,
    prints,
    release_id,
)

ANN, BOB, CAT, DAN, EVE = (key(name) for name in ("ann", "bob", "cat", "dan", "eve"))
PLAN = RolePlan(
    approvers=(ANN.public, BOB.public, CAT.public),
    approver_threshold=2,
    dispatchers=(DAN.public,),
)


@pytest.fixture(name="_board", scope="module")
def _board(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    folder = tmp_path_factory.mktemp("board") / "side"
    return Authority(folder, plan=PLAN, signers=(ANN, BOB, DAN))


@pytest.fixture(name="side")
def _side(_board: Authority, tmp_path: Path) -> Authority:
    return _board.copied(tmp_path / "side")


def ask(side: Authority, *signers: UnlockedKey) -> dict[str, bytes]:
    """Ask for the delivery of one model, with *signers* at hand."""
    record = side.record([model()])
    return dict(
        side.publisher.publish(
            site=SITE,
            releases=[model()],
            dispatch=record,
            packing=packing_list(),
            signers=signers,
            now=NOW,
        )
    )


def test_too_few_signatures_name_who_is_still_needed(side: Authority) -> None:
    """The operator knows whom to call."""
    with pytest.raises(RequestError) as caught:
        ask(side, ANN, DAN)
    others = ", ".join(
        f"`{one.public.name}`"
        for one in sorted((BOB, CAT), key=lambda one: one.public.key_id)
    )
    assert str(caught.value) == (
        f"more people must sign: `targets` needs 1 of {others}"
    )
    assert caught.value.hint == "sign what is pending with their keys, then repeat this"


def test_nothing_is_in_force_while_it_is_pending(side: Authority) -> None:
    """One person's signature changes nothing for any site."""
    before = side.publisher._repository.newest()
    with pytest.raises(RequestError):
        ask(side, ANN, DAN)
    again = Publisher.open(side.folder)
    assert again._repository.newest() == before
    assert again.deliveries(SITE) == ()
    with pytest.raises(RequestError, match="there is no delivery 1"):
        again.delivered(SITE, 1)


def test_the_last_signature_puts_it_in_force(side: Authority) -> None:
    """Repeating the command then gives the delivery."""
    with pytest.raises(RequestError):
        ask(side, ANN, DAN)
    side.publisher.sign_pending([BOB], NOW)
    offered = side.publisher.delivered(SITE, 1)
    verified = land(offered, side.state())
    approvers = {one.name for one in verified.signed_by if one.role == "targets"}
    assert approvers == {"ann", "bob"}
    assert side.publisher.pending() is None


def test_asking_again_with_another_key_completes_it(side: Authority) -> None:
    """Both may simply run the same command, one after the other."""
    record = side.record([model()])
    for signers in ((DAN,), (ANN,)):
        with pytest.raises(RequestError, match="more people must sign"):
            side.publisher.publish(
                site=SITE,
                releases=[model()],
                dispatch=record,
                packing=packing_list(),
                signers=signers,
                now=NOW,
            )
    offered = side.publisher.publish(
        site=SITE,
        releases=[model()],
        dispatch=record,
        packing=packing_list(),
        signers=[CAT],
        now=NOW,
    )
    assert land(offered, side.state()).dispatch.sequence == 1


def test_a_file_that_passes_between_machines_is_enough(side: Authority) -> None:
    """Approvers' machines have no network and no repository."""
    with pytest.raises(RequestError):
        ask(side, DAN)
    carried = side.publisher.export_pending()
    carried = ceremony.sign_file(carried, [ANN])
    carried = ceremony.sign_file(carried, [BOB])
    side.publisher.import_pending(carried, NOW)
    assert land(side.publisher.delivered(SITE, 1), side.state()).repeat is False


def test_signatures_from_two_copies_are_put_together(side: Authority) -> None:
    """Two approvers in two towns need not wait for each other."""
    with pytest.raises(RequestError):
        ask(side, DAN)
    carried = side.publisher.export_pending()
    with pytest.raises(RequestError, match=r"`targets` needs 1 of"):
        side.publisher.import_pending(ceremony.sign_file(carried, [ANN]), NOW)
    side.publisher.import_pending(ceremony.sign_file(carried, [CAT]), NOW)
    assert side.publisher.deliveries(SITE)[0].sequence == 1


def test_more_signatures_than_needed_are_left_out(side: Authority) -> None:
    """A site refuses a signature that could be dropped unnoticed."""
    offered = ask(side, ANN, BOB, CAT, DAN)
    name = next(one for one in offered if one.endswith(".targets.json"))
    assert len(json.loads(offered[name])["signatures"]) == 2
    land(offered, side.state())


@pytest.mark.parametrize("threshold", [1, 2])
def test_dispatchers_can_be_several_too(tmp_path: Path, threshold: int) -> None:
    """All roles are signed in one round, whatever their thresholds."""
    plan = replace(
        PLAN, dispatchers=(DAN.public, EVE.public), dispatch_threshold=threshold
    )
    side = Authority(tmp_path / "side", plan=plan, signers=(ANN, BOB, DAN, EVE))
    if threshold == 2:
        with pytest.raises(RequestError, match=r"`timestamp` needs 1 of `eve`"):
            ask(side, ANN, BOB, DAN)
        side.publisher.sign_pending([EVE], NOW)
        offered = dict(side.publisher.delivered(SITE, 1))
    else:
        offered = ask(side, ANN, BOB, DAN)
    verified = land(offered, side.state())
    counted = [one.role for one in verified.signed_by]
    assert counted.count("timestamp") == threshold


def test_the_beginning_can_be_a_ceremony(tmp_path: Path) -> None:
    """Three people found a signing side without ever sharing a key."""
    with pytest.raises(RequestError, match="more people must sign"):
        Publisher.create(tmp_path / "side", plan=PLAN, signers=[ANN], now=NOW)
    made = Publisher.open(tmp_path / "side")
    with pytest.raises(RequestError) as caught:
        made.root_bytes()
    assert str(caught.value) == "the first records are not signed by all who must"
    carried = ceremony.sign_file(made.export_pending(), [CAT])
    with pytest.raises(RequestError, match="`snapshot` needs 1 of `dan`"):
        made.import_pending(carried, NOW)
    made.sign_pending([DAN], NOW)
    assert Publisher.open(tmp_path / "side").root_bytes()


def test_while_something_is_pending_nothing_else_changes(side: Authority) -> None:
    """Two changes of one version must not both gather signatures."""
    with pytest.raises(RequestError):
        ask(side, ANN, DAN)
    with pytest.raises(RequestError, match="something else is pending: `targets`"):
        side.publisher.add_site("east", [DAN.public], 1, [ANN, BOB, DAN], NOW)
    with pytest.raises(RequestError, match="something else is pending"):
        side.deliver(signers=[ANN, BOB, DAN])
    side.publisher.discard_pending()
    assert side.publisher.pending() is None
    side.publisher.add_site("east", [DAN.public], 1, [ANN, BOB, DAN], NOW)
    assert len(side.publisher.sites()) == 2


def test_signatures_for_something_else_are_refused(side: Authority) -> None:
    """A stick from last week must not sign this week's change."""
    with pytest.raises(RequestError):
        ask(side, ANN, DAN)
    old = ceremony.sign_file(side.publisher.export_pending(), [BOB])
    side.publisher.discard_pending()
    with pytest.raises(RequestError):
        side.publisher.add_site("east", [DAN.public], 1, [ANN, DAN], NOW)
    with pytest.raises(RequestError) as caught:
        side.publisher.import_pending(old, NOW)
    assert str(caught.value) == (
        "the signatures are for something else than what is pending here"
    )


def test_a_changed_pending_file_is_refused(side: Authority) -> None:
    """The stick may have been in other hands."""
    with pytest.raises(RequestError):
        ask(side, DAN)
    good = ceremony.sign_file(side.publisher.export_pending(), [ANN, BOB])
    for at in range(0, len(good), 11):
        damaged = bytearray(good)
        damaged[at] ^= 1 << at % 8
        try:
            side.publisher.import_pending(bytes(damaged), NOW)
        except AirliftError:
            continue
        # What was changed is context: what is signed is as it was asked for.
        assert land(side.publisher.delivered(SITE, 1), side.state()).releases[
            0
        ].id == release_id(model())
        return


def test_an_invalid_signature_in_a_pending_file_is_refused(side: Authority) -> None:
    """It would be found out only when every site refuses the delivery."""
    with pytest.raises(RequestError):
        ask(side, DAN)
    table = json.loads(ceremony.sign_file(side.publisher.export_pending(), [ANN]))
    table["after"]["targets"]["signatures"][0]["sig"] = "00" * 64
    with pytest.raises(TrustError) as caught:
        side.publisher.import_pending(canonical.encode(table), NOW)
    assert str(caught.value) == (
        f"the signature of `targets` by key {ANN.public.key_id[:16]} is not valid"
    )


def test_a_key_without_a_say_is_told_so(side: Authority) -> None:
    """The wrong key file is a common slip."""
    with pytest.raises(RequestError):
        ask(side, ANN, DAN)
    with pytest.raises(RequestError) as caught:
        ceremony.sign_file(side.publisher.export_pending(), [EVE])
    assert str(caught.value) == "the keys of `eve` have nothing to sign in this file"
    assert caught.value.hint.startswith("`targets` needs 1 of")


def test_a_release_in_the_file_is_what_its_id_says(side: Authority) -> None:
    """An approver reads the document; the signature covers the id."""
    with pytest.raises(RequestError):
        ask(side, DAN)
    table = json.loads(side.publisher.export_pending())
    (document,) = table["releases"].values()
    document["name"] = "org/harmless"
    with pytest.raises(FormatError) as caught:
        draft.decode(canonical.encode(table))
    assert str(caught.value) == (f"a release in the file is not {release_id(model())}")


def test_who_signs_is_told_what_changes(side: Authority) -> None:
    """Nobody should sign a line of hexadecimal digits unread."""
    with pytest.raises(RequestError):
        ask(side, DAN)
    pending = draft.decode(side.publisher.export_pending())
    record = sha256(side.record([model()]))
    assert ceremony.describe(pending) == (
        f"approves release 1 of model `org/model` at {'0' * 40}: 1 files, 1 bytes",
        f"delivery 1 to site `plant7`, record {record}",
        "signs anew: `targets`, `site-plant7`, `snapshot`, `timestamp`",
    )


def test_who_signs_a_new_root_is_told_whose_keys_count(side: Authority) -> None:
    """The most powerful signature of all deserves the fullest words."""
    plan = replace(PLAN, approvers=(ANN.public, CAT.public, EVE.public))
    with pytest.raises(RequestError):
        side.publisher.rotate(plan, [], NOW)
    lines = ceremony.describe(draft.decode(side.publisher.export_pending()))
    after, before = (
        ", ".join(
            f"`{one.public.name}`"
            for one in sorted(people, key=lambda one: one.public.key_id)
        )
        for people in ((ANN, CAT, EVE), (ANN, BOB, CAT))
    )
    assert lines == (
        "root version 2, good until 2029-02-28T12:00:00Z",
        f"what is approved must be signed by 2 of {after} instead of 2 of {before}",
        f"key of `eve` counts from now on: {prints(EVE)}",
        f"key of `bob` counts no longer: {prints(BOB)}",
        "signs anew: `root`, `targets`, `snapshot`, `timestamp`",
    )


def test_who_signs_a_new_site_is_told_its_keys(side: Authority) -> None:
    """A site's key decides what that site is sent."""
    with pytest.raises(RequestError):
        side.publisher.add_site("east", [EVE.public], 1, [], NOW)
    lines = ceremony.describe(draft.decode(side.publisher.export_pending()))
    assert lines == (
        "deliveries to site `east` must be signed by 1 of `eve`",
        f"key of `eve` counts from now on: {prints(EVE)}",
        "signs anew: `targets`, `site-east`, `snapshot`, `timestamp`",
    )


def test_a_lost_approver_is_replaced_by_the_others(side: Authority) -> None:
    """Two of three go on without the third, and her key counts no longer."""
    state = land(ask(side, ANN, BOB, DAN), side.state()).state
    plan = replace(PLAN, approvers=(ANN.public, CAT.public, EVE.public))
    with pytest.raises(RequestError):
        side.publisher.rotate(plan, [ANN], NOW)
    side.publisher.sign_pending([CAT, DAN], NOW)
    side.signers = (ANN, EVE, DAN)
    verified = land(side.deliver(model("org/new")), state)
    assert {one.name for one in verified.signed_by if one.role == "targets"} == {
        "ann",
        "eve",
    }


def test_a_pending_file_can_be_signed_twice_without_harm(side: Authority) -> None:
    """Nobody remembers what they signed last week."""
    with pytest.raises(RequestError):
        ask(side, DAN)
    once = ceremony.sign_file(side.publisher.export_pending(), [ANN])
    with pytest.raises(RequestError, match="have nothing to sign in this file"):
        ceremony.sign_file(once, [ANN])


def test_nothing_pending_is_said_so(side: Authority) -> None:
    """The last one may have been faster."""
    for attempt in (
        side.publisher.export_pending,
        lambda: side.publisher.sign_pending([ANN], NOW),
    ):
        with pytest.raises(RequestError) as caught:
            attempt()
        assert str(caught.value) == "nothing is pending"


def test_who_signs_is_told_what_is_taken_away(side: Authority) -> None:
    """A file from elsewhere may propose what airlift itself never does."""
    ask(side, ANN, BOB, DAN)
    with pytest.raises(RequestError):
        side.publisher.rotate(PLAN, [], NOW)
    pending = draft.decode(side.publisher.export_pending())
    bare = replace(pending.after.targets.body, version=9, targets={}, sites={})
    bare_set = replace(pending.after, targets=replace(pending.after.targets, body=bare))
    taken = replace(pending, after=replace(bare_set, sites={}))
    assert ceremony.describe(taken)[1:3] == (
        "site `plant7` is given up",
        f"withdraws release {release_id(model())}, whose document is not in the file",
    )
