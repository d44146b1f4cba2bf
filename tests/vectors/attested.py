"""Test vectors of attestations: valid, not valid, missing, one too many, of other bytes.

The elliptic signature is deterministic (RFC 6979), so these too are the same for ever.
"""

import json
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from securesystemslib.signer import SSlibKey  # type: ignore[attr-defined]

from airlift.artifact import Attested, Release
from airlift.digest import sha256
from airlift.format import canonical, dsse, oms, predicates, release
from airlift.format import statement as statements
from airlift.format.dsse import Envelope, Signature
from airlift.format.predicates import Making
from airlift.trust import attesting, public
from airlift.trust.public import PublicKey
from vectors.cases import FIRST, MODEL, Case, RecordCase
from vectors.sender import Sender, Sent, key

FILES: Mapping[str, bytes] = {**MODEL, ".gitattributes": b"* text\n", "LICENSE": b"MIT"}
Made = tuple[Attested, bytes]


@cache
def _model_key() -> tuple[ec.EllipticCurvePrivateKey, PublicKey]:
    """Return the test key for models, the same for ever; it protects nothing."""
    secret = int(sha256(b"airlift test key of models")[:60], 16)
    private = ec.derive_private_key(secret, ec.SECP256R1())
    held = SSlibKey.from_crypto(private.public_key())
    return private, public.of(held, name="models")


def provenance(one: Release) -> Made:
    """Return where a release comes from, said by carol."""
    making = Making(operator="carol", at=FIRST, versions={"airlift": "1.0"})
    said = predicates.provenance(one, making)
    told = predicates.about(one, predicates.PROVENANCE, said)
    data = attesting.sign(told, [key("carol")])
    return _listed(data, key("carol").public)


def signature(one: Release) -> Made:
    """Return the model signature of a release."""
    private, own = _model_key()
    payload = statements.encode(oms.statement(one))
    scheme = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)
    value = private.sign(dsse.covered(payload), scheme)
    signed = Envelope(payload=payload, signatures=(Signature(key_id="", value=value),))
    return _listed(oms.encode(signed, key=own.public), own)


def _listed(data: bytes, by: PublicKey) -> Made:
    return attesting.listed(data, [attesting.signatory(by)], at=FIRST), data


def _changed(made: Made, edit: Callable[[dict[str, Any]], None]) -> Made:
    """Return an attestation changed, and listed as it is then."""
    listed, data = made
    table = json.loads(data)
    edit(table)
    fresh = canonical.encode(table)
    return replace(listed, sha256=sha256(fresh), size=len(fresh)), fresh


def _unsigned(table: dict[str, Any]) -> None:
    table["signatures"][0]["sig"] = b64encode(bytes(64)).decode()


def _both(one: Release) -> Sequence[Made]:
    return [provenance(one), signature(one)]


def _wrong(one: Release) -> Sequence[Made]:
    """Return what is all not valid, each in a way of its own."""
    other = replace(one, counter=one.counter + 7)
    fewer = replace(one, files=one.files[:-1])
    spaced = signature(one)
    broken = spaced[1].replace(b":", b": ", 1) + b"\n"
    keyed_twice = replace(
        spaced[0], sha256=sha256(twice := _twice(spaced[1])), size=len(twice)
    )
    lenient = replace(spaced[0], sha256=sha256(broken), size=len(broken))
    return [
        _changed(provenance(one), _unsigned),
        provenance(other),
        signature(fewer),
        (keyed_twice, twice),
        (lenient, broken),  # valid: others spell JSON their way
    ]


def _twice(data: bytes) -> bytes:
    return data.replace(b'{"dsseEnvelope"', b'{"mediaType":"x","dsseEnvelope"', 1)


def attested(folder: Path) -> Iterator[Case]:
    """Yield deliveries whose releases are attested."""
    sender = Sender(folder / "attested", FIRST)
    sent = sender.send({"acme/m": FILES}, FIRST, attest=_both)
    case = Case(
        name="attested",
        because="with its provenance and a model signature, both valid",
        volumes=sent.volumes(),
        root=sender.root,
        files={"acme/m": FILES},
        invalid=(),
    )
    yield case
    refused = replace(case, expect="trust", files=None, invalid=None)
    name = _name(sent)
    data = sent.records[name]
    for end, because, records in (
        ("missing", "an attestation is missing", _without(sent, name)),
        ("changed", "of an attestation one byte is another", {name: data[:-1] + b" "}),
        (
            "extra",
            "an attestation that no release lists",
            {f"records/attestations/{sha256(b'x')}.json": b"x"},
        ),
    ):
        kept = _without(sent, name) if end == "missing" else {**sent.records, **records}
        made = sent.with_records(kept)
        yield replace(
            refused, name=f"attested-{end}", because=because, volumes=made.volumes()
        )
    yield from _invalid(folder, case)


def _invalid(folder: Path, case: Case) -> Iterator[Case]:
    sender = Sender(folder / "invalid", FIRST)
    sent = sender.send({"acme/m": FILES}, FIRST, attest=_wrong)
    (document,) = sent.documents
    one = release.decode(document)
    bare = replace(one, attestations=())
    listed = [made[0].sha256 for made in _wrong(bare)[:4]]
    yield replace(
        case,
        name="attested-wrong",
        because="taken, but the release waits: signature, release, files, key twice",
        volumes=sent.volumes(),
        root=sender.root,
        invalid=tuple(sorted(listed)),
    )


def _name(sent: Sent) -> str:
    return next(name for name in sent.records if "/attestations/" in name)


def _without(sent: Sent, name: str) -> dict[str, bytes]:
    return {key_: data for key_, data in sent.records.items() if key_ != name}


def listings(folder: Path) -> Iterator[RecordCase]:
    """Yield release documents that list attestations, good and bad."""
    sender = Sender(folder / "listings", FIRST)
    sent = sender.send({"acme/m": FILES}, FIRST, attest=_both)
    (document,) = sent.documents
    case = RecordCase(
        name="release-attested", because="good", kind="release", data=document
    )
    yield replace(case, expect="ok")

    def order(listed: list[dict[str, Any]]) -> None:
        listed.reverse()

    def nobody(listed: list[dict[str, Any]]) -> None:
        listed[0]["by"] = []

    edits: Mapping[str, tuple[str, Callable[[list[dict[str, Any]]], None]]] = {
        "empty": ("an empty list of attestations", list.clear),
        "unsorted": ("attestations that are not sorted", order),
        "nobody": ("an attestation by nobody", nobody),
    }
    for end, (because, edit) in edits.items():
        table = json.loads(document)
        edit(table["attestations"])
        data = canonical.encode(table)
        yield replace(case, name=f"release-attested-{end}", because=because, data=data)
