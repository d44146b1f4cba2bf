"""Model signatures of the OpenSSF (OMS): which bytes a model's files have, signed.

A bundle of Sigstore's with an in-toto statement in it, that others can check without
airlift. It says nothing of who may send what where, so it is never an authority here.
Stricter than the reference verifier where that passes what it should not (threats,
finding 4): every carried file has to be named but those no signature can name.

Source: OpenSSF Model Signing 1.0, sections 4 to 8; Sigstore bundle 0.3.
"""

import hashlib
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass

from airlift import naming
from airlift.artifact import Json, Kind, Release
from airlift.digest import Sha256, sha256
from airlift.format import canonical, dsse, keyless
from airlift.format.dsse import Envelope
from airlift.format.fields import Fields
from airlift.format.keyless import Logged
from airlift.format.statement import Statement, Subject

PREDICATE = "https://model_signing/signature/v1.0"
MEDIA_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"
KINDS = frozenset({Kind.MODEL, Kind.DATASET, Kind.GGUF, Kind.FOLDER})
"""What clients get as a folder of files under their own names."""
LEFT_OUT = (".git", ".gitattributes", ".github", ".gitignore")
"""What no signature covers: verifiers pass over these at the top of a model (6.2)."""
CHAIN = 16
"""Certificates of a chain."""
_NAMED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """A signed statement, and what says whose signature it is.

    Attributes:
        envelope: The statement and its one signature.
        hint: SHA-256 of the PEM of the key; empty where the bundle names none.
        chain: Certificates in DER, the signer's first; empty in key mode.
        logged: When it was signed, if it was through Sigstore, with a certificate of
            minutes; None in the other modes.
    """

    envelope: Envelope
    hint: str = ""
    chain: tuple[bytes, ...] = ()
    logged: Logged | None = None


def is_signable(release: Release) -> bool:
    """Say whether there can be a model signature of *release*."""
    named = any(not _is_left_out(file.path) for file in release.files)
    return release.kind in KINDS and named


def statement(release: Release) -> Statement:
    """Return what a model signature of *release* says; it has to be signable."""
    resources: list[Json] = [
        {"algorithm": "sha256", "digest": file.sha256, "name": file.path}
        for file in release.files
        if not _is_left_out(file.path)
    ]
    name = release.name.rpartition("/")[2]
    return Statement(
        subjects=(Subject(name=name, digest={"sha256": _root(resources)}),),
        predicate_type=PREDICATE,
        predicate={
            "resources": resources,
            "serialization": {
                "allow_symlinks": False,
                "hash_type": "sha256",
                "ignore_paths": LEFT_OUT,
                "method": "files",
            },
        },
    )


def _root(resources: list[Json]) -> str:
    """Return the digest of the digests in their order (6.5.1); names are not in it."""
    hasher = hashlib.sha256()
    for one in resources:
        assert isinstance(one, Mapping)
        hasher.update(bytes.fromhex(str(one["digest"])))
    return hasher.hexdigest()


def encode(envelope: Envelope, *, key: str) -> bytes:
    """Return the bundle of *envelope*, signed by the public *key* in PEM."""
    material: dict[str, Json] = {
        "publicKey": {"hint": hint(key)},
        "tlogEntries": (),
    }
    return _bundle(envelope, material)


def encode_certified(envelope: Envelope, chain: tuple[bytes, ...]) -> bytes:
    """Return the bundle of *envelope*, signed by the first certificate of *chain*."""
    certificates: tuple[Json, ...] = tuple(
        {"rawBytes": b64encode(one).decode()} for one in chain
    )
    return _bundle(
        envelope,
        {"tlogEntries": (), "x509CertificateChain": {"certificates": certificates}},
    )


def _bundle(envelope: Envelope, material: Mapping[str, Json]) -> bytes:
    return canonical.encode(
        {
            "mediaType": MEDIA_TYPE,
            "verificationMaterial": material,
            "dsseEnvelope": dsse.table(envelope),
        }
    )


def hint(key: str) -> str:
    """Return by what a bundle names the public *key*, PEM of SubjectPublicKeyInfo."""
    return sha256(key.encode())


def is_bundle(data: bytes) -> bool:
    """Say whether *data* claims to be a bundle; nothing of it is parsed."""
    # Wherever the claim stands: keys come in any order, and the payload is long.
    return data.lstrip()[:1] == b"{" and b"dev.sigstore.bundle" in data


def decode(data: bytes, *, name: str) -> Bundle:
    """Return the bundle that *data*, from outside, states.

    Raises:
        FormatError: It is none that this version reads.
    """
    top = Fields(
        canonical.decode_foreign(data, name=name, limit=dsse.LIMIT), record=name
    )
    top.only("mediaType", "verificationMaterial", "dsseEnvelope")
    top.expect("mediaType", MEDIA_TYPE)
    envelope = dsse.from_fields(top.table("dsseEnvelope"))
    if len(envelope.signatures) != 1:
        # The reference verifier looks at the first alone, and passes the rest.
        problem = f"has {len(envelope.signatures)} signatures, expected one"
        top.refuse("dsseEnvelope", problem)
    return _decode_material(top.table("verificationMaterial"), envelope)


def _decode_material(material: Fields, envelope: Envelope) -> Bundle:
    if material.has("publicKey"):
        key = material.table("publicKey")
        # Before 1.1 the key itself was there; whose it is, the release says anyway.
        return Bundle(envelope=envelope, hint=key.text("hint", ""))
    if material.has("x509CertificateChain"):
        listed = material.table("x509CertificateChain").tables("certificates")
        chain = tuple(dsse.octets(one, "rawBytes") for one in listed)
        if not 0 < len(chain) <= CHAIN:
            problem = f"has {len(chain)} certificates, expected 1 to {CHAIN}"
            material.refuse("x509CertificateChain", problem)
        return Bundle(envelope=envelope, chain=chain)
    if not material.has("certificate"):
        material.refuse("publicKey", "is missing, and every certificate too")
    return Bundle(envelope=envelope, logged=keyless.logged(material))


def compare(told: Statement, release: Release, own: Sha256) -> tuple[str, str]:
    """Compare a model signature with the files of *release*.

    Args:
        told: Its statement, whose signature was verified.
        release: What it should be of.
        own: Digest of the signature's own file, which may be one of the release.

    Returns:
        What is wrong, empty where all files are as they were signed; and what else a
        reader should know.
    """
    name = "the model signature"
    predicate = Fields(told.predicate, record=name)
    if other := _other_form(predicate.table("serialization")):
        return other, ""
    signed: dict[str, str] = {}
    for one in predicate.tables("resources"):
        path = one.text("name")
        if path in signed:
            one.refuse("name", f"is there twice: `{naming.show(path)}`")
        one.expect("algorithm", "sha256")
        signed[path] = one.sha256("digest")
    listed: list[Json] = [{"digest": digest} for digest in signed.values()]
    if [one.digest.get("sha256") for one in told.subjects] != [_root(listed)]:
        return "its root digest is not that of the files it names", ""
    carried = {one.path: one.sha256 for one in release.files if one.sha256 != own}
    return _differences(signed, carried)


def _other_form(serialization: Fields) -> str:
    form = (serialization.text("method"), serialization.text("hash_type"))
    if form == ("files", "sha256"):
        return ""
    shown = naming.show(f"{form[1]} of {form[0]}")
    return f"it states {shown}, and only sha256 of files can be compared"


def _differences(
    signed: Mapping[str, str], carried: Mapping[str, str]
) -> tuple[str, str]:
    others = [path for path, digest in carried.items() if signed.get(path) != digest]
    changed = [path for path in others if path in signed]
    unsigned = [path for path in others if path not in signed]
    if changed:
        return f"it is of other bytes of {_shown(changed)}", ""
    if bare := [path for path in unsigned if not _is_left_out(path)]:
        return f"it does not cover {_shown(bare)}", ""
    absent = [path for path in signed if path not in carried]
    notes = [f"{len(carried) - len(unsigned)} files are as they were signed"]
    if unsigned:
        notes.append(f"no signature covers {_shown(unsigned)}")
    if absent:
        notes.append(f"of what it names, {_shown(absent)} did not travel")
    return "", "; ".join(notes)


def _is_left_out(path: str) -> bool:
    return path.split("/", 1)[0] in LEFT_OUT


def _shown(paths: list[str]) -> str:
    more = f" and {len(paths) - _NAMED} more" if len(paths) > _NAMED else ""
    return ", ".join(map(naming.show, paths[:_NAMED])) + more
