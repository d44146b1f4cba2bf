"""The thief's attacks: stolen, revoked, doubled, foreign and superfluous signatures."""

import itertools
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from airlift.digest import sha256
from airlift.errors import AirliftError, FormatError, TrustError
from airlift.trust.delivery import TrustState
from airlift.trust.keys import UnlockedKey
from airlift.trust.plan import RolePlan
from airlift.trust.site import accept_root
from authority import (
    NOW,
    SITE,
    Authority,
    covered,
    envelope,
    key,
    land,
    model,
    resign,
    role_of,
)

ANN, BOB, CAT, EVE = (key(name) for name in ("ann", "bob", "cat", "eve"))
ROLES = ("root", "targets", "site-plant7", "snapshot", "timestamp")


@dataclass(frozen=True)
class Board:
    """Two of three approvers, two of two dispatchers, and one delivery."""

    offered: dict[str, bytes]
    state: TrustState

    def name(self, role: str) -> str:
        """Return the name of the file of *role*."""
        return next(name for name in self.offered if role_of(name) == role)

    def land(self, offered: dict[str, bytes]) -> None:
        """Import *offered* at a site that accepted this board's root, or its own."""
        root = offered[self.name("root")]
        land(offered, replace(self.state, anchor=root))


@pytest.fixture(name="board", scope="module")
def _board(tmp_path_factory: pytest.TempPathFactory) -> Board:
    plan = RolePlan(
        approvers=(ANN.public, BOB.public, CAT.public),
        approver_threshold=2,
        dispatchers=(ANN.public, BOB.public),
        dispatch_threshold=2,
    )
    folder = tmp_path_factory.mktemp("board") / "side"
    side = Authority(folder, plan=plan, signers=(ANN, BOB))
    return Board(offered=side.deliver(model()), state=side.state())


def signed_of(data: bytes) -> dict[str, Any]:
    """Return what the signatures of a metadata file cover."""
    signed: dict[str, Any] = json.loads(data)["signed"]
    return signed


def with_signatures(data: bytes, entries: list[dict[str, str]]) -> bytes:
    """Return a metadata file with other signature entries."""
    table = {"signatures": entries, "signed": signed_of(data)}
    return json.dumps(
        table, sort_keys=True, separators=(",", ":"), ensure_ascii=False
    ).encode()


def entries_of(data: bytes, signers: Iterable[UnlockedKey]) -> list[dict[str, str]]:
    """Return good signature entries by *signers*, sorted."""
    payload = covered(signed_of(data))
    made = [
        {"keyid": one.public.key_id, "sig": one.sign(payload).hex()} for one in signers
    ]
    return sorted(made, key=lambda entry: entry["keyid"])


def test_the_board_is_believed(board: Board) -> None:
    """Every refusal below starts from this."""
    board.land(board.offered)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("thief", [ANN, BOB])
def test_one_stolen_key_is_not_enough(
    board: Board, role: str, thief: UnlockedKey
) -> None:
    """A threshold of two exists so that one robbed person can only delay."""
    name = board.name(role)
    alone = envelope(signed_of(board.offered[name]), [thief])
    with pytest.raises(TrustError) as caught:
        board.land(board.offered | {name: alone})
    assert str(caught.value).startswith(
        f"`{name}` has 1 of the 2 signatures it needs from `"
    )


@pytest.mark.parametrize("role", ROLES)
def test_one_key_that_signs_twice_counts_once(board: Board, role: str) -> None:
    """Two entries of one key must not make two signers."""
    name = board.name(role)
    (entry,) = entries_of(board.offered[name], [ANN])
    doubled = with_signatures(board.offered[name], [entry, entry])
    with pytest.raises(FormatError, match="has signed already"):
        board.land(board.offered | {name: doubled})


@pytest.mark.parametrize("role", ROLES)
def test_a_strangers_signature_beside_good_ones_is_refused(
    board: Board, role: str
) -> None:
    """TUF passes over it; here not a byte travels that nobody vouches for."""
    name = board.name(role)
    data = with_signatures(
        board.offered[name], entries_of(board.offered[name], [ANN, BOB, EVE])
    )
    with pytest.raises(TrustError) as caught:
        board.land(board.offered | {name: data})
    assert str(caught.value) == (
        f"`{name}` is signed by key {EVE.public.key_id[:16]}, which has no say in it"
    )


@pytest.mark.parametrize("role", ["root", "targets"])
def test_a_signature_more_than_needed_is_refused(board: Board, role: str) -> None:
    """Otherwise a courier could leave it out and nobody would know."""
    name = board.name(role)
    data = with_signatures(
        board.offered[name], entries_of(board.offered[name], [ANN, BOB, CAT])
    )
    with pytest.raises(TrustError, match="has a signature more than it needs"):
        board.land(board.offered | {name: data})


@pytest.mark.parametrize("role", ROLES)
def test_an_invalid_signature_beside_good_ones_is_refused(
    board: Board, role: str
) -> None:
    """TUF would count the others; its bytes would be free to choose."""
    name = board.name(role)
    entries = entries_of(board.offered[name], [ANN, BOB])
    entries[0]["sig"] = "00" * 64
    with pytest.raises(TrustError, match=r"the signature of .* is not valid"):
        board.land(
            board.offered | {name: with_signatures(board.offered[name], entries)}
        )


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(
    ("mangle", "error"),
    [
        (lambda e: [{**e[0], "sig": e[0]["sig"].upper()}, e[1]], "not lower-case"),
        (lambda e: [{**e[0], "keyid": e[0]["keyid"].upper()}, e[1]], "not 64 lower"),
        (lambda e: [e[1], e[0]], "is not in the form airlift writes"),
        (lambda e: [{**e[0], "note": "x"}, e[1]], "is not known here"),
        (lambda e: [{**e[0], "sig": ""}, e[1]], "not lower-case hexadecimal"),
        (lambda e: [{**e[0], "sig": "abc"}, e[1]], "not lower-case hexadecimal"),
        (lambda e: [{**e[0], "sig": e[0]["sig"] + "00"}, e[1]], "is not valid"),
        (lambda e: [{"keyid": e[0]["keyid"]}, e[1]], "`signatures.0..sig` is missing"),
    ],
)
def test_a_signature_in_another_spelling_is_refused(
    board: Board, role: str, mangle: Any, error: str
) -> None:
    """Signatures cannot sign themselves, so their spelling is fixed instead."""
    name = board.name(role)
    entries = mangle(entries_of(board.offered[name], [ANN, BOB]))
    with pytest.raises(AirliftError, match=error):
        board.land(
            board.offered | {name: with_signatures(board.offered[name], entries)}
        )


def test_more_signatures_than_anybody_needs_are_not_checked(board: Board) -> None:
    """Each costs time; a million of them must cost none."""
    name = board.name("timestamp")
    entries = [{"keyid": f"{at:064x}", "sig": "00"} for at in range(100)]
    data = with_signatures(board.offered[name], entries)
    with pytest.raises(FormatError, match="is one of more than 64 signatures"):
        board.land(board.offered | {name: data})


def _second_id(signed: dict[str, Any], role: str) -> None:
    """Register Ann's key a second time under an invented id."""
    twin = "0" * 64
    signed["keys"][twin] = signed["keys"][ANN.public.key_id]
    signed["roles"][role]["keyids"] = sorted([twin, *signed["roles"][role]["keyids"]])


@pytest.mark.parametrize("role", ["root", "targets", "snapshot", "timestamp"])
def test_one_key_under_two_ids_is_refused(board: Board, role: str) -> None:
    """TUF's own client lets such a key meet a threshold of two alone."""
    signed = signed_of(board.offered[board.name("root")])
    _second_id(signed, role)
    root = envelope(signed, [ANN, BOB])
    with pytest.raises(FormatError) as caught:
        board.land(board.offered | {board.name("root"): root})
    assert str(caught.value) == (
        f"`metadata/1.root.json`: `signed.keys.{'0' * 64}.scheme` goes with a key whose"
        " id is not computed from it"
    )


def test_one_key_under_two_ids_is_refused_for_sites(board: Board) -> None:
    """Delegations carry keys of their own."""

    def double(signed: dict[str, Any]) -> None:
        twin = "0" * 64
        delegations = signed["delegations"]
        delegations["keys"][twin] = delegations["keys"][ANN.public.key_id]
        delegations["roles"][0]["keyids"] = sorted([twin, ANN.public.key_id])

    forged = resign(board.offered, {"targets": double}, [ANN, BOB])
    with pytest.raises(FormatError, match="whose id is not computed from it"):
        board.land(forged)


@pytest.mark.parametrize(
    ("edit", "error"),
    [
        (lambda s: s["roles"]["root"].update(threshold=4), "is 4 of 3 keys"),
        (lambda s: s["roles"]["root"].update(threshold=0), "expected at least 1"),
        (lambda s: s["roles"]["root"].update(keyids=[]), "is 2 of 0 keys"),
        (lambda s: s["roles"]["root"]["keyids"].append("f" * 64), "not a sorted|list"),
        (lambda s: s["roles"]["root"]["keyids"].reverse(), "not a sorted array"),
        (lambda s: s["roles"].pop("snapshot"), "`signed.roles.snapshot` is missing"),
        (lambda s: s["roles"].update(mirrors={}), "is not known here"),
        (lambda s: s.update(consistent_snapshot=False), "is false, expected true"),
        (lambda s: s.update(version=0), "is 0, expected at least 1"),
        (lambda s: s.update(version=2), "`signed.x-airlift-previous` is missing"),
        (lambda s: s.update(spec_version="2.0.0"), "is `2.0.0`, expected `1.0.31`"),
        (lambda s: s.update(_type="targets"), "is `targets`, expected `root`"),
        (lambda s: s.update(expires="2030-1-1T00:00:00Z"), "expected a time like"),
        (
            lambda s: s["keys"].update({EVE.public.key_id: EVE.public.to_json()}),
            "which no role uses",
        ),
        (
            lambda s: s["keys"][ANN.public.key_id].update(scheme="rsassa-pss-sha256"),
            "has the unknown value",
        ),
        (
            lambda s: s["keys"][ANN.public.key_id].update({"x-airlift-name": "a\nb"}),
            "has characters that cannot be shown",
        ),
    ],
)
def test_a_root_that_is_unsound_is_refused_though_signed(
    board: Board, edit: Any, error: str
) -> None:
    """A mistake at a ceremony must not become the law of a site."""
    signed = signed_of(board.offered[board.name("root")])
    edit(signed)
    root = envelope(signed, [ANN, BOB])
    with pytest.raises(AirliftError, match=error):
        board.land(board.offered | {board.name("root"): root})
    with pytest.raises(AirliftError, match=error):
        accept_root(root, site=SITE)


@pytest.mark.parametrize(
    ("edit", "error"),
    [
        (lambda r: r.update(terminating=False), "is false, expected true"),
        (lambda r: r.update(paths=["dispatch/*/*"]), "are not exactly"),
        (lambda r: r.update(paths=["dispatch/plant7/*", "releases/*"]), "not exactly"),
        (lambda r: r.update(paths=[]), "are not exactly `dispatch/plant7/.`"),
        (lambda r: r.update(name="site-other"), "are not exactly `dispatch/other/"),
        (lambda r: r.update(name="plant7"), "is not a site's role"),
        (lambda r: r.update(name="site-../x"), "is not a site's role"),
        (lambda r: r.update(path_hash_prefixes=["0"]), "is not known here"),
        (lambda r: r.update(threshold=3), "is 3 of 2 keys"),
    ],
)
def test_a_delegation_wider_than_one_site_is_refused(
    board: Board, edit: Any, error: str
) -> None:
    """A site's key could otherwise vouch for releases or for other sites."""

    def widen(signed: dict[str, Any]) -> None:
        edit(signed["delegations"]["roles"][0])

    forged = resign(board.offered, {"targets": widen}, [ANN, BOB])
    with pytest.raises(AirliftError, match=error):
        board.land(forged)


@pytest.mark.parametrize(
    ("role", "edit", "error"),
    [
        (
            "targets",
            lambda s: s["targets"].update(
                {
                    "dispatch/plant7/1.json": {
                        "hashes": {"sha256": "0" * 64},
                        "length": 1,
                    }
                }
            ),
            "name `dispatch/plant7/1.json`, which is unknown",
        ),
        (
            "targets",
            lambda s: s["targets"].update(
                {f"releases/{'1' * 64}.json": _entry("2" * 64)}
            ),
            "with another file's digest",
        ),
        (
            "targets",
            lambda s: s["targets"].update({"releases/x.json": _entry("2" * 64)}),
            "which is unknown",
        ),
        ("targets", lambda s: s.pop("delegations"), "`signed.delegations` is missing"),
        (
            "targets",
            lambda s: s["delegations"].update(succinct_roles={}),
            "is not known here",
        ),
        (
            "targets",
            lambda s: s["delegations"]["roles"].append(s["delegations"]["roles"][0]),
            "is not in the form airlift writes",
        ),
        (
            "site-plant7",
            lambda s: s["targets"].update({"dispatch/plant7/2.json": _entry("2" * 64)}),
            "names more than the newest dispatch record",
        ),
        (
            "site-plant7",
            lambda s: s.update(targets={f"releases/{'2' * 64}.json": _entry("2" * 64)}),
            "which is unknown",
        ),
        (
            "site-plant7",
            lambda s: s.update(delegations={"keys": {}, "roles": []}),
            "is not known here",
        ),
        (
            "site-plant7",
            lambda s: s.update(targets={}),
            "is not what `metadata/2.site-plant7.json` vouches for",
        ),
        (
            "site-plant7",
            lambda s: next(iter(s["targets"].values())).update(length=1),
            "is not what `metadata/2.site-plant7.json` vouches for",
        ),
        (
            "site-plant7",
            lambda s: next(iter(s["targets"].values()))["hashes"].update(md5="0" * 32),
            "is not known here",
        ),
        (
            "snapshot",
            lambda s: s["meta"].pop("root.json"),
            "leaves out role `root`",
        ),
        (
            "snapshot",
            lambda s: s["meta"].pop("site-plant7.json"),
            "leaves out role `site-plant7`",
        ),
        (
            "snapshot",
            lambda s: s["meta"].update({"site-no.json": s["meta"]["targets.json"]}),
            "has an unknown role `site-no`",
        ),
        (
            "snapshot",
            lambda s: s["meta"].update({"evil.json": s["meta"]["targets.json"]}),
            "name `evil.json`, which is unknown",
        ),
        (
            "snapshot",
            lambda s: s["meta"]["targets.json"].update(version=9),
            "calls for version 9 of what is offered as `metadata/3.targets.json`",
        ),
        (
            "snapshot",
            lambda s: s["meta"]["targets.json"].update({"x-airlift-signed": "0" * 64}),
            "calls for another `metadata/3.targets.json`",
        ),
        (
            "timestamp",
            lambda s: s["meta"].update({"targets.json": s["meta"]["snapshot.json"]}),
            "is not known here",
        ),
        (
            "timestamp",
            lambda s: s["meta"]["snapshot.json"].update(hashes={}),
            "is not known here",
        ),
    ],
)
def test_documents_beyond_their_office_are_refused_though_signed(
    board: Board, role: str, edit: Any, error: str
) -> None:
    """What TUF would ignore, or leave open, has one legal form here."""
    forged = resign(board.offered, {role: edit}, [ANN, BOB])
    with pytest.raises(AirliftError, match=error):
        board.land(forged)


def _entry(digest: str) -> dict[str, Any]:
    return {"hashes": {"sha256": digest}, "length": 1}


def test_a_revoked_key_signs_in_vain(tmp_path: Path) -> None:
    """Five revocations in a row, and each thief tries after hers."""
    people = [key(f"p{at}") for at in range(6)]
    side = Authority(tmp_path / "side", signers=(people[0],))
    start, state = side.state(), side.state()
    for old, new in itertools.pairwise(people):
        side.publisher.rotate(RolePlan.single(new.public), [old, new], NOW)
        side.signers = (new,)
        offered = side.deliver()
        state = land(offered, state).state
        assert land(offered, start).id == state.deliveries[0].sha256
        forged = resign(offered, dict.fromkeys(ROLES[1:], lambda _signed: None), [old])
        with pytest.raises(TrustError, match="which has no say in it"):
            land(forged, start)


def test_a_revoked_key_and_a_good_one_are_not_two(tmp_path: Path) -> None:
    """A threshold of two with one key revoked needs two others."""
    plan = RolePlan(
        approvers=(ANN.public, BOB.public),
        approver_threshold=2,
        dispatchers=(ANN.public,),
    )
    side = Authority(tmp_path / "side", plan=plan, signers=(ANN, BOB, CAT))
    state = side.state()
    after = replace(plan, approvers=(ANN.public, CAT.public))
    side.publisher.rotate(after, [ANN, BOB, CAT], NOW)
    offered = side.deliver(model())
    land(offered, state)
    name = next(one for one in offered if role_of(one) == "targets")
    data = with_signatures(offered[name], entries_of(offered[name], [ANN, BOB]))
    with pytest.raises(TrustError, match="which has no say in it"):
        land(offered | {name: data}, state)


@pytest.mark.parametrize("signers", [(ANN,), (BOB,)])
def test_a_new_root_needs_the_old_keys_and_the_new(
    tmp_path: Path, signers: tuple[UnlockedKey, ...]
) -> None:
    """The old alone cannot be outvoted; the new alone could be anybody."""
    side = Authority(tmp_path / "side", signers=(ANN,))
    state = side.state()
    side.publisher.rotate(RolePlan.single(BOB.public), [ANN, BOB], NOW)
    side.signers = (BOB,)
    offered = side.deliver()
    name = "metadata/2.root.json"
    data = with_signatures(offered[name], entries_of(offered[name], signers))
    with pytest.raises(TrustError, match="has 0 of the 1 signatures it needs from"):
        land(offered | {name: data}, state)


def test_a_root_that_names_another_predecessor_is_refused(tmp_path: Path) -> None:
    """The chain is fixed to the byte, back to the first root."""
    side = Authority(tmp_path / "side", signers=(ANN,))
    state = side.state()
    side.publisher.rotate(RolePlan.single(BOB.public), [ANN, BOB], NOW)
    side.signers = (BOB,)
    offered = side.deliver()
    signed = signed_of(offered["metadata/2.root.json"])
    signed["x-airlift-previous"] = sha256(b"another root")
    offered["metadata/2.root.json"] = envelope(signed, [ANN, BOB])
    with pytest.raises(TrustError) as caught:
        land(offered, state)
    assert str(caught.value) == (
        "`metadata/2.root.json` does not follow the root before it"
    )


def test_a_long_chain_of_roots_is_followed(tmp_path: Path) -> None:
    """A site left alone for years catches up with one delivery."""
    side = Authority(tmp_path / "side", signers=(ANN,))
    state = side.state()
    for at in range(20):
        old, new = (ANN, BOB) if at % 2 == 0 else (BOB, ANN)
        side.publisher.rotate(RolePlan.single(new.public), [old, new], NOW)
    verified = land(side.deliver(), state)
    assert "21.root.json" in verified.state.metadata
