"""What attestations say, written from section 4.8 of docs/format.md alone."""

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from independent import trust
from independent.record import (
    RefusedError,
    canonical,
    digest,
    digests,
    need,
    number,
    sha256,
    table,
    time,
)

IN_TOTO = "application/vnd.in-toto+json"
BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
MODEL = "https://model_signing/signature/v1.0"
_GIT = (".git", ".github", ".gitignore", ".gitattributes")
_HASHES = {256: hashes.SHA256(), 384: hashes.SHA384()}


def check_listed(listed: Any) -> None:
    """Refuse a list of attestations of another form (section 4.8)."""
    need(isinstance(listed, list) and 0 < len(listed) <= 64, "no list of attestations")
    for value in listed:
        one = table(value, {"sha256": str, "size": int, "at": str, "by": list})
        number(one["size"], 1)
        time(one["at"])
        need(0 < len(one["by"]) <= 64, "no signatories, or too many")
        for each in one["by"]:
            names = ("name", "scheme", "key_id", "public")
            table(each, dict.fromkeys(names, str))
        digests([each["key_id"] for each in one["by"]])
    digests([one["sha256"] for one in listed])


def check_carried(
    files: Mapping[str, bytes], releases: Mapping[str, Mapping[str, Any]]
) -> None:
    """Refuse a delivery that has not exactly what its releases list."""
    front = "records/attestations/"
    there = {name: data for name, data in files.items() if name.startswith(front)}
    listed = {
        f"{front}{one['sha256']}.json": (one["sha256"], one["size"])
        for release in releases.values()
        for one in release.get("attestations", [])
    }
    need(there.keys() == listed.keys(), "other attestations than are listed", "trust")
    for name, data in there.items():
        same = (sha256(data), len(data)) == listed[name]
        need(same, f"{name} has other bytes", "trust")


def is_valid(release: Mapping[str, Any], one: Mapping[str, Any], data: bytes) -> bool:
    """Say whether an attestation of a release is valid."""
    try:
        statement = _load(_payload(one, data))
        need(isinstance(statement, dict), "no statement")
        good = statement["_type"] == "https://in-toto.io/Statement/v1"
        if statement["predicateType"] == MODEL:
            return bool(good and _is_model(release, statement, sha256(data)))
        return bool(good and _is_of(release, statement))
    except (RefusedError, KeyError, TypeError, AttributeError):
        return False


def _load(data: bytes) -> Any:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        need(len(dict(pairs)) == len(pairs), "a key that is there twice")
        return dict(pairs)

    try:
        value = json.loads(data.decode(), object_pairs_hook=once)
        canonical(value)  # no number but integers, 32 levels
    except (ValueError, RecursionError) as error:
        reason = f"no JSON: {error}"
        raise RefusedError(reason) from error
    return value


def _octets(text: str) -> bytes:
    try:
        found = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        reason = "no base64"
        raise RefusedError(reason) from error
    need(base64.b64encode(found).decode() == text, "base64 spelt otherwise")
    return found


def _payload(one: Mapping[str, Any], data: bytes) -> bytes:
    """Return the payload that all signatories of an attestation have signed."""
    value = _load(data)
    bundle = value if "mediaType" in value else None
    envelope = bundle["dsseEnvelope"] if bundle else value
    need(envelope["payloadType"] == IN_TOTO, "another type")
    payload = _octets(envelope["payload"])
    signed = b"DSSEv1 %d %s %d " % (len(IN_TOTO), IN_TOTO.encode(), len(payload))
    for by in one["by"]:
        signatures = envelope["signatures"]
        if bundle:
            need(bundle["mediaType"] == BUNDLE, "another bundle")
            need(len(signatures) == 1, "not one signature")
            hint = bundle["verificationMaterial"]["publicKey"].get("hint", "")
            need(hint in ("", sha256(by["public"].encode())), "another key")
            good = _either(by, _octets(signatures[0]["sig"]), signed + payload)
        else:
            key = {"scheme": by["scheme"], "keyval": {"public": by["public"]}}
            good = any(
                trust.verifies(key, _octets(each["sig"]), signed + payload)
                for each in signatures
                if each["keyid"] == by["key_id"]
            )
        need(good, "a signature that is not right")
    return payload


def _either(by: Mapping[str, Any], signature: bytes, signed: bytes) -> bool:
    key = load_pem_public_key(by["public"].encode())
    assert isinstance(key, ec.EllipticCurvePublicKey)
    try:
        key.verify(signature, signed, ec.ECDSA(_HASHES[key.curve.key_size]))
    except InvalidSignature:
        return False
    return True


def _is_of(release: Mapping[str, Any], statement: Mapping[str, Any]) -> bool:
    bare = {key: release[key] for key in release if key != "attestations"}
    known = {one["sha256"] for one in release["files"]} | {sha256(canonical(bare))}
    return any(one["digest"].get("sha256") in known for one in statement["subject"])


def _is_model(
    release: Mapping[str, Any], statement: Mapping[str, Any], own: str
) -> bool:
    predicate, (subject,) = statement["predicate"], statement["subject"]
    form = predicate["serialization"]
    if (form["method"], form["hash_type"]) != ("files", "sha256"):
        return False
    named = {}
    root = hashlib.sha256()
    for one in predicate["resources"]:
        need(one["name"] not in named and one["algorithm"] == "sha256", "a resource")
        named[one["name"]] = digest(one["digest"])
        root.update(bytes.fromhex(one["digest"]))
    wanted = {
        one["path"]: one["sha256"]
        for one in release["files"]
        if one["sha256"] != own
        and (one["path"] in named or one["path"].split("/")[0] not in _GIT)
    }
    right = all(named.get(path) == sha for path, sha in wanted.items())
    return bool(right and subject["digest"]["sha256"] == root.hexdigest())
