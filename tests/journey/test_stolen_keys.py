"""What a thief of keys can make, imported: the error named, and not a byte changed.

Rows C1 to C13 of the threat model, on a root of three people with a key of each family
each, two of whom must sign with both.
"""

import itertools
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from airlift.errors import AirliftError, FormatError, TrustError
from airlift.format import dispatch
from airlift.format.packing import PackingList
from airlift.trust.keys import UnlockedKey
from airlift.trust.plan import RolePlan
from airlift.trust.publisher import Publisher
from airlift.trust.schemes import Family
from authority import NOW, Authority, covered, envelope, key, model, role_of
from crossing import Isolated
from handmade import Delivery

P384, MLDSA = "ecdsa-sha2-nistp384", "ml-dsa-87/1"
ANN, BOB, CAT, DAN, EVE = (
    (key(name, P384), key(name, MLDSA)) for name in ("ann", "bob", "cat", "dan", "eve")
)
PEOPLE = {"ann": ANN, "bob": BOB, "cat": CAT}
SIX = (*ANN, *BOB, *CAT)
PLAN = RolePlan(
    approvers=tuple(one.public for one in SIX),
    approver_threshold=2,
    dispatchers=tuple(one.public for one in DAN),
    profile="strict",
)
Records = dict[str, bytes]


@dataclass(frozen=True)
class Board:
    """A signing side, a site that took its first delivery, and the second one."""

    side: Authority
    site: Isolated
    offered: Records
    folder: Path

    def name(self, role: str) -> str:
        """Return the name of the file of *role* in the second delivery."""
        return next(name for name in self.offered if role_of(name) == role)

    def signed(self, role: str) -> dict[str, Any]:
        """Return what the signatures of *role* cover."""
        found: dict[str, Any] = json.loads(self.offered[self.name(role)])["signed"]
        return found

    def forged(self, role: str, signers: Iterable[UnlockedKey]) -> Records:
        """Return the delivery with *role* signed by *signers* and nobody else."""
        return self.offered | {self.name(role): envelope(self.signed(role), signers)}

    def refused(self, records: Records) -> AirliftError:
        """Import *records*; return the error, having compared the site to the byte."""
        before = self.site.fingerprint()
        with pytest.raises(AirliftError) as caught:
            self.site.land(written(records, self.folder))
        assert self.site.fingerprint() == before
        self.site.forget()
        return caught.value


def written(records: Records, folder: Path) -> Path:
    """Write *records* as the one volume of a delivery into a new folder."""
    at = folder / f"medium-{len(list(folder.iterdir()))}"
    name = max(name for name in records if name.startswith("records/dispatch/"))
    record = dispatch.decode(records[name])
    Delivery(
        records=records, record=record, listing=PackingList(blobs=()), parts=()
    ).write(at)
    return at


def made(folder: Path) -> Board:
    """Return a board in *folder*."""
    side = Authority(folder / "side", plan=PLAN, signers=(*SIX, *DAN))
    site = Isolated(folder / "isolated", side.publisher.root_bytes())
    media = folder / "media"
    media.mkdir()
    site.land(written(side.deliver(), media), now=NOW)
    return Board(side=side, site=site, offered=side.deliver(model()), folder=media)


@pytest.fixture(name="board", scope="module")
def _board(tmp_path_factory: pytest.TempPathFactory) -> Board:
    """One for all tests that change nothing, as ``refused`` shows of each."""
    return made(tmp_path_factory.mktemp("board"))


@pytest.fixture(name="own")
def _own(tmp_path: Path) -> Board:
    return made(tmp_path)


def pairs() -> list[tuple[UnlockedKey, ...]]:
    """Return every two whole people."""
    return [a + b for a, b in itertools.combinations(PEOPLE.values(), 2)]


def test_every_two_people_can_send_a_root_and_its_delivery(tmp_path: Path) -> None:
    """Every refusal below starts from what is believed; no one of three is needed."""
    for at, signers in enumerate(pairs()):
        folder = tmp_path / str(at)
        folder.mkdir()
        side = Authority(folder / "side", plan=PLAN, signers=(*signers, *DAN))
        site = Isolated(folder / "isolated", side.publisher.root_bytes())
        assert not site.land(written(side.deliver(), folder), now=NOW).repeat


@pytest.mark.parametrize("thief", SIX, ids=lambda one: f"{one.public.name}")
def test_c1_one_stolen_key_signs_nothing(board: Board, thief: UnlockedKey) -> None:
    """Whoever has one key can only make a delivery late."""
    error = board.refused(board.forged("targets", [thief]))
    assert isinstance(error, TrustError)
    expected = f"`{board.name('targets')}` has 1 of the 4 signatures it needs from `"
    assert expected in str(error)


def test_c1_one_robbed_person_signs_nothing(board: Board) -> None:
    """Both keys of one person are still one person."""
    for robbed in PEOPLE.values():
        error = board.refused(board.forged("targets", robbed))
        assert "has 2 of the 4 signatures it needs" in str(error)


def test_c2_one_key_that_signs_twice_counts_once(board: Board) -> None:
    """Signatures of ML-DSA are random: two of them differ, and are still one key's."""
    signed = board.signed("targets")
    entries = [
        {"keyid": ANN[1].public.key_id, "sig": ANN[1].sign(covered(signed)).hex()}
        for _ in range(4)
    ]
    assert len({one["sig"] for one in entries}) == len(entries)
    table = {"signatures": entries, "signed": signed}
    text = json.dumps(table, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    error = board.refused(board.offered | {board.name("targets"): text.encode()})
    assert isinstance(error, FormatError)
    assert "has signed already" in str(error)


def test_c3_one_key_under_two_ids_is_refused(board: Board) -> None:
    """With ids taken on trust, one key would meet a threshold of two alone."""
    signed = board.signed("targets")
    role = signed["delegations"]["roles"][0]
    keys = signed["delegations"]["keys"]
    first = role["keyids"][0]
    keys["0" * 64] = keys[first]
    role["keyids"] = sorted([*role["keyids"], "0" * 64])
    forged = envelope(signed, (*ANN, *BOB))
    error = board.refused(board.offered | {board.name("targets"): forged})
    assert isinstance(error, FormatError)
    assert "goes with a key whose id is not computed from it" in str(error)


def test_c3_one_person_with_two_keys_of_a_family_is_refused(board: Board) -> None:
    """Otherwise one person could be made to count for two."""
    signed = board.signed("targets")
    role, keys = signed["delegations"]["roles"][0], signed["delegations"]["keys"]
    again = key("Dan", P384)
    keys[again.public.key_id] = again.public.to_json()
    role["keyids"] = sorted([*role["keyids"], again.public.key_id])
    forged = envelope(signed, (*ANN, *BOB))
    error = board.refused(board.offered | {board.name("targets"): forged})
    assert isinstance(error, FormatError)
    assert "goes with people without a key of each family" in str(error)


def revoked(board: Board, *, gone: Sequence[UnlockedKey] = CAT) -> Records:
    """Put eve in the place of *gone*; return the delivery that follows."""
    left = [one for one in SIX if one not in gone]
    plan = replace(PLAN, approvers=tuple(one.public for one in (*left, *EVE)))
    publisher = Publisher.open(board.side.folder)
    publisher.rotate(plan, [*left, *EVE, *DAN], NOW)
    return board.side.deliver(signers=(*left, *EVE, *DAN))


def test_c4_a_revoked_key_signs_nothing(own: Board) -> None:
    """From the next delivery on, a stolen key is worth nothing."""
    offered = revoked(own)
    later = replace(own, offered=offered)
    error = later.refused(later.forged("targets", (*ANN, *CAT)))
    ids = {one.public.key_id[:16] for one in CAT}
    assert isinstance(error, TrustError)
    assert any(
        f"`{later.name('targets')}` is signed by key {one}, which has no say in it"
        in str(error)
        for one in ids
    )
    own.site.land(written(offered, own.folder), now=NOW)
    assert "2.root.json" in own.site.registry.trust_state().metadata


def test_c5_no_link_of_the_chain_of_roots_can_be_left_out(own: Board) -> None:
    """A courier who drops the root that revokes a key is found out."""
    offered = revoked(own)
    publisher = Publisher.open(own.side.folder)
    publisher.rotate(PLAN, [*SIX, *EVE, *DAN], NOW)
    offered = own.side.deliver(signers=(*SIX, *DAN))
    roots = [name for name in offered if role_of(name) == "root"]
    assert len(roots) == 3
    for dropped in roots:
        kept = {name: data for name, data in offered.items() if name != dropped}
        assert isinstance(own.refused(kept), FormatError | TrustError)
    own.site.land(written(offered, own.folder), now=NOW)


def test_c6_what_revokes_a_key_is_small(own: Board) -> None:
    """A courier can be sent with a revocation alone: an empty delivery carries it."""
    (volume,) = written(revoked(own), own.folder).iterdir()
    # Two roots of 9 keys and up to 8 signatures of both families: 80 kB and 38 kB.
    assert volume.stat().st_size < 200_000


def test_c10_one_person_cannot_wave_a_root_through(own: Board) -> None:
    """An insider with a whole say and loose keys of others is still one person."""
    offered = revoked(own)
    later = replace(own, offered=offered)
    name = "metadata/2.root.json"
    signed = json.loads(offered[name])["signed"]
    error = later.refused(offered | {name: envelope(signed, (*ANN, *EVE))})
    assert f"`{name}` has 2 of the 4 signatures it needs" in str(error)
    assert isinstance(error, TrustError)


@pytest.mark.parametrize("scheme", ["ed25519", "ecdsa-sha2-nistp256", "ml-dsa-65/1"])
def test_c11_a_key_under_another_scheme_is_refused(board: Board, scheme: str) -> None:
    """The scheme is a property of the key; a label cannot make a weaker check of it."""
    signed = board.signed("targets")
    table = next(iter(signed["delegations"]["keys"].values()))
    table["scheme"] = scheme
    forged = envelope(signed, (*ANN, *BOB))
    error = board.refused(board.offered | {board.name("targets"): forged})
    assert isinstance(error, FormatError)
    assert f"is {scheme}, but the key is" in str(error)


def _without(hashes: dict[str, str]) -> None:
    hashes.clear()


def _beside(hashes: dict[str, str]) -> None:
    hashes["md5"] = "0" * 32


def _instead(hashes: dict[str, str]) -> None:
    hashes["sha512"] = hashes.pop("sha256") * 2


@pytest.mark.parametrize("edit", [_without, _beside, _instead])
def test_c12_no_hash_but_sha256_is_taken(
    board: Board, edit: Callable[[dict[str, str]], None]
) -> None:
    """A weaker hash beside a good one is one that somebody may check instead."""
    signed = board.signed("targets")
    edit(next(iter(signed["targets"].values()))["hashes"])
    forged = envelope(signed, (*ANN, *BOB))
    error = board.refused(board.offered | {board.name("targets"): forged})
    assert isinstance(error, FormatError)
    assert "sha256" in str(error)


@pytest.mark.parametrize("broken", [0, 1], ids=[str(one) for one in Family])
def test_c13_a_broken_family_signs_nothing(board: Board, broken: int) -> None:
    """Whoever can forge every signature of one family has three of four."""
    forgers = [held[broken] for held in PEOPLE.values()]
    error = board.refused(board.forged("targets", forgers))
    assert "has 3 of the 4 signatures it needs" in str(error)


@pytest.mark.parametrize("broken", [0, 1], ids=[str(one) for one in Family])
def test_c13_a_broken_family_and_a_robbed_person_sign_nothing(
    board: Board, broken: int
) -> None:
    """Four keys of six, and one person: stock TUF alone would take it."""
    for name, robbed in PEOPLE.items():
        others = [held[broken] for other, held in PEOPLE.items() if other != name]
        error = board.refused(board.forged("targets", (*robbed, *others)))
        assert "has 1 of the 2 people it needs to sign with both keys" in str(error)


def test_a_fifth_signature_is_refused(board: Board) -> None:
    """Otherwise a courier could leave it out and nobody would know."""
    error = board.refused(board.forged("targets", (*ANN, *BOB, CAT[0])))
    assert "has a signature more than it needs" in str(error)
