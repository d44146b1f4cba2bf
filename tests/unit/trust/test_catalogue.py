"""Catalogues: who may sign them, what a site believes, and what their key is not."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import catalogues
from airlift.artifact import Kind
from airlift.digest import sha256
from airlift.errors import AirliftError, FormatError, RequestError, TrustError
from airlift.format import catalogue, catalogue_file
from airlift.format.catalogue import Catalogue
from airlift.format.catalogue_file import Parts
from airlift.trust import catalogue as trusted
from airlift.trust import ceremony, metadata, strict
from airlift.trust.catalogue import Newest
from airlift.trust.delivery import TrustState
from airlift.trust.keys import UnlockedKey
from airlift.trust.plan import RolePlan
from airlift.trust.quorum import quorum
from authority import (
    NOW,
    SITE,
    Authority,
    envelope,
    key,
    land,
    model,
    prints,
    resign,
    role_of,
)

ALICE, CAT, BOB = key("alice"), key("cat"), key("bob")
FIRST = catalogues.of(catalogues.item())
ROLE = quorum([CAT.public], 1)


def told(side: Authority, *signers: UnlockedKey, threshold: int = 1) -> TrustState:
    """Return what a site believes that was told who signs catalogues."""
    wanted = quorum([one.public for one in signers or (CAT,)], threshold)
    side.publisher.set_catalogue(wanted, side.signers, NOW)
    return land(side.deliver(model()), side.state()).state


def newest(one: Catalogue) -> Newest:
    """Return what a site remembers that holds *one*."""
    digest = catalogue.identify(catalogue.encode(one))
    return Newest(sequence=one.sequence, id=digest, issued=one.issued)


def believe(
    data: bytes, state: TrustState, held: Newest | None = None
) -> trusted.VerifiedCatalogue:
    """Judge *data* as a site does."""
    return trusted.verify(data, state, held, name="it")


def refused(data: bytes, state: TrustState, held: Newest | None = None) -> AirliftError:
    """Return why *data* is not believed."""
    with pytest.raises(AirliftError) as caught:
        believe(data, state, held)
    return caught.value


def test_a_site_believes_the_catalogue_of_the_key_it_was_told(side: Authority) -> None:
    """The way everything else depends on."""
    state = told(side)
    data = trusted.sign(FIRST, ROLE, [ALICE, CAT])
    found = believe(data, state)
    assert (found.catalogue, found.file, found.id) == (FIRST, data, newest(FIRST).id)
    assert [(one.role, one.name) for one in found.signed_by] == [("catalogue", "cat")]
    assert (found.repeat, found.missed) == (False, 0)


def test_a_site_that_was_told_of_no_key_believes_nobody(side: Authority) -> None:
    """Else the first stick to arrive could say who is right."""
    state = land(side.deliver(model()), side.state()).state
    error = refused(trusted.sign(FIRST, ROLE, [CAT]), state)
    assert isinstance(error, TrustError)
    assert error.problem == "site `plant7` knows of no key that signs catalogues"


@pytest.mark.parametrize("thief", [ALICE, BOB])
def test_no_other_key_signs_catalogues(side: Authority, thief: UnlockedKey) -> None:
    """Not even an approver's: each role is its own."""
    state = told(side)
    data = trusted.sign(FIRST, quorum([thief.public], 1), [thief])
    assert refused(data, state).problem == (
        f"it is signed by key {thief.public.key_id[:16]}, which has no say in it"
    )


def test_the_threshold_of_catalogues_counts(side: Authority) -> None:
    """Two must agree where the approvers said two."""
    state = told(side, CAT, BOB, threshold=2)
    both = quorum([CAT.public, BOB.public], 2)
    assert believe(trusted.sign(FIRST, both, [CAT, BOB]), state).catalogue == FIRST
    error = refused(trusted.sign(FIRST, ROLE, [CAT]), state)
    names = ", ".join(f"`{one.name}`" for one in both.keys)
    assert error.problem == f"it has 1 of the 2 signatures it needs from {names}"
    with pytest.raises(RequestError) as caught:
        trusted.sign(FIRST, both, [CAT, ALICE])
    assert caught.value.problem == "the catalogue needs more signatures: 1 of `bob`"


def test_not_a_byte_of_a_catalogue_can_change(side: Authority) -> None:
    """Every byte is signed, or has one legal value."""
    state = told(side)
    data = trusted.sign(FIRST, ROLE, [CAT])
    accepted = []
    for at in range(len(data)):
        broken = bytearray(data)
        broken[at] ^= 1
        try:
            believe(bytes(broken), state)
        except (FormatError, TrustError):
            continue
        accepted.append(at)
    assert accepted == []


@pytest.mark.parametrize("end", [b"", b"\0"])
def test_neither_a_cut_nor_a_tail_is_believed(side: Authority, end: bytes) -> None:
    """A courier's program may cut a file, or pad it."""
    state = told(side)
    data = trusted.sign(FIRST, ROLE, [CAT])
    assert isinstance(
        refused((data[:-1] if not end else data) + end, state), TrustError
    )


def forged(
    change: Callable[[dict[str, Any]], object], document: bytes | None = None
) -> bytes:
    """Return a catalogue whose role the thief of its key changed, and signed."""
    compressed = catalogue_file.compress(
        catalogue.encode(FIRST) if document is None else document
    )
    signed: dict[str, Any] = {
        "_type": "targets",
        "spec_version": metadata.SPEC,
        "version": 1,
        "expires": FIRST.valid_until,
        "targets": {
            "catalogue/1.json.zst": {
                "length": len(compressed),
                "hashes": {"sha256": sha256(compressed)},
            }
        },
    }
    change(signed)
    role = envelope(signed, [CAT])
    return catalogue_file.join(Parts(role=role, document=compressed))


def rename(name: str) -> Callable[[dict[str, Any]], object]:
    """Return what gives the only target another name."""

    def change(signed: dict[str, Any]) -> None:
        signed["targets"] = {name: signed["targets"].popitem()[1]}

    return change


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            lambda signed: signed.update(version=2),
            "the document in it is not the one its signatures vouch for",
        ),
        (
            lambda signed: signed.update(targets={}),
            "the document in it is not the one its signatures vouch for",
        ),
        (
            rename("catalogue/2.json.zst"),
            "the document in it is not the one its signatures vouch for",
        ),
        (
            lambda signed: signed.update(expires="2099-01-01T00:00:00Z"),
            (
                "the document in it is number 1, valid until 2026-03-06T06:00:00Z; its"
                " signatures say 1 and 2099-01-01T00:00:00Z"
            ),
        ),
        (
            rename("dispatch/plant7/1.json"),
            (
                "the role in it: `signed.targets` name `dispatch/plant7/1.json`, which is"
                " unknown"
            ),
        ),
        (
            lambda signed: signed.update(surprise=1),
            (
                "the role in it: `signed.surprise` is not known here; known are `_type`,"
                " `spec_version`, `version`, `expires`, `targets`"
            ),
        ),
    ],
)
def test_what_its_own_key_signs_must_still_be_a_catalogue(
    side: Authority, change: Callable[[dict[str, Any]], object], expected: str
) -> None:
    """A stolen key buys false information, in the one form there is for it."""
    assert refused(forged(change), told(side)).problem == expected


def test_a_signed_document_of_another_form_is_refused(side: Authority) -> None:
    """Who signs by mistake must be told so, not believed in part."""
    error = refused(forged(lambda _: None, b"[]"), told(side))
    assert error.problem == "it: `the top` is array, expected object"


# --- only forward ---------------------------------------------------------------

SECOND = catalogues.after(FIRST, "2026-01-12T06:00:00Z")
THIRD = catalogues.after(SECOND, "2026-01-19T06:00:00Z")


def test_the_same_catalogue_again_is_a_repeat(side: Authority) -> None:
    """A stick may be read twice."""
    found = believe(trusted.sign(FIRST, ROLE, [CAT]), told(side), newest(FIRST))
    assert (found.repeat, found.missed) == (True, 0)


def test_those_that_never_came_are_counted(side: Authority) -> None:
    """A lost stick is news, and no obstacle."""
    state = told(side)
    found = believe(trusted.sign(THIRD, ROLE, [CAT]), state, newest(FIRST))
    assert (found.repeat, found.missed) == (False, 1)
    far = replace(THIRD, sequence=2**53 - 1)
    found = believe(trusted.sign(far, ROLE, [CAT]), state, newest(FIRST))
    assert found.missed == 2**53 - 3


@pytest.mark.parametrize(
    ("offered", "held", "expected"),
    [
        (FIRST, SECOND, "it is catalogue 1, this site holds 2"),
        (
            replace(SECOND, items=()),
            SECOND,
            (
                "it is catalogue 2, and does not go with the catalogue 2 held here: a"
                " forked history"
            ),
        ),
        (
            replace(SECOND, previous=sha256(b"another")),
            FIRST,
            (
                "it is catalogue 2, and does not go with the catalogue 1 held here: a"
                " forked history"
            ),
        ),
        (
            replace(THIRD, issued="2026-01-05T06:00:00Z"),
            SECOND,
            (
                "it is catalogue 3, issued at 2026-01-05T06:00:00Z, before catalogue 2"
                " held here (2026-01-12T06:00:00Z)"
            ),
        ),
    ],
)
def test_a_site_only_goes_forward(
    side: Authority, offered: Catalogue, held: Catalogue, expected: str
) -> None:
    """An old catalogue hides what a newer one has told."""
    error = refused(trusted.sign(offered, ROLE, [CAT]), told(side), newest(held))
    assert isinstance(error, TrustError)
    assert error.problem == expected


def test_a_catalogue_past_its_validity_is_believed(side: Authority) -> None:
    """It is newer than what the site has; that it is old is shown, not hidden."""
    old = replace(FIRST, valid_until="2026-01-12T06:00:00Z")
    state = replace(told(side), floor="2030-01-01T00:00:00Z")
    assert believe(trusted.sign(old, ROLE, [CAT]), state).catalogue == old


# --- a key of catalogues is nothing else ------------------------------------------


def admitted(side: Authority, one: UnlockedKey) -> None:
    """Let *one* sign catalogues."""
    side.publisher.set_catalogue(quorum([one.public], 1), side.signers, NOW)


def test_a_key_with_another_say_is_not_admitted(side: Authority) -> None:
    """The host that asks the internet every week is the first to be taken over."""
    side.publisher.add_site("other", [BOB.public], 1, [ALICE, BOB], NOW)
    for one in (ALICE, BOB):
        with pytest.raises(RequestError) as caught:
            admitted(side, one)
        assert caught.value.problem == (
            f"the key of `{one.public.name}` signs catalogues and something else too"
        )


def test_a_key_of_catalogues_is_given_no_other_say(side: Authority) -> None:
    """Nor may it be slipped in later, when nobody thinks of catalogues."""
    admitted(side, CAT)
    plan = RolePlan(approvers=(ALICE.public,), dispatchers=(CAT.public,))
    with pytest.raises(RequestError, match="signs catalogues and something else too"):
        side.publisher.rotate(plan, [ALICE, CAT], NOW)
    with pytest.raises(RequestError, match="signs catalogues and something else too"):
        side.publisher.add_site("other", [CAT.public], 1, side.signers, NOW)


def with_catalogue(one: UnlockedKey) -> Callable[[dict[str, Any]], None]:
    """Return what lets *one* sign catalogues in a targets document."""

    def change(signed: dict[str, Any]) -> None:
        delegations = signed["delegations"]
        delegations["keys"][one.public.key_id] = one.public.to_json()
        role = {
            "name": "catalogue",
            "keyids": [one.public.key_id],
            "threshold": 1,
            "terminating": True,
            "paths": ["catalogue/*"],
        }
        delegations["roles"].insert(0, role)

    return change


def test_a_site_refuses_a_key_of_catalogues_with_another_say(side: Authority) -> None:
    """Also where the signing side was careless, or another program."""
    files = resign(side.deliver(model()), {"targets": with_catalogue(ALICE)}, [ALICE])
    with pytest.raises(TrustError) as caught:
        land(files, side.state())
    assert caught.value.problem == (
        f"`metadata/3.targets.json` lets key {ALICE.public.key_id[:16]} sign"
        " catalogues, and it has a say in deliveries too"
    )


@pytest.mark.parametrize(
    ("key_name", "value", "expected"),
    [
        ("paths", ["releases/*"], "are not exactly `catalogue/*`"),
        (
            "paths",
            ["catalogue/*", "dispatch/plant7/*"],
            "are not exactly `catalogue/*`",
        ),
        ("terminating", False, "is false, expected true"),
    ],
)
def test_the_role_of_catalogues_reaches_no_further(
    side: Authority, key_name: str, value: object, expected: str
) -> None:
    """A wider pattern would let it vouch for what is served."""

    def change(signed: dict[str, Any]) -> None:
        with_catalogue(CAT)(signed)
        signed["delegations"]["roles"][0][key_name] = value

    files = resign(side.deliver(model()), {"targets": change}, [ALICE])
    with pytest.raises(FormatError) as caught:
        land(files, side.state())
    assert caught.value.problem == (
        f"`metadata/3.targets.json`: `signed.delegations.roles[0].{key_name}` {expected}"
    )


def test_the_thief_of_that_key_delivers_nothing(side: Authority) -> None:
    """What the whole arrangement is for."""
    state = told(side)
    files = side.deliver(model("org/other"))
    for role in ("targets", f"site-{SITE}", "snapshot", "timestamp"):
        stolen = resign(files, {role: lambda _: None}, [CAT])
        with pytest.raises(TrustError, match="has no say in it"):
            land(stolen, state)


def test_deliveries_go_on_as_before(side: Authority) -> None:
    """The role stands in targets, and nowhere else: no snapshot waits for it."""
    state = told(side)
    files = side.deliver(model("org/other"))
    assert {role_of(name) for name in files} - {""} == {
        *("root", "targets", "snapshot", "timestamp", f"site-{SITE}")
    }
    assert land(files, state).dispatch.sequence == 2
    latest = side.publisher.latest_release(Kind.MODEL, "org/other")
    assert latest is not None


def test_targets_with_the_role_have_one_spelling(side: Authority) -> None:
    """What signs catalogues is signed for itself, to the byte."""
    told(side)
    files = side.deliver(model("org/other"))
    name = next(one for one in files if one.endswith("targets.json"))
    document = strict.targets(files[name], name="targets")
    assert document.body.catalogue == ROLE
    assert metadata.encode(document) == files[name]
    assert list(document.body.delegated()) == ["catalogue", f"site-{SITE}"]


def test_who_approves_is_shown_whose_key_it_is(tmp_path: Path) -> None:
    """Nobody should sign away a say without reading so."""
    plan = RolePlan(
        approvers=(ALICE.public, BOB.public),
        dispatchers=(ALICE.public,),
        approver_threshold=2,
    )
    side = Authority(tmp_path / "side", plan=plan, signers=(ALICE, BOB))
    with pytest.raises(RequestError, match="more people must sign"):
        side.publisher.set_catalogue(ROLE, [ALICE], NOW)
    pending = side.publisher.pending()
    assert pending is not None
    assert ceremony.describe(pending)[:2] == (
        "catalogues must be signed by 1 of `cat`",
        f"key of `cat` counts from now on: {prints(CAT)}",
    )
    assert side.publisher.cataloguers() is None
    side.publisher.sign_pending([BOB], NOW)
    assert side.publisher.cataloguers() == ROLE
