"""The signing side: what it signs, what it refuses, and what a kill leaves."""

import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from airlift.artifact import Kind
from airlift.digest import sha256
from airlift.errors import FormatError, RequestError, StoreError
from airlift.format import dispatch
from airlift.format.dispatch import Earlier
from airlift.trust import clock
from airlift.trust.delivery import TrustState
from airlift.trust.plan import Lives, RolePlan, Site
from airlift.trust.publisher import Publisher
from authority import (
    NOW,
    SITE,
    Authority,
    key,
    land,
    model,
    packing_list,
    release_id,
    role_of,
)

ANN, BOB, CAT = (key(name) for name in ("ann", "bob", "cat"))
ALICE = key("alice")


def versions(offered: dict[str, bytes]) -> dict[str, str]:
    """Return the number in the name of each metadata file but the timestamp."""
    return {
        role_of(name): name.partition("/")[2].partition(".")[0]
        for name in offered
        if role_of(name) not in ("", "timestamp")
    }


def test_exactly_what_travels_is_returned(side: Authority) -> None:
    """The importer refuses a file more or less."""
    document = model()
    assert list(side.deliver(document)) == [
        "metadata/1.root.json",
        "metadata/2.site-plant7.json",
        "metadata/3.snapshot.json",
        "metadata/3.targets.json",
        "metadata/timestamp.json",
        "records/dispatch/plant7/1.json",
        "records/packing.json",
        f"records/releases/{release_id(document)}.json",
    ]


def test_only_what_changed_gets_a_new_version(side: Authority) -> None:
    """Versions rise by one: a leap is how a thief is told."""
    document = model()
    assert [
        versions(side.deliver(document)),
        versions(side.deliver()),
        versions(side.deliver(document)),
    ] == [
        {"root": "1", "targets": "3", "snapshot": "3", "site-plant7": "2"},
        {"root": "1", "targets": "3", "snapshot": "4", "site-plant7": "3"},
        {"root": "1", "targets": "3", "snapshot": "5", "site-plant7": "4"},
    ]


def test_asking_again_gives_the_same_files(side: Authority) -> None:
    """A run that was killed after signing goes on where it was."""
    document, record = model(), side.record([model()])
    ask = {
        "site": SITE,
        "releases": [document],
        "dispatch": record,
        "packing": packing_list(),
        "now": NOW,
    }
    first = side.publisher.publish(**ask, signers=side.signers)  # type: ignore[arg-type]
    again = Publisher.open(side.folder)
    assert again.publish(**ask, signers=()) == first  # type: ignore[arg-type]


def test_an_old_delivery_can_be_cut_again_as_it_was(tmp_path: Path) -> None:
    """A lost disc is replaced without signing anything again."""
    side = Authority(tmp_path / "side", sites=("east", "west"))
    made = {}
    for at in range(1, 6):
        for site in ("east", "west"):
            made[site, at] = side.deliver(model(f"org/{site}{at}"), site=site)
    side.publisher.rotate(RolePlan.single(BOB.public), [ALICE, BOB], NOW)
    for (site, at), files in made.items():
        assert side.publisher.delivered(site, at) == files


@pytest.mark.parametrize("sequence", [-1, 0, 3, 99])
def test_a_delivery_that_was_not_made_is_said_so(
    side: Authority, sequence: int
) -> None:
    """A mistyped number must not give the nearest one."""
    side.deliver()
    side.deliver()
    with pytest.raises(RequestError) as caught:
        side.publisher.delivered(SITE, sequence)
    assert str(caught.value) == f"there is no delivery {sequence} to site `plant7`"


def test_deliveries_are_told_newest_first(side: Authority) -> None:
    """The next record names them."""
    assert side.publisher.deliveries(SITE) == ()
    digests = [
        sha256(side.deliver()[f"records/dispatch/plant7/{at}.json"]) for at in (1, 2, 3)
    ]
    assert side.publisher.deliveries(SITE) == tuple(
        Earlier(sequence=at, sha256=digests[at - 1]) for at in (3, 2, 1)
    )


def test_the_latest_release_is_the_one_with_the_highest_counter(
    side: Authority,
) -> None:
    """The next one is numbered after it."""
    assert side.publisher.latest_release(Kind.MODEL, "org/model") is None
    first, second = model(counter=1), model(counter=2, text="y")
    side.deliver(first, model("org/other", counter=7))
    side.deliver(second)
    found = side.publisher.latest_release(Kind.MODEL, "org/model")
    assert found is not None
    assert (found[0], found[1].counter) == (release_id(second), 2)
    assert side.publisher.latest_release(Kind.DATASET, "org/model") is None


@pytest.mark.parametrize("counter", [1, 2])
def test_a_release_whose_counter_does_not_rise_is_refused(
    side: Authority, counter: int
) -> None:
    """Every site would refuse it, too late."""
    side.deliver(model(counter=2))
    with pytest.raises(RequestError) as caught:
        side.deliver(model(counter=counter, text="other"))
    assert str(caught.value) == (
        f"model `org/model` has release 2 already, so the next cannot be {counter}"
    )


def test_two_new_releases_of_one_name_must_differ_in_number(side: Authority) -> None:
    """Two of one number would be a fork."""
    with pytest.raises(RequestError, match="has release 1 already"):
        side.deliver(model(text="x"), model(text="y"))
    offered = side.deliver(model(text="x"), model(text="y", counter=2))
    assert len(land(offered, side.state()).releases) == 2


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"site": "other"}, "is for site `other`"),
        (
            {"sequence": 3, "earlier": (Earlier(sequence=2, sha256=sha256(b"")),)},
            "has sequence 3, expected 2",
        ),
        (
            {"earlier": (Earlier(sequence=1, sha256=sha256(b"")),)},
            "does not name the deliveries before it",
        ),
        (
            {"issued": "2026-03-01T12:00:01Z"},
            "was issued at 2026-03-01T12:00:01Z, and it is 2026-03-01T12:00:00Z",
        ),
        ({"packing_size": 1}, "names another packing list"),
        ({"packing_sha256": sha256(b"")}, "names another packing list"),
        (
            {"releases": (sha256(b"x"),)},
            f"names releases ['{sha256(b'x')}'], which nobody approved",
        ),
    ],
)
def test_a_record_that_is_not_the_next_is_refused(
    side: Authority, changes: dict[str, object], problem: str
) -> None:
    """Nothing may be signed that sites refuse."""
    side.deliver()
    record = dispatch.decode(side.record())
    if "sequence" in changes:
        earlier = changes["earlier"]
        assert isinstance(earlier, tuple)
        changes = changes | {"earlier": (*earlier, *record.earlier)}
    data = dispatch.encode(replace(record, **changes))  # type: ignore[arg-type]
    with pytest.raises(RequestError) as caught:
        side.publisher.publish(
            site=SITE,
            releases=(),
            dispatch=data,
            packing=packing_list(),
            signers=side.signers,
            now=NOW,
        )
    assert str(caught.value) == f"the dispatch record for site `plant7` {problem}"
    assert len(side.publisher.deliveries(SITE)) == 1


def test_a_second_record_of_one_number_is_refused(side: Authority) -> None:
    """Signing both would be the fork that sites are warned of."""
    record = dispatch.decode(side.record())
    side.deliver()
    other = dispatch.encode(replace(record, operator="bob"))
    with pytest.raises(RequestError) as caught:
        side.publisher.publish(
            site=SITE,
            releases=(),
            dispatch=other,
            packing=packing_list(),
            signers=side.signers,
            now=NOW,
        )
    assert str(caught.value) == "delivery 1 to site `plant7` was made already"


def test_a_release_given_but_not_named_is_refused(side: Authority) -> None:
    """It would be approved by accident."""
    with pytest.raises(RequestError, match="does not name releases"):
        side.publisher.publish(
            site=SITE,
            releases=[model()],
            dispatch=side.record(),
            packing=packing_list(),
            signers=side.signers,
            now=NOW,
        )


def test_junk_in_place_of_a_release_is_refused(side: Authority) -> None:
    """What is approved must be readable by every site."""
    junk = b'{"format":"airlift/release/1"}'
    with pytest.raises(FormatError):
        side.publisher.publish(
            site=SITE,
            releases=[junk],
            dispatch=side.record([junk]),
            packing=packing_list(),
            signers=side.signers,
            now=NOW,
        )
    assert side.publisher.deliveries(SITE) == ()


def test_a_site_that_is_not_known_is_named(side: Authority) -> None:
    """A typing slip must not make a site."""
    with pytest.raises(RequestError) as caught:
        side.publisher.deliveries("plant8")
    assert str(caught.value) == "there is no site `plant8`; known are `plant7`"
    with pytest.raises(RequestError, match="there is no site `plant8`"):
        side.publisher.delivered("plant8", 1)


def test_sites_are_told_with_their_keys(side: Authority) -> None:
    """The list is what an auditor asks for."""
    side.publisher.add_site("east", [ANN.public, BOB.public], 2, [ALICE, ANN, BOB], NOW)
    keys = tuple(sorted((ANN.public, BOB.public), key=lambda one: one.key_id))
    assert side.publisher.sites() == (
        Site(name="east", keys=keys, threshold=2),
        Site(name="plant7", keys=(ALICE.public,), threshold=1),
    )


def test_adding_a_site_again_alike_changes_nothing(side: Authority) -> None:
    """A script may run twice."""
    before = side.publisher.root_bytes(), side.publisher._repository.newest()
    side.publisher.add_site(SITE, [ALICE.public], 1, [ALICE], NOW)
    after = side.publisher.root_bytes(), side.publisher._repository.newest()
    assert before == after


def test_a_site_can_be_given_other_keys(side: Authority) -> None:
    """A site's operator leaves; her key must not count any longer."""
    state = land(side.deliver(), side.state()).state
    side.publisher.add_site(SITE, [BOB.public], 1, [ALICE, BOB], NOW)
    side.signers = (ALICE, BOB)
    verified = land(side.deliver(), state)
    signers = {one.role: one.name for one in verified.signed_by}
    assert signers["site-plant7"] == "bob"
    assert verified.missed == ()


@pytest.mark.parametrize("name", ["", "Plant", "a" * 33, "../x", "a_b"])
def test_a_site_needs_a_name_that_can_stand_in_a_path(
    side: Authority, name: str
) -> None:
    """The pattern of its role is made from it."""
    with pytest.raises(RequestError, match="cannot be a site's name"):
        side.publisher.add_site(name, [ALICE.public], 1, [ALICE], NOW)


@pytest.mark.parametrize(
    ("keys", "threshold", "problem"),
    [
        ((ANN, ANN), 1, r"among the approvers, `ann` has 2 key\(s\)"),
        ((ANN, key("ann", "ecdsa-sha2-nistp256")), 1, r"`ann` has 2 key\(s\)"),
        ((ANN, BOB), 3, "3 of 2 approvers cannot sign"),
        ((ANN, BOB), 0, "0 of 2 approvers cannot sign"),
        ((), 1, "1 of 0 approvers cannot sign"),
    ],
)
def test_a_plan_nobody_can_meet_is_refused(
    tmp_path: Path, keys: Sequence[object], threshold: int, problem: str
) -> None:
    """Found out after the ceremony, it would cost another."""
    people = tuple(one.public for one in keys)  # type: ignore[attr-defined]
    plan = RolePlan(
        approvers=people, approver_threshold=threshold, dispatchers=(ANN.public,)
    )
    with pytest.raises(RequestError, match=problem):
        Publisher.create(tmp_path / "side", plan=plan, signers=[ANN, BOB], now=NOW)
    assert not (tmp_path / "side").exists()


@pytest.mark.parametrize("days", [0, -1, 36501])
def test_a_life_that_makes_no_sense_is_refused(days: int) -> None:
    """A document that is expired when it is made stops every site."""
    with pytest.raises(RequestError) as caught:
        Lives(timestamp=days)
    assert str(caught.value) == f"the life of `timestamp` is {days} days"


def test_a_folder_in_use_is_not_begun_again(side: Authority) -> None:
    """Two beginnings in one folder would end both."""
    folder = side.folder
    with pytest.raises(RequestError, match="is not empty"):
        Authority(folder)


def test_another_folder_is_not_taken_for_one(tmp_path: Path) -> None:
    """A mistyped path gives a sentence."""
    with pytest.raises(RequestError) as caught:
        Publisher.open(tmp_path / "no")
    assert str(caught.value) == (
        "there is no repository of signed records at"
        f" `{tmp_path / 'no' / 'settings.json'}`"
    )


def test_only_one_process_signs_at_a_time(side: Authority) -> None:
    """Two at once would sign two records of one number."""
    other = Publisher.open(side.folder)
    with (
        side.publisher._repository.locked(),
        pytest.raises(RequestError) as caught,
    ):
        other.renew(side.signers, NOW)
    assert str(caught.value) == "another airlift is signing in this folder"


def test_expiries_are_told_for_every_role(side: Authority) -> None:
    """Somebody should renew before it is too late."""
    assert side.publisher.expiries() == {
        "root": clock.after(NOW, days=1095),
        "targets": clock.after(NOW, days=365),
        "site-plant7": clock.after(NOW, days=182),
        "snapshot": clock.after(NOW, days=90),
        "timestamp": clock.after(NOW, days=45),
    }


def test_what_expired_is_signed_anew_with_the_next_delivery(side: Authority) -> None:
    """A sender who was away for a year goes on as before."""
    state = land(side.deliver(), side.state()).state
    late = clock.after(NOW, days=400)
    offered = side.deliver(now=late)
    assert versions(offered)["targets"] == "3"
    assert land(offered, state, now=late).dispatch.sequence == 2


def test_what_will_soon_expire_is_renewed_only_if_the_keys_are_there(
    tmp_path: Path,
) -> None:
    """Nobody is called in early; who is there anyway signs."""
    plan = RolePlan(approvers=(ANN.public,), dispatchers=(BOB.public,))
    side = Authority(tmp_path / "side", plan=plan, signers=(ANN, BOB))
    late = clock.after(NOW, days=300)
    assert versions(side.deliver(now=late, signers=[BOB]))["targets"] == "2"
    assert versions(side.deliver(now=late, signers=[ANN, BOB]))["targets"] == "3"


def test_renewing_changes_nothing_that_is_fresh(side: Authority) -> None:
    """It can be run every night."""
    before = side.publisher.expiries()
    side.publisher.renew(side.signers, NOW)
    assert side.publisher.expiries() == before
    late = clock.after(NOW, days=60)
    side.publisher.renew(side.signers, late)
    assert side.publisher.expiries()["timestamp"] == clock.after(late, days=45)
    assert side.publisher.expiries()["targets"] == before["targets"]


def test_an_expired_root_must_be_renewed_first(side: Authority) -> None:
    """No site would believe anything under it."""
    late = clock.after(NOW, days=1100)
    with pytest.raises(RequestError) as caught:
        side.deliver(now=late)
    assert str(caught.value) == f"the root expired on {clock.after(NOW, days=1095)}"
    side.publisher.rotate(RolePlan.single(ALICE.public), [ALICE], late)
    offered = side.deliver(now=late)
    fresh = TrustState(site=SITE, anchor=offered["metadata/1.root.json"])
    assert land(offered, fresh, now=late).dispatch.sequence == 1


def test_lives_can_be_chosen_and_are_kept(tmp_path: Path) -> None:
    """Deliveries by ship need other lives than deliveries by hand."""
    lives = Lives(root=10, targets=20, site=30, snapshot=40, timestamp=50)
    plan = RolePlan.single(ALICE.public, lives=lives)
    side = Authority(tmp_path / "side", plan=plan)
    again = Publisher.open(tmp_path / "side")
    assert again._lives == lives
    side.deliver()
    assert side.publisher.expiries()["timestamp"] == clock.after(NOW, days=50)


@pytest.mark.parametrize("kind", ["releases", "dispatch", "packing", "metadata"])
def test_a_damaged_folder_is_found_out_before_anything_leaves(
    side: Authority, kind: str
) -> None:
    """The signing side's disk can rot as well."""
    side.deliver(model())
    folder = side.folder
    names = [name.rpartition("/")[2] for name in side.publisher.delivered(SITE, 1)]
    names += ["3.timestamp.json", "1.json"]
    for path in (folder / kind).rglob("*.json"):
        if path.name not in names:
            continue  # an older version, which this delivery does not take along
        data = path.read_bytes()
        path.write_bytes(data.replace(b'"', b"'", 1))
        with pytest.raises((StoreError, FormatError)):
            Publisher.open(folder).delivered(SITE, 1)
        path.write_bytes(data)
    assert Publisher.open(folder).delivered(SITE, 1)


def _publish_until_killed(side: Authority, record: bytes, steps: int) -> int:
    """Publish in a child that is killed at its *steps*-th change of a name.

    Returns:
        The number of the signal that ended the child, or 0 if it came to its end.
    """
    child = os.fork()
    if not child:
        left = steps

        def die(event: str, _args: object) -> None:
            nonlocal left
            if event in ("os.rename", "os.link", "os.remove"):
                left -= 1
                if left < 0:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(die)
        try:
            _publish(side, record)
            os._exit(0)
        finally:
            os._exit(1)
    status = os.waitpid(child, 0)[1]
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0


def _publish(side: Authority, record: bytes) -> dict[str, bytes]:
    return dict(
        Publisher.open(side.folder).publish(
            site=SITE,
            releases=[model()],
            dispatch=record,
            packing=packing_list(),
            signers=side.signers,
            now=NOW,
        )
    )


def test_a_kill_at_any_step_leaves_the_old_or_the_new(side: Authority) -> None:
    """After each kill the same command goes on, and sites never see the difference."""
    record, deaths = side.record([model()]), 0
    while _publish_until_killed(side, record, deaths) == signal.SIGKILL:
        deaths += 1
        held = Publisher.open(side.folder)
        assert len(held.deliveries(SITE)) in (0, 1)
    assert deaths >= 8
    offered = _publish(side, record)
    assert versions(offered) == {
        "root": "1",
        "targets": "3",
        "snapshot": "3",
        "site-plant7": "2",
    }
    assert land(offered, side.state()).dispatch.sequence == 1


@pytest.mark.parametrize("steps", range(8))
def test_another_delivery_after_a_kill_is_not_mixed_with_it(
    tmp_path: Path, steps: int
) -> None:
    """What a killed run left behind must not stand beside what comes instead."""
    side = Authority(tmp_path / "side", sites=(SITE, "other"))
    _publish_until_killed(side, side.record([model()]), steps)
    offered = side.deliver(model("org/else"), site="other")
    assert land(offered, side.state("other")).dispatch.site == "other"
    if side.publisher.deliveries(SITE) == ():
        assert side.publisher.latest_release(Kind.MODEL, "org/model") is None
    offered = side.deliver(model(), model("org/else"))
    assert len(land(offered, side.state()).releases) == 2


def test_a_folder_put_together_from_two_backups_is_found_out(
    side: Authority, tmp_path: Path
) -> None:
    """Half a restored backup must not be signed on."""
    twin = side.copied(tmp_path / "twin")
    side.deliver(model("org/a"))
    twin.deliver(model("org/b"))
    for name in ("3.targets.json", "2.site-plant7.json"):
        path = side.folder / "metadata" / name
        path.write_bytes((twin.folder / "metadata" / name).read_bytes())
    with pytest.raises(StoreError) as caught:
        Publisher.open(side.folder).sites()
    assert str(caught.value) == ("the files of timestamp 3 are not the ones it names")


def test_dispatchers_are_those_of_the_plan(tmp_path: Path) -> None:
    """A site without keys of its own is given these."""
    plan = RolePlan(approvers=(ANN.public,), dispatchers=(BOB.public,))
    side = Authority(tmp_path / "side", plan=plan, signers=(ANN, BOB))
    assert side.publisher.dispatchers().keys == (BOB.public,)


@pytest.mark.parametrize(
    "name", ["metadata/1.root.json", "dispatch/plant7/1.json", "packing/plant7/1.json"]
)
def test_a_lost_record_is_named(side: Authority, name: str) -> None:
    """The backup is then looked through for one file."""
    side.deliver()
    (side.folder / name).unlink()
    with pytest.raises(StoreError) as caught:
        Publisher.open(side.folder).delivered(SITE, 1)
    assert str(caught.value) == f"the repository of signed records lacks `{name}`"
    assert caught.value.hint == "restore the folder from its newest backup"
