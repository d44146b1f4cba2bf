"""What is so of an attestation, and what is not: nothing of it is believed unsigned."""

import json
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)

from airlift.artifact import Json, Kind, Release
from airlift.digest import sha256
from airlift.errors import RequestError
from airlift.format import dsse, oms, predicates, release
from airlift.format import statement as statements
from airlift.format.statement import Statement, Subject
from airlift.trust import approval, attestation, attesting
from airlift.trust.approval import Subject as Approved
from airlift.trust.attestation import Judged
from airlift.trust.keys import UnlockedKey
from airlift.trust.quorum import Quorum
from attestations import (
    AT,
    FILES,
    certified_model,
    certify,
    entry,
    keyed,
    model,
    provenance,
)
from authority import key

ALICE = key("alice")
MODELS = key("models", "ecdsa-sha2-nistp256")
SCHEMES = [
    "ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ml-dsa-65/1",
    "ml-dsa-87/1",
]


def judge(one: Release, data: bytes, *by: UnlockedKey) -> Judged:
    """Judge *data*, which the release says is by *by*."""
    signatories = (attesting.signatory(each.public) for each in by)
    return attestation.judge(one, entry(data, *signatories), data)


def edited(data: bytes, edit: Callable[[dict[str, Any]], None]) -> bytes:
    """Return the JSON *data*, changed; its digest is another then."""
    value = json.loads(data)
    edit(value)
    return json.dumps(value).encode()


@pytest.mark.parametrize("scheme", SCHEMES)
def test_who_said_where_a_release_comes_from_is_told(scheme: str) -> None:
    """Every scheme of the people who make deliveries signs statements too."""
    signer = key("dan", scheme)
    found = judge(model(), provenance(model(), signer), signer)
    assert (found.problem, found.title, found.at) == ("", "provenance", AT)
    assert found.by == (f"dan ({scheme} {signer.public.key_id[:16]})",)
    assert found.words == (
        f"from https://hub.example/acme/tiny at gitCommit {'a' * 40}",
        f"exported {AT} by alice with airlift 1.2",
    )


def test_all_whom_the_release_names_have_to_have_signed() -> None:
    """Of two, one is not enough: else one would speak for the other."""
    bob = key("bob")
    both = provenance(model(), ALICE, bob)
    assert judge(model(), both, ALICE, bob).problem == ""
    found = judge(model(), provenance(model(), ALICE), ALICE, bob)
    assert found.problem == (
        f"it has no valid signature by `bob`, key {bob.public.key_id[:16]}, which the"
        " release names"
    )
    assert (found.words, found.statement, found.title) == ((), None, "attestation")


@pytest.mark.parametrize(
    ("edit", "problem"),
    [
        (
            lambda told: told["signatures"][0].update(sig=b64encode(b"x").decode()),
            "it has no valid signature by `alice`",
        ),
        (
            lambda told: told.update(payload=b64encode(b'{"_type":"x"}').decode()),
            "it has no valid signature by `alice`",
        ),
        (
            lambda told: told["signatures"][0].update(keyid="f" * 64),
            "it has no valid signature by `alice`",
        ),
        (
            lambda told: told.update(payloadType="application/json"),
            "`payloadType` is `application/json`, expected `application/vnd.in-toto",
        ),
        (
            lambda told: told.update(payload=told["payload"] + "\n"),
            "`payload` is not base64 as RFC 4648 writes it",
        ),
        (lambda told: told.update(extra=1), "`extra` is not known here"),
        (lambda told: told.update(signatures=[]), "`signatures` are 0, expected 1 to"),
    ],
)
def test_an_envelope_that_was_changed_is_not_so(
    edit: Callable[[dict[str, Any]], None], problem: str
) -> None:
    """The release lists the changed bytes here: the signature alone has to tell."""
    data = edited(provenance(model(), ALICE), edit)
    found = judge(model(), data, ALICE)
    assert problem in found.problem
    assert found.words == ()


def test_the_word_of_a_denied_key_counts_for_nothing() -> None:
    """A thief of it could have said anything, on any day."""
    data = provenance(model(), ALICE)
    listed = entry(data, attesting.signatory(ALICE.public))
    denied = [ALICE.public.key_id]
    (found,) = attestation.judged(
        replace(model(), attestations=(listed,)), [data], denied
    )
    assert found.problem == f"key {ALICE.public.key_id[:16]} of `alice` is denied"
    assert found.statement is None


def test_other_bytes_than_the_release_names_are_not_read() -> None:
    """An attestation is bound by digest before it is anything else."""
    data = provenance(model(), ALICE)
    listed = entry(data, attesting.signatory(ALICE.public))
    found = attestation.judge(model(), listed, data + b" ")
    assert found.problem == "its bytes are not those that the release names"


def test_a_key_under_another_id_is_not_the_one_named() -> None:
    """One key must not pass for two, here as everywhere (threats C3)."""
    data = provenance(model(), ALICE)
    forged = replace(attesting.signatory(ALICE.public), key_id=sha256(b"x"))
    found = attestation.judge(model(), entry(data, forged), data)
    assert found.problem == (
        "a signatory: `scheme` goes with a key whose id is not computed from it"
    )


def test_a_statement_of_another_release_is_not_of_this_one() -> None:
    """A good signature under something else vouches for nothing here."""
    other = replace(model(), counter=2)
    found = judge(model(), provenance(other, ALICE), ALICE)
    assert found.problem == "it is of nothing in this release"
    assert found.by


def test_a_statement_of_a_file_is_of_the_release_that_has_it() -> None:
    """Others' tools name files, by their digests."""
    digest = {"sha256": sha256(FILES["config.json"])}
    told = Statement(
        subjects=(Subject(name="config.json", digest=digest),),
        predicate_type="https://example.com/review/v1",
        predicate={"verdict": "fine"},
    )
    found = judge(model(), attesting.sign(told, [ALICE]), ALICE)
    assert (found.problem, found.words) == ("", ())
    assert found.title == "https://example.com/review/v1"


def test_the_content_of_a_release_is_its_document_without_attestations() -> None:
    """Else no statement could name what lists it."""
    bare = model()
    data = provenance(bare, ALICE)
    told = replace(bare, attestations=(entry(data, attesting.signatory(ALICE.public)),))
    assert release.content(told) == release.identify(release.encode(bare))
    assert release.identify(release.encode(told)) != release.content(told)
    assert judge(told, data, ALICE).problem == ""


# --- model signatures -------------------------------------------------------------------


def test_a_model_signature_is_of_every_file_but_those_of_git() -> None:
    """Stock verifiers pass over these at the top, so no signature can cover them."""
    one = model()
    found = judge(one, attesting.sign_model(one, MODELS), MODELS)
    assert (found.problem, found.title) == ("", "model signature")
    assert found.words == (
        "4 files are as they were signed; no signature covers .gitattributes",
    )


def test_a_model_of_many_files_is_signed_as_one_of_few() -> None:
    """What says that it is a bundle stands behind megabytes of payload then."""
    many = model({f"data/{at:05}.bin": b"%d" % at for at in range(3000)})
    data = attesting.sign_model(many, MODELS)
    assert data.index(b"dev.sigstore.bundle") > 200_000
    found = judge(many, data, MODELS)
    assert found.words == ("3000 files are as they were signed",)


def _with(path: str, data: bytes | None) -> Mapping[str, bytes]:
    files = {name: content for name, content in FILES.items() if name != path}
    return files if data is None else {**files, path: data}


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        (_with("config.json", b"[]"), "it is of other bytes of config.json"),
        (_with("more.bin", b"x"), "it does not cover more.bin"),
        (_with("sub/.gitattributes", b"x"), "it does not cover sub/.gitattributes"),
        (_with(".gitmodules", b"x"), "it does not cover .gitmodules"),
    ],
)
def test_files_that_are_not_as_they_were_signed_are_named(
    files: Mapping[str, bytes], problem: str
) -> None:
    """The weights of one model under the signature of another are the point of it all."""
    data = attesting.sign_model(model(), MODELS)
    assert judge(model(files), data, MODELS).problem == problem


def test_what_was_signed_and_did_not_travel_is_said() -> None:
    """Whoever exports may leave files out; that is signed too, and no fault."""
    data = attesting.sign_model(model(), MODELS)
    found = judge(model(_with("LICENSE", None)), data, MODELS)
    assert found.problem == ""
    assert found.words[0].endswith("of what it names, LICENSE did not travel")


def test_a_signature_lying_among_the_files_covers_all_but_itself() -> None:
    """So upstream ships them: `model.sig` beside the weights."""
    data = attesting.sign_model(model(), MODELS)
    found = judge(model(_with("model.sig", data)), data, MODELS)
    assert found.problem == ""


def test_a_path_that_is_ignored_by_the_signer_is_not_covered() -> None:
    """The reference verifier passes whatever the signature itself says to ignore."""
    told = oms.statement(model())
    resources = [
        one
        for one in told.predicate["resources"]  # type: ignore[union-attr]
        if one["name"] != "sub/model.safetensors"  # type: ignore[index,call-overload]
    ]
    ignoring: dict[str, Json] = {
        "ignore_paths": ("sub",),
        "method": "files",
        "hash_type": "sha256",
    }
    listed: Any = resources
    hasher = b"".join(bytes.fromhex(one["digest"]) for one in listed)
    bare = replace(
        told,
        subjects=(Subject(name="tiny", digest={"sha256": sha256(hasher)}),),
        predicate={"resources": resources, "serialization": ignoring},
    )
    found = judge(model(), keyed(bare, MODELS), MODELS)
    assert found.problem == "it does not cover sub/model.safetensors"


def _predicate(**changes: Any) -> Statement:
    told = oms.statement(model())
    return replace(told, predicate={**told.predicate, **changes})


@pytest.mark.parametrize(
    ("told", "problem"),
    [
        (
            _predicate(serialization={"method": "shards", "hash_type": "sha256"}),
            "it states sha256 of shards, and only sha256 of files can be compared",
        ),
        (
            _predicate(serialization={"method": "files", "hash_type": "blake3"}),
            "it states blake3 of files, and only sha256 of files can be compared",
        ),
        (_predicate(resources=()), "its root digest is not that of the files it names"),
        (
            _predicate(
                resources=[
                    {"algorithm": "sha256", "digest": "0" * 64, "name": "a"},
                    {"algorithm": "sha256", "digest": "0" * 64, "name": "a"},
                ]
            ),
            "the model signature: `resources[1].name` is there twice: `a`",
        ),
    ],
)
def test_a_model_signature_of_another_form_is_not_guessed_at(
    told: Statement, problem: str
) -> None:
    """What cannot be compared is not called right."""
    assert judge(model(), keyed(told, MODELS), MODELS).problem == problem


def test_both_forms_of_an_elliptic_signature_are_right_for_others() -> None:
    """Others do not settle for the lower s; the digest binds the bytes anyway."""
    one, order = (
        model(),
        0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    )

    def other_form(told: dict[str, Any]) -> None:
        (signature,) = told["dsseEnvelope"]["signatures"]
        bundle = oms.decode(json.dumps(told).encode(), name="b")
        r, s = decode_dss_signature(bundle.envelope.signatures[0].value)
        value = encode_dss_signature(r, order - s)
        signature["sig"] = b64encode(value).decode()

    data = edited(attesting.sign_model(one, MODELS), other_form)
    assert judge(one, data, MODELS).problem == ""


@pytest.mark.parametrize(
    ("edit", "problem"),
    [
        (
            lambda told: told["verificationMaterial"]["publicKey"].update(hint="00"),
            "it has no valid signature by `models`",
        ),
        (
            lambda told: told.update(
                mediaType="application/x.dev.sigstore.bundle+json"
            ),
            "`mediaType` is `application/x.dev.sigstore.bundle+json`, expected",
        ),
        (
            lambda told: told["dsseEnvelope"]["signatures"].append(
                told["dsseEnvelope"]["signatures"][0]
            ),
            "`dsseEnvelope` has 2 signatures, expected one",
        ),
        (
            lambda told: told.update(
                verificationMaterial={"certificate": {"rawBytes": "AA=="}}
            ),
            "`verificationMaterial.tlogEntries` has 0 entries, expected one",
        ),
        (
            lambda told: told.update(verificationMaterial={}),
            "`verificationMaterial.publicKey` is missing, and every certificate too",
        ),
        (
            lambda told: told.update(
                verificationMaterial={
                    "x509CertificateChain": {"certificates": [{"rawBytes": "AA=="}]}
                }
            ),
            "it is signed in another way than the release says",
        ),
    ],
)
def test_a_bundle_that_says_something_else_is_not_so(
    edit: Callable[[dict[str, Any]], None], problem: str
) -> None:
    """Each is passed, or not looked at, by some verifier there is."""
    data = edited(attesting.sign_model(model(), MODELS), edit)
    assert problem in judge(model(), data, MODELS).problem


def test_a_key_twice_in_a_bundle_is_refused() -> None:
    """Two readers could read two signatures; the stock one takes the last (D1)."""
    data = attesting.sign_model(model(), MODELS)
    twice = data.replace(b'{"dsseEnvelope"', b'{"dsseEnvelope":{},"dsseEnvelope"', 1)
    found = judge(model(), twice, MODELS)
    assert found.problem.endswith("is not strict JSON: an object has a key twice")


def test_a_model_key_is_for_the_curve_that_every_verifier_knows() -> None:
    """One of them takes no P-384, another no Ed25519."""
    with pytest.raises(RequestError) as caught:
        attesting.sign_model(model(), ALICE)
    assert str(caught.value) == (
        "key `alice` is for ed25519, model signatures need ecdsa-sha2-nistp256"
    )


def test_a_bundle_of_before_1_1_that_names_no_key_is_read() -> None:
    """Whose it has to be, the release says."""

    def older(told: dict[str, Any]) -> None:
        key_ = {"rawBytes": "AA==", "keyDetails": "PKIX_ECDSA_P256_SHA_256"}
        told["verificationMaterial"] = {"publicKey": key_, "tlogEntries": []}
        told["dsseEnvelope"]["signatures"][0]["keyid"] = None

    data = edited(attesting.sign_model(model(), MODELS), older)
    assert judge(model(), data, MODELS).problem == ""


@pytest.mark.parametrize(
    ("kind", "files", "signable"),
    [
        (Kind.GGUF, FILES, True),
        (Kind.FOLDER, FILES, True),
        (Kind.OLLAMA, FILES, False),
        (Kind.WHEELS, FILES, False),
        (Kind.MODEL, {".gitattributes": b""}, False),
    ],
)
def test_what_clients_get_as_a_folder_of_files_can_be_signed(
    kind: Kind, files: Mapping[str, bytes], signable: object
) -> None:
    """Nothing else is one, so nobody could check the signature."""
    assert oms.is_signable(model(files, kind=kind)) is signable


def test_certificates_lead_to_the_authority_that_the_release_names() -> None:
    """The subject is told, and whose word it is that it is that."""
    root = certify("Acme Root", authority=True)
    between = certify("Acme Issuing", root, authority=True)
    leaf = certify("Acme Models", between)
    data = certified_model(model(), leaf, between)
    found = attestation.judge(model(), entry(data, root.signatory), data)
    assert (found.problem, found.by) == ("", ("CN=Acme Models (certified by acme CA)",))
    other = certify("Acme Root", authority=True)
    found = attestation.judge(model(), entry(data, other.signatory), data)
    assert found.problem.startswith(
        "its certificate does not lead to the authority named: "
    )
    keyed_ = attesting.signatory(MODELS.public)
    found = attestation.judge(model(), entry(data, keyed_), data)
    assert found.problem == "it is signed in another way than the release says"


def test_a_certificate_has_to_be_valid_when_the_release_says_it_was() -> None:
    """Not when it began, which is when the reference verifier asks."""
    root = certify("Root", authority=True, days=3650)
    leaf = certify("Leaf", root, days=30)
    data = certified_model(model(), leaf)
    late = entry(data, root.signatory, at="2026-03-01T12:00:00Z")
    found = attestation.judge(model(), late, data)
    assert "cert is not valid at validation time" in found.problem
    soon = entry(data, root.signatory, at="2026-01-20T12:00:00Z")
    assert attestation.judge(model(), soon, data).problem == ""


def test_a_signature_by_another_key_than_the_certificate_is_not_so() -> None:
    """A chain alone proves nothing: anybody can copy one."""
    root = certify("Root", authority=True)
    leaf, thief = certify("Leaf", root), certify("Leaf", root)
    data = certified_model(model(), replace(leaf, key=thief.key))
    found = attestation.judge(model(), entry(data, root.signatory), data)
    assert "it has no valid signature by `acme CA`" in found.problem


def test_an_authority_under_another_digest_is_not_the_one_named() -> None:
    """What a person compares is the digest."""
    root = certify("Root", authority=True)
    data = certified_model(model(), certify("Leaf", root))
    forged = replace(root.signatory, key_id=sha256(b"x"))
    found = attestation.judge(model(), entry(data, forged), data)
    assert found.problem == (
        "the authority the release names has another digest than it says"
    )


# --- approvals --------------------------------------------------------------------------


def test_an_approval_inside_a_statement_has_its_own_signature() -> None:
    """Who makes statements cannot approve: only who is enrolled here counts."""
    bob, subject = key("bob"), Approved(site="plant7", what="lock", digest=sha256(b"l"))
    given = approval.sign(bob, subject, at=AT)
    forged = replace(given, by="alice", key_id=ALICE.public.key_id)
    records = [approval.table(given), approval.table(forged)]
    said = predicates.approvals(records)
    told = predicates.about(model(), predicates.APPROVALS, said)
    people = Quorum(keys=(bob.public, ALICE.public), threshold=1)
    front = f"lock {sha256(b'l')[:16]} approved by"
    good, bad = attestation.approval_words(told, people)
    assert good == f"{front} bob, {AT}: valid signature of somebody enrolled here"
    assert bad == (
        f"{front} alice, {AT}: does not count here, the approval by `alice` has a"
        " signature that is not valid"
    )
    others = Quorum(keys=(ALICE.public,), threshold=1)
    assert attestation.approval_words(told, others)[0] == (
        f"{front} bob, {AT}: does not count here, the approval by `bob` is by key"
        f" {bob.public.key_id[:16]}, which is not enrolled to approve"
    )


def test_what_is_not_valid_is_said_in_one_line() -> None:
    """It is the reason for which a release waits."""
    one = model()
    good = judge(one, provenance(one, ALICE), ALICE)
    data = attesting.sign_model(one, MODELS)
    bad = judge(model(_with("config.json", b"[]")), data, MODELS)
    assert attestation.flaws((good,)) == ""
    assert attestation.flaws((good, bad)) == (
        f"model signature {sha256(data)[:12]} is not valid: it is of other bytes of"
        " config.json"
    )


def test_envelopes_cover_the_type_and_the_length_of_the_payload() -> None:
    """DSSE's own example, in its own words."""
    assert dsse.covered(b"hello world") == (
        b"DSSEv1 28 application/vnd.in-toto+json 11 hello world"
    )
    told = Statement(
        subjects=(Subject(name="a", digest={"sha256": "0"}),),
        predicate_type="t",
        predicate={},
    )
    assert statements.decode(statements.encode(told), name="s") == told
