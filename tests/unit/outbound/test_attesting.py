"""What is attested of a release stays with it until something else is to be said."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from airlift.artifact import Pinned, Release, ReleaseFile
from airlift.digest import Sha256, sha256
from airlift.errors import RequestError
from airlift.format import predicates, release
from airlift.format.predicates import Making
from airlift.outbound import numbering
from airlift.outbound.attesting import Attester
from airlift.trust import approval, attestation, attesting
from airlift.trust.approval import Subject
from airlift.trust.attestation import Judged
from airlift.trust.repository import Repository
from attestations import AT, FILES, certified_model, certify, model
from authority import Authority, key
from sigstores import Sigstore

ALICE, MODELS = key("alice"), key("models", "ecdsa-sha2-nistp256")
LATER = "2026-04-01T12:00:00Z"
ROOT = certify("Root", authority=True)


class Desk:
    """A signing side, an attester, and what it said.

    Args:
        folder: Where everything goes.
    """

    def __init__(self, folder: Path) -> None:
        self.side = Authority(folder / "trust")
        self.folder = folder / "attested"
        self.said: list[str] = []
        self.blobs: dict[Sha256, bytes] = {}

    def attester(self, *, at: str = AT, version: str = "1", **more: Any) -> Attester:
        """Return one that states, unless told otherwise."""
        return Attester(
            repository=Repository(self.side.folder),
            folder=self.folder,
            making=Making(operator="alice", at=at, versions={"airlift": version}),
            read=self.blobs.__getitem__,
            tell=self.said.append,
            **{"signers": (ALICE,), **more},
        )

    def judged(self, one: Release) -> Mapping[str, Judged]:
        """Return what is so of a release, by what people call it."""
        repository = Repository(self.side.folder)
        data = [repository.attestation(each.sha256) for each in one.attestations]
        return {each.title: each for each in attestation.judged(one, data)}

    def number(
        self,
        files: Mapping[str, bytes] = FILES,
        attester: Attester | None = None,
        *made: Release,
    ) -> Release:
        """Return the release that *files* become."""
        like = model(files)
        self.blobs |= {sha256(data): data for data in files.values()}
        pinned = Pinned(
            kind=like.kind,
            name=like.name,
            revision=like.revision,
            files=(),
            refs=like.refs,
            upstream=like.upstream,
            licence=like.licence,
            base_models=like.base_models,
        )
        return numbering.number(pinned, like.files, self.side.publisher, made, attester)

    def approve(self, one: Release) -> None:
        """Deliver *one*, so that it is approved."""
        self.side.deliver(release.encode(one))


@pytest.fixture(name="desk")
def _desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_provenance_and_licence_are_stated(desk: Desk) -> None:
    """Who said it, whence, and under which licence, each signed."""
    found = desk.judged(desk.number(attester=desk.attester()))
    assert found.keys() == {"provenance", "licences"}
    assert [one.problem for one in found.values()] == ["", ""]
    assert found["licences"].words == ("mit; texts: LICENSE",)
    assert found["provenance"].words[1] == f"exported {AT} by alice with airlift 1"


def test_a_release_that_says_it_all_is_taken_as_it_is(desk: Desk) -> None:
    """Another day and another airlift are no news of the same bytes."""
    first = desk.number(attester=desk.attester())
    desk.approve(first)
    later = desk.attester(at=LATER, version="2")
    assert desk.number(attester=later) == first
    assert desk.number() == first


def test_what_else_is_to_be_said_is_a_new_release(desk: Desk) -> None:
    """Sites see that the number rose; no byte of content travels again."""
    first = desk.number()
    desk.approve(first)
    assert first.attestations == ()
    second = desk.number(attester=desk.attester())
    assert (second.counter, len(second.attestations)) == (2, 2)
    desk.approve(second)
    third = desk.number(attester=desk.attester(model_key=MODELS))
    assert (third.counter, len(third.attestations)) == (3, 3)
    desk.approve(third)
    assert desk.number(attester=desk.attester(model_key=MODELS)) == third


def test_other_content_is_attested_anew(desk: Desk) -> None:
    """Statements are of one content; those of the last release are not of this one."""
    desk.approve(desk.number(attester=desk.attester()))
    found = desk.number({**FILES, "config.json": b"[]"}, desk.attester())
    assert found.counter == 2
    assert [one.problem for one in desk.judged(found).values()] == ["", ""]


def test_two_revisions_of_one_delivery_have_numbers_of_their_own(desk: Desk) -> None:
    """As without attestations: the second is the next of its name."""
    first = desk.number(attester=desk.attester())
    second = desk.number({"a": b"b"}, desk.attester(), first)
    assert (first.counter, second.counter) == (1, 2)


def test_an_export_that_was_broken_off_goes_on_with_what_it_attested(
    desk: Desk,
) -> None:
    """Else every attempt would be another delivery, signed again by everybody."""
    first = desk.number(attester=desk.attester())
    again = desk.attester(at=LATER)
    assert desk.number(attester=again) == first
    again.clear([first])
    assert list(desk.folder.iterdir()) == []
    fresh = desk.number(attester=desk.attester(at=LATER))
    assert {one.at for one in fresh.attestations} == {LATER}


def test_a_damaged_note_of_what_was_attested_is_made_again(desk: Desk) -> None:
    """It is a convenience, and nothing is believed of it."""
    first = desk.number(attester=desk.attester())
    (note,) = desk.folder.iterdir()
    note.write_bytes(b"{}")
    again = desk.number(attester=desk.attester(at=LATER))
    assert again.attestations != first.attestations


def test_models_alone_may_be_signed(desk: Desk) -> None:
    """For those outside who check models and know nothing of airlift."""
    found = desk.number(attester=desk.attester(signers=(), model_key=MODELS))
    judged = desk.judged(found)
    assert judged.keys() == {"model signature"}
    assert judged["model signature"].problem == ""


def test_what_is_no_folder_of_files_has_no_model_signature(desk: Desk) -> None:
    """There is nothing that a verifier could be pointed at."""
    attester = desk.attester(signers=(), model_key=MODELS)
    bare = desk.number({".gitattributes": b"x"}, attester)
    assert bare.attestations == ()
    assert attester.is_satisfied(bare)


def test_approvals_of_a_lock_travel_with_what_it_pins(desk: Desk) -> None:
    """Each with its own signature, so that the site can see who it was."""
    subject = Subject(site="plant7", what="lock", digest=sha256(b"lock"))
    given = approval.sign(key("bob"), subject, at=AT)
    found = desk.number(attester=desk.attester(approvals=(given,)))
    told = desk.judged(found)["approvals"].statement
    assert told
    assert told.predicate_type == predicates.APPROVALS
    records = told.predicate["approvals"]
    assert isinstance(records, list)
    assert [approval.from_table(one) for one in records] == [given]


def _upstream(desk: Desk, **more: object) -> Callable[[Attester], Release]:
    leaf = certify("Acme Models", ROOT)
    signed = {**FILES, "notes.sig": b"{}"}
    data = certified_model(model(signed), leaf)
    files = {**signed, "model.sig": data, **more}
    return lambda attester: desk.number(files, attester)  # type: ignore[arg-type]


def test_a_model_signature_of_others_is_listed_once_it_was_checked(desk: Desk) -> None:
    """With the authority that it was found under: that is what approvers sign."""
    authority = attesting.trusted(ROOT.pem, name="acme")
    trusting = desk.attester(signers=(), trusted=(authority,))
    found = _upstream(desk)(trusting)
    judged = desk.judged(found)["model signature"]
    assert (judged.problem, judged.by) == (
        "",
        ("CN=Acme Models (certified by acme)",),
    )
    desk.approve(found)
    assert trusting.is_satisfied(found)
    assert desk.said == []


def test_a_model_signature_that_does_not_hold_is_named_and_not_listed(
    desk: Desk,
) -> None:
    """Whoever exports learns it; the file travels as any other file."""
    authority = attesting.trusted(ROOT.pem, name="acme")
    trusting = desk.attester(signers=(), trusted=(authority,))
    found = _upstream(desk, **{"config.json": b"changed"})(trusting)
    assert found.attestations == ()
    (told,) = desk.said
    front = "acme/tiny: model.sig is a model signature that was not believed"
    assert told == f"{front}: it is of other bytes of config.json"


def test_a_model_signature_that_nobody_is_trusted_for_is_named(desk: Desk) -> None:
    """It is there, and says nothing to anybody."""
    assert _upstream(desk)(desk.attester(signers=())).attestations == ()
    (told,) = desk.said
    front = "acme/tiny: model.sig is a model signature that was not believed"
    assert told == f"{front}: nobody is trusted to have signed it"


def test_a_model_signed_through_sigstore_is_listed_under_an_identity(
    desk: Desk,
) -> None:
    """With who knew them and the trust root: that is what approvers sign."""
    sigstore = Sigstore()
    by = sigstore.signatory()
    trusting = desk.attester(signers=(), trusted=(by,))
    found = desk.number({**FILES, "model.sig": sigstore.model(model())}, trusting)
    (listed,) = found.attestations
    assert listed.by == (by,)
    assert desk.judged(found)["model signature"].verdict == "valid"
    desk.approve(found)
    assert trusting.is_satisfied(found)
    assert desk.said == []


def test_why_none_of_those_who_are_trusted_has_signed_is_told(desk: Desk) -> None:
    """Of each, once: an authority that has nothing to do with it hides no reason."""
    sigstore = Sigstore()
    authority = attesting.trusted(ROOT.pem, name="acme")
    mallory = sigstore.signatory("mallory@acme.example")
    trusted = (mallory, authority, attesting.signatory(MODELS.public))
    trusting = desk.attester(signers=(), trusted=trusted)
    found = desk.number({**FILES, "model.sig": sigstore.model(model())}, trusting)
    assert found.attestations == ()
    (told,) = desk.said
    assert told == (
        "acme/tiny: model.sig is a model signature that was not believed: its signature"
        " through Sigstore is not right: Certificate's SANs do not match"
        " mallory@acme.example; actual SANs: {'release@acme.example'}; it was signed"
        " through Sigstore, and no identity is named for that"
    )


def test_files_that_cannot_lie_side_by_side_are_refused(desk: Desk) -> None:
    """Before anything is signed of them."""
    files = (
        ReleaseFile(path="A", size=1, sha256=sha256(b"a")),
        ReleaseFile(path="a", size=1, sha256=sha256(b"b")),
    )
    pinned = Pinned(kind=model().kind, name="acme/x", revision="a" * 40, files=())
    with pytest.raises(RequestError) as caught:
        numbering.number(pinned, files, desk.side.publisher, (), None)
    assert str(caught.value) == "acme/x: some file systems cannot hold A and a"


def test_statements_of_another_approval_are_something_else_to_say(desk: Desk) -> None:
    """A lock that carol approved too is not the one that bob alone did."""
    subject = Subject(site="plant7", what="lock", digest=sha256(b"lock"))
    given = tuple(approval.sign(key(name), subject, at=AT) for name in ("bob", "carol"))
    first = desk.number(attester=desk.attester(approvals=given[:1]))
    desk.approve(first)
    second = desk.number(attester=desk.attester(approvals=given))
    assert second.counter == 2
    assert replace(second, counter=1, attestations=()) == replace(
        first, attestations=()
    )
