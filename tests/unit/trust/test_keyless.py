"""Models signed through Sigstore: whose they are, when they were, and nothing else.

The bundles are made by a Sigstore of the tests, with real keys, to the letter of its
specifications; each is wrong in one way.
"""

import copy
import json
import os
import subprocess
import sys
from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID
from sigstore.errors import MetadataError
from sigstore.models import Bundle, TrustedRoot
from sigstore.verify import Verifier
from sigstore.verify.policy import Identity

from airlift.artifact import Signatory
from airlift.digest import sha256
from airlift.errors import FormatError, RequestError
from airlift.format import canonical, dsse, oms
from airlift.format.fields import Fields
from airlift.trust import attestation, attesting, keyless
from attestations import FILES, entry, keyed, model
from authority import key
from sigstores import (
    IDENTITY,
    ISSUER,
    REKOR,
    SIGNED,
    Sigstore,
    Who,
    coded,
    key_id,
    new_key,
    sign,
)
from stamping import clock

WORLD = Sigstore()
ONE = model()
GOOD = WORLD.bundle(oms.statement(ONE))
WHO = f"{IDENTITY} (known to {ISSUER}; logged 2026-03-01T11:59:00Z by {REKOR})"
NOT_RIGHT = "its signature through Sigstore is not right: "
MODELS = key("models", "ecdsa-sha2-nistp256")


def problem(bundle: dict[str, Any] | bytes, by: Signatory | None = None) -> str:
    """Return what is wrong with a bundle, signed by whom WORLD knows."""
    data = bundle if isinstance(bundle, bytes) else json.dumps(bundle).encode()
    listed = entry(data, by or WORLD.signatory())
    found = attestation.judge(ONE, listed, data)
    assert bool(found.by) is bool(found.words) is (found.problem == "")
    return found.problem


def edited(edit: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    """Return the good bundle, changed."""
    told = copy.deepcopy(GOOD)
    edit(told)
    return told


def test_who_signed_and_when_is_told() -> None:
    """Whom the certificate names, who knew them, and what the log promised."""
    data = json.dumps(GOOD).encode()
    found = attestation.judge(ONE, entry(data, WORLD.signatory()), data)
    assert (found.problem, found.by, found.verdict) == ("", (WHO,), "valid")
    assert found.words == (
        "4 files are as they were signed; no signature covers .gitattributes",
    )


def test_an_identity_may_be_the_address_of_a_workflow() -> None:
    """Most models are signed by one, and not by a person."""
    flow = "https://forge.example/acme/m/.build/release.yml@refs/heads/main"
    data = WORLD.model(ONE, who=Who(identity=flow))
    assert problem(data, WORLD.signatory(flow)) == ""
    assert problem(data) == (
        f"{NOT_RIGHT}Certificate's SANs do not match {IDENTITY}; actual SANs: {{'{flow}'}}"
    )


OTHER = Sigstore()


@pytest.mark.parametrize(
    ("by", "said"),
    [
        (WORLD.signatory("mallory@acme.example"), "Certificate's SANs do not match"),
        (
            WORLD.signatory(issuer="https://other.example"),
            "Certificate's OIDCIssuer does not match (got 'https://accounts.example', ",
        ),
        (OTHER.signatory(), "the log it names was not in force then"),
        (
            WORLD.signatory(
                certificateAuthorities=OTHER.root()["certificateAuthorities"]
            ),
            "failed to build timestamp certificate chain",
        ),
        (
            WORLD.signatory(ctlogs=OTHER.root()["ctlogs"]),
            "failed to verify SCT on signing certificate",
        ),
        (WORLD.signatory(ctlogs=[]), "CTFE keys not found in trusted root"),
        (
            WORLD.signatory(certificateAuthorities=[]),
            "Fulcio certificates not found in trusted root",
        ),
    ],
    ids=["identity", "issuer", "root", "authority", "ct", "no ct", "no authority"],
)
def test_nobody_else_is_believed(by: Signatory, said: str) -> None:
    """The same signature, under another name, known to others, or by another root."""
    assert said in problem(GOOD, by)


@pytest.mark.parametrize(
    ("how", "said"),
    [
        (
            {"logged": SIGNED + timedelta(minutes=11)},
            "certificate chain: validation failed: cert is not valid at validation time",
        ),
        (
            {"logged": SIGNED - timedelta(minutes=1)},
            "cert is not valid at validation time",
        ),
        (
            {"who": Who(logged=False)},
            "Certificate does not contain a signed certificate timestamp extension",
        ),
        (
            {"who": Who(purpose=ExtendedKeyUsageOID.CLIENT_AUTH)},
            "Extended usage does not contain `code signing`",
        ),
        ({"who": Who(issuer="")}, "Certificate does not contain OIDCIssuer"),
    ],
    ids=["later", "before", "no promise", "another purpose", "no issuer"],
)
def test_a_certificate_has_to_be_in_force_logged_and_for_signing(
    how: dict[str, Any], said: str
) -> None:
    """By the authority that is believed, all of them: it is the rest that is wrong."""
    found = problem(WORLD.model(ONE, **how))
    assert found.startswith(NOT_RIGHT)
    assert said in found


def _material(told: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = told["verificationMaterial"]
    return found


def _entry(told: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = _material(told)["tlogEntries"][0]
    return found


def _flip(text: str, at: int = -1) -> str:
    """Return base64 of other bytes: one bit of one of them."""
    raw = bytearray(b64decode(text))
    raw[at] ^= 1
    return b64encode(raw).decode()


def _signature(told: dict[str, Any]) -> None:
    (one,) = told["dsseEnvelope"]["signatures"]
    one["sig"] = _flip(one["sig"])


def _payload(told: dict[str, Any]) -> None:
    other = dsse.octets(
        Fields(told["dsseEnvelope"], record="a bundle"), "payload"
    ).replace(b"config.json", b"config.jsoN")
    told["dsseEnvelope"]["payload"] = coded(other)


def _certificate(told: dict[str, Any]) -> None:
    one = _material(told)["certificate"]
    one["rawBytes"] = _flip(one["rawBytes"])


def _body(told: dict[str, Any]) -> None:
    _entry(told)["canonicalizedBody"] = _flip(_entry(told)["canonicalizedBody"], 40)


def _promise(told: dict[str, Any]) -> None:
    one = _entry(told)["inclusionPromise"]
    one["signedEntryTimestamp"] = _flip(one["signedEntryTimestamp"])


def _time(told: dict[str, Any]) -> None:
    seconds = int(_entry(told)["integratedTime"])
    _entry(told)["integratedTime"] = str(seconds + 1)


def _hash(told: dict[str, Any]) -> None:
    hashes = _entry(told)["inclusionProof"]["hashes"]
    hashes[0] = _flip(hashes[0])


def _head(told: dict[str, Any]) -> None:
    head = _entry(told)["inclusionProof"]["checkpoint"]
    head["envelope"] = head["envelope"].replace(
        "rekor.example - 1", "rekor.example - 2"
    )


def _another_entry(told: dict[str, Any]) -> None:
    other = WORLD.bundle(oms.statement(ONE))
    _material(told)["tlogEntries"] = _material(other)["tlogEntries"]


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (_signature, "DSSE: invalid signature"),
        (_payload, "DSSE: invalid signature"),
        (_certificate, "failed to build timestamp certificate chain"),
        (_body, "invalid log entry: inclusion proof contains invalid root hash"),
        (_promise, "invalid log entry: SET: invalid inclusion promise"),
        (_time, "invalid log entry: SET: invalid inclusion promise"),
        (_hash, "invalid log entry: inclusion proof contains invalid root hash"),
        (_head, "invalid log entry: checkpoint: invalid signature"),
        (_another_entry, "log entry signatures do not match bundle"),
    ],
)
def test_nothing_of_a_bundle_can_be_another(
    edit: Callable[[dict[str, Any]], object], said: str
) -> None:
    """The release lists the changed bytes here: the signatures alone have to tell."""
    assert problem(edited(edit)).startswith(f"{NOT_RIGHT}{said}")


AT = "`verificationMaterial"


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (
            lambda told: _material(told).pop("tlogEntries"),
            f"{AT}.tlogEntries` has 0 entries, expected one",
        ),
        (
            lambda told: _material(told)["tlogEntries"].append(_entry(told)),
            f"{AT}.tlogEntries` has 2 entries, expected one",
        ),
        (
            lambda told: _entry(told).pop("inclusionPromise"),
            f"{AT}.tlogEntries` has no promise of a time, and no clock gave one",
        ),
        (
            lambda told: _entry(told).update(integratedTime="9" * 20),
            f"{AT}.tlogEntries[0].integratedTime` is no number of seconds",
        ),
        (
            lambda told: _entry(told).update(integrated_time="1"),
            f"{AT}.tlogEntries[0].integrated_time` is not known here",
        ),
        (
            lambda told: _material(told).update(
                timestampVerificationData={
                    "rfc3161Timestamps": [{"signedTimestamp": "AA=="}] * 2
                }
            ),
            f"{AT}.timestampVerificationData.rfc3161Timestamps` has 2 timestamps",
        ),
        (
            lambda told: told.update(
                mediaType="application/vnd.dev.sigstore.bundle+json;version=0.1"
            ),
            ";version=0.1`, expected `application/vnd.dev.sigstore.bundle.v0.3+json`",
        ),
        (
            lambda told: told.update(
                mediaType="application/vnd.dev.sigstore.bundle+json;version=0.2"
            ),
            "`mediaType` is `application/vnd.dev.sigstore.bundle+json;version=0.2`, ",
        ),
        (
            lambda told: _entry(told).pop("inclusionProof"),
            "failed to load bundle",
        ),
        (
            lambda told: _entry(told)["inclusionProof"].pop("checkpoint"),
            "entry must contain inclusion proof, with checkpoint",
        ),
        (
            lambda told: _material(told).update(certificate={"rawBytes": "AA=="}),
            "error parsing asn1 value",
        ),
        (
            lambda told: _entry(told).update(
                kindVersion={"kind": "intoto", "version": "0.0.2"}
            ),
            "Integrated time only supported for dsse/hashedrekord 0.0.1 types",
        ),
    ],
)
def test_a_bundle_of_another_form_is_not_read(
    edit: Callable[[dict[str, Any]], object], said: str
) -> None:
    """Some verifier there is takes each, or reads one thing where another reads two."""
    assert said in problem(edited(edit))


def test_a_log_counts_only_while_it_was_in_force() -> None:
    """Its key may be anybody's later. The library alone takes what it signs then."""
    root = WORLD.root()
    root["tlogs"][0]["publicKey"]["validFor"]["end"] = "2026-02-28T23:59:59Z"
    by = WORLD.signatory(tlogs=root["tlogs"])
    assert problem(GOOD, by) == (
        "the log it names was not in force then, by the trust root"
    )
    told = Bundle.from_json(json.dumps(GOOD))
    alone = Verifier(trusted_root=_library(root))
    alone.verify_dsse(told, Identity(identity=IDENTITY, issuer=ISSUER))
    root["tlogs"][0]["publicKey"]["validFor"]["end"] = "2026-03-01T11:59:00Z"
    assert problem(GOOD, WORLD.signatory(tlogs=root["tlogs"])) == ""


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("ctlogs", "CTFE keys not found in trusted root"),
        ("certificateAuthorities", "Fulcio certificates not found in trusted root"),
    ],
)
def test_authorities_count_only_while_they_were_in_force(where: str, said: str) -> None:
    """A trust root keeps those that were given up, for what they signed before."""
    root = WORLD.root()
    (one,) = root[where]
    period = one["publicKey"] if where == "ctlogs" else one
    period["validFor"] = {
        "start": "2025-01-01T00:00:00Z",
        "end": "2025-12-31T00:00:00Z",
    }
    assert problem(GOOD, WORLD.signatory(**{where: root[where]})) == NOT_RIGHT + said


def test_without_the_extra_nothing_is_said_to_be_so(tmp_path: Path) -> None:
    """Nor is it said to be wrong: nobody has looked; and what to bring is named."""
    data, by = json.dumps(GOOD).encode(), WORLD.signatory()
    for name, content in (
        ("bundle", data),
        ("root", json.dumps(WORLD.root()).encode()),
    ):
        (tmp_path / name).write_bytes(content)
    program = (
        "import sys; sys.modules['sigstore'] = None\n"
        "from pathlib import Path\n"
        "from attestations import entry, model\n"
        "from airlift.errors import RequestError\n"
        "from airlift.trust import attestation, keyless\n"
        "from airlift.format.keyless import Known\n"
        "from airlift.format import canonical\n"
        "data, root = Path('bundle').read_bytes(), Path('root').read_bytes()\n"
        "known = Known(identity='i', issuer='j', root=canonical.decode_foreign("
        "root, name='r', limit=1 << 20))\n"
        "listed = entry(data, keyless.signatory(known))\n"
        "found = attestation.judge(model(), listed, data)\n"
        "print(found.verdict, found.by, found.words, found.statement)\n"
        "print(attestation.flaws((found,)))\n"
        "try: keyless.trusted('i', 'j', root, name='r')\n"
        "except RequestError as error: print(error.problem, error.hint, sep='\\n')"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    how = "`pip install 'airlift[sigstore]'`"
    why = (
        "signatures through Sigstore cannot be checked here without the package"
        " `sigstore`"
    )
    assert done.stdout.splitlines() == [
        "unchecked () () None",
        f"attestation {sha256(data)[:12]} is unchecked: {why}: {how}",
        why,
        how,
    ]
    assert attestation.judge(ONE, entry(data, by), data).unchecked is False


def _library(root: dict[str, Any]) -> TrustedRoot:
    from sigstore_models.trustroot.v1 import TrustedRoot as Table  # noqa: PLC0415

    return TrustedRoot(Table.from_json(json.dumps(root)))


def test_a_clock_that_is_wrong_changes_no_verdict() -> None:
    """A host that believes it is the past, to which all this is the future."""
    later = Sigstore(began=datetime(2099, 1, 1, tzinfo=UTC))
    data = later.model(ONE, at=datetime(2099, 3, 1, tzinfo=UTC))
    assert problem(data, later.signatory()) == ""
    with pytest.raises(MetadataError, match="Fulcio certificates not found"):
        Verifier(trusted_root=_library(later.root()))


def test_a_clock_is_believed_where_the_log_promises_nothing(tmp_path: Path) -> None:
    """As the newer logs of Sigstore work: they prove that, and a clock says when."""
    now = datetime.now(UTC)
    ours, other = clock(tmp_path / "ours"), clock(tmp_path / "other")
    data = WORLD.model(ONE, at=now - timedelta(minutes=2), stamp=ours.stamp)
    by = WORLD.signatory(timestampAuthorities=[ours.authority()])
    found = attestation.judge(ONE, entry(data, by), data)
    (who,) = found.by
    when = datetime.fromisoformat(who.split("logged ")[1].split()[0])
    assert timedelta(seconds=-2) < when - now < timedelta(minutes=2)
    none = f"{NOT_RIGHT}no Timestamp Authorities have been provided"
    assert problem(data).startswith(none)
    before = [ours.authority(end="2025-06-01T00:00:00Z")]
    assert problem(data, WORLD.signatory(timestampAuthorities=before)).startswith(none)
    by = WORLD.signatory(timestampAuthorities=[other.authority()])
    assert problem(data, by) == f"{NOT_RIGHT}not enough sources of verified time"
    moved = json.loads(data)
    again = json.loads(WORLD.model(ONE, at=now, stamp=ours.stamp))
    _material(moved)["timestampVerificationData"] = _material(again)[
        "timestampVerificationData"
    ]
    by = WORLD.signatory(timestampAuthorities=[ours.authority()])
    assert problem(moved, by) == f"{NOT_RIGHT}not enough sources of verified time"


def test_a_certificate_for_another_kind_of_key_is_refused() -> None:
    """The library would give it what only keys on curves take."""
    told = copy.deepcopy(GOOD)
    other = ed25519.Ed25519PrivateKey.generate()
    made = WORLD.certify(other, SIGNED, Who())  # type: ignore[arg-type]
    der = made.public_bytes(Encoding.DER)
    _material(told)["certificate"] = {"rawBytes": coded(der)}
    assert problem(told) == "its certificate is for another kind of key than OMS knows"


def test_a_signature_by_another_key_than_the_certificate_is_not_so() -> None:
    """Logged all the same: a log takes what it is given."""

    def other(told: dict[str, Any]) -> None:
        (one,) = told["dsseEnvelope"]["signatures"]
        payload = b64decode(told["dsseEnvelope"]["payload"])
        one["sig"] = coded(sign(new_key(), dsse.covered(payload)))

    assert problem(edited(other)) == f"{NOT_RIGHT}DSSE: invalid signature"


def test_files_that_are_not_as_they_were_signed_are_named() -> None:
    """Whoever signed, it is of these files or of none."""
    data = json.dumps(GOOD).encode()
    changed = model({**FILES, "config.json": b"[]"})
    found = attestation.judge(changed, entry(data, WORLD.signatory()), data)
    assert (found.problem, found.verdict) == (
        "it is of other bytes of config.json",
        "not valid",
    )


def test_another_mode_than_the_release_names_is_refused() -> None:
    """Each way round: what is named is what is checked."""
    ours = keyed(oms.statement(ONE), MODELS)
    assert problem(ours, WORLD.signatory()) == (
        "it is signed in another way than through Sigstore, as is named"
    )
    assert problem(GOOD, attesting.signatory(MODELS.public)) == (
        "it was signed through Sigstore, and no identity is named for that"
    )
    bare = attesting.sign(oms.statement(ONE), [MODELS])
    assert "has the unknown value `sigstore`" in problem(bare, WORLD.signatory())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda one: replace(one, key_id=sha256(b"")),
            "the identity the release names has another digest than it says",
        ),
        (
            lambda one: replace(one, name="ann@acme.example"),
            "the identity the release names has two names",
        ),
        (
            lambda one: _of(one.public.replace('"issuer"', ' "issuer"')),
            "the identity the release names is not in canonical form at byte 35",
        ),
        (lambda _: _of('{"identity":"x"}'), "`issuer` is missing"),
        (
            lambda one: _of(one.public.replace('"tlogs"', '"tlogz"')),
            "the trust root: `tlogz` is not known here",
        ),
        (
            lambda one: _of(one.public.replace("2025-01-01T00:00:00Z", "yesterday")),
            "is not a time as RFC 3339 writes it",
        ),
    ],
    ids=["id", "name", "spelling", "issuer", "root", "time"],
)
def test_an_identity_has_one_form(
    change: Callable[[Signatory], Signatory], said: str
) -> None:
    """Approvers sign it, people compare it by its digest, and it is kept for years."""
    assert said in problem(GOOD, change(WORLD.signatory()))


def _of(public: str) -> Signatory:
    return Signatory(
        name=IDENTITY, scheme="sigstore", key_id=sha256(public.encode()), public=public
    )


def test_the_word_of_a_denied_identity_counts_for_nothing() -> None:
    """It is denied by the digest that a release names it by, as keys are."""
    data, by = json.dumps(GOOD).encode(), WORLD.signatory()
    found = attestation.judge(ONE, entry(data, by), data, [by.key_id])
    assert found.problem == f"key {by.key_id[:16]} of `{IDENTITY}` is denied"


def test_an_identity_is_made_of_what_people_have() -> None:
    """A name, who knows it, and the file that Sigstore's own tools keep."""
    root = json.dumps(WORLD.root(), indent=2).encode()
    found = keyless.trusted(IDENTITY, ISSUER, root, name="trusted_root.json")
    assert found == WORLD.signatory()
    assert (found.name, found.scheme) == (IDENTITY, "sigstore")
    assert found.key_id == sha256(found.public.encode())
    told = canonical.decode(found.public.encode(), name="it", limit=1 << 20)
    assert told == {
        "identity": IDENTITY,
        "issuer": ISSUER,
        "trusted_root": WORLD.root(),
    }


def test_the_trust_root_of_the_public_sigstore_is_taken() -> None:
    """As the library carries it: logs of both kinds, of which one was given up."""
    from sigstore._utils import read_embedded  # noqa: PLC0415 - where it is

    for name in ("sigstore", "sigstage"):
        root = read_embedded("trusted_root.json", f"https://tuf-repo-cdn.{name}.dev")
        found = keyless.trusted(IDENTITY, ISSUER, root, name=name)
        assert problem(GOOD, found) == (
            "the log it names was not in force then, by the trust root"
        )


@pytest.mark.parametrize(
    ("who", "root", "said"),
    [
        (("", ISSUER), b"{}", "the identity `` cannot be one"),
        ((IDENTITY, "a\nb"), b"{}", "the issuer `a\\nb` cannot be one"),
        (("a" * 1025, ISSUER), b"{}", "the identity `aaaaa"),
        ((IDENTITY, ISSUER), b"[]", "r is not a trust root of Sigstore"),
        (
            (IDENTITY, ISSUER),
            b"{}",
            "r is not a trust root of Sigstore: the trust root: `mediaType` is missing",
        ),
        (
            (IDENTITY, ISSUER),
            json.dumps(WORLD.root(mediaType="x")).encode(),
            "r is not a trust root of Sigstore: 1 validation error for TrustedRoot",
        ),
        (
            (IDENTITY, ISSUER),
            json.dumps(WORLD.root(tlogs=[])).encode(),
            "trusted root contains no transparency log instances",
        ),
    ],
)
def test_what_cannot_be_believed_is_refused_before_an_export(
    who: tuple[str, str], root: bytes, said: str
) -> None:
    """Where it can still be mended, and not at a site."""
    with pytest.raises(RequestError) as caught:
        keyless.trusted(*who, root, name="r")
    assert said in caught.value.problem


def test_a_trust_root_that_is_no_json_is_refused() -> None:
    """A file of pages, say, which a portal answered with."""
    with pytest.raises(FormatError, match=r"^r is not strict JSON"):
        keyless.trusted(IDENTITY, ISSUER, b"<html>", name="r")


def test_logs_are_told_apart_by_their_keys() -> None:
    """An entry of one log under the name of the other is of neither."""
    two = Sigstore()
    logs = [*WORLD.root()["tlogs"], *two.root()["tlogs"]]
    by = WORLD.signatory(tlogs=logs)
    assert problem(GOOD, by) == ""
    moved = edited(
        lambda told: _entry(told).update(logId={"keyId": coded(key_id(two.log))})
    )
    assert problem(moved, by).startswith(f"{NOT_RIGHT}invalid log entry: checkpoint")
