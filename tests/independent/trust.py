"""Authority, written from section 3 of docs/format.md alone."""

import hashlib
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_public_key,
)

from independent.record import (
    RefusedError,
    digest,
    digests,
    need,
    number,
    olpc,
    parse,
    sha256,
    site,
    table,
    time,
)

JUMP = 10_000
LIMITS = {
    "root": 512_000,
    "timestamp": 65_536,
    "snapshot": 2_000_000,
    "targets": 8 << 20,
}
TOP = ("root", "snapshot", "targets", "timestamp")
_HEX = re.compile(r"([0-9a-f]{2})+", re.ASCII)
_CURVES: Mapping[str, tuple[ec.EllipticCurve, hashes.HashAlgorithm, int]] = {
    "ecdsa-sha2-nistp256": (
        ec.SECP256R1(),
        hashes.SHA256(),
        0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    ),
    "ecdsa-sha2-nistp384": (
        ec.SECP384R1(),
        hashes.SHA384(),
        int("f" * 48 + "c7634d81f4372ddf581a0db248b0a77aecec196accc52973", 16),
    ),
}

_LATTICE: Mapping[str, type[mldsa.MLDSA65PublicKey | mldsa.MLDSA87PublicKey]] = {
    "ml-dsa-65/1": mldsa.MLDSA65PublicKey,
    "ml-dsa-87/1": mldsa.MLDSA87PublicKey,
}


@dataclass(frozen=True, kw_only=True)
class Past:
    """What a site remembers of the deliveries it took.

    Attributes:
        deliveries: Digest of the dispatch record by sequence.
        latest: The largest time of issue.
        metadata: File and version by role.
        roots: Every root by version.
        counters: Highest counter and its release by kind and name.
        policy: The site's policy; empty where it has none.
        denials: The deny list; empty where there is none.
    """

    deliveries: Mapping[int, str] = field(default_factory=dict)
    latest: str = ""
    metadata: Mapping[str, tuple[int, bytes]] = field(default_factory=dict)
    roots: Mapping[int, bytes] = field(default_factory=dict)
    counters: Mapping[tuple[str, str], tuple[int, str]] = field(default_factory=dict)
    policy: bytes = b""
    denials: bytes = b""


@dataclass(frozen=True, kw_only=True)
class Quorum:
    """Keys by id, and how many must sign."""

    keys: Mapping[str, Mapping[str, Any]]
    threshold: int
    people: int = 0

    def pairs(self) -> list[list[str]]:
        """Return the ids of each name's keys."""
        found: dict[str, list[str]] = {}
        for key_id, key in self.keys.items():
            found.setdefault(_person(key["x-airlift-name"]), []).append(key_id)
        return list(found.values())


@dataclass(frozen=True, kw_only=True)
class Document:
    """A metadata file taken apart."""

    role: str
    data: bytes
    signed: Mapping[str, Any]
    signatures: Mapping[str, bytes]

    @property
    def version(self) -> int:
        """Its version."""
        return int(self.signed["version"])

    @property
    def edition(self) -> dict[str, Any]:
        """How others name it."""
        return {
            "version": self.version,
            "x-airlift-signed": sha256(olpc(self.signed)),
        }


def read(role: str, data: bytes) -> Document:
    """Return the document *data* of *role*, its form checked (section 3.1)."""
    top = table(
        parse(data, LIMITS.get(role, 65_536)), {"signatures": list, "signed": dict}
    )
    signatures = {}
    for entry in top["signatures"]:
        one = table(entry, {"keyid": str, "sig": str})
        need(_HEX.fullmatch(one["sig"]), "a signature that is not hexadecimal")
        signatures[digest(one["keyid"])] = bytes.fromhex(one["sig"])
    ids = [entry["keyid"] for entry in top["signatures"]]
    need(ids == sorted(signatures) and len(ids) <= 64, "signatures out of order")
    signed = top["signed"]
    common = {"_type": str, "spec_version": str, "version": int, "expires": str}
    own = dict(_OWN[role if role in LIMITS else "site"])
    if role == "root" and signed.get("version") != 1:
        own["x-airlift-previous"] = str
    if role == "root" and "x-airlift-profile" in signed:
        own["x-airlift-profile"] = str
    table(signed, {**common, **own})
    kind = role if role in LIMITS else "targets"
    need((signed["_type"], signed["spec_version"]) == (kind, "1.0.31"), "no such type")
    number(signed["version"], 1)
    time(signed["expires"])
    return Document(role=role, data=data, signed=signed, signatures=signatures)


_OWN: Mapping[str, Mapping[str, type]] = {
    "root": {"consistent_snapshot": bool, "keys": dict, "roles": dict},
    "timestamp": {"meta": dict},
    "snapshot": {"meta": dict},
    "targets": {"targets": dict, "delegations": dict},
    "site": {"targets": dict},
}


def quorums(keys: Mapping[str, Any], roles: Mapping[str, Any]) -> dict[str, Quorum]:
    """Return the quorums *roles*, each ``keyids`` and ``threshold``, of *keys*."""
    for key_id, key in keys.items():
        _check_key(key_id, key)
    found, used = {}, set()
    for name, role in roles.items():
        ids = digests(role["keyids"])
        need(set(ids) <= keys.keys(), "a key id that is not listed")
        used |= set(ids)
        threshold = number(role["threshold"], 1, len(ids))
        people = role.get("x-airlift-people", 0)
        held = {one: keys[one] for one in ids}
        found[name] = Quorum(keys=held, threshold=threshold, people=people)
        if "x-airlift-people" in role:
            _check_people(found[name])
    need(used == keys.keys(), "a key that is in no quorum")
    return found


def _check_people(one: Quorum) -> None:
    pairs = one.pairs()
    number(one.people, 1, len(pairs))
    need(one.threshold == 2 * one.people, "people and threshold that differ")
    for pair in pairs:
        kinds = sorted(one.keys[key_id]["keytype"] == "ml-dsa" for key_id in pair)
        need(kinds == [False, True], "a person without a key of each family")


def _person(name: str) -> str:
    folded = unicodedata.normalize("NFKC", name).casefold()
    return " ".join(unicodedata.normalize("NFKC", folded).split())


def _check_key(key_id: str, value: Any) -> None:
    key = table(
        value, {"keytype": str, "keyval": dict, "scheme": str, "x-airlift-name": str}
    )
    text = table(key["keyval"], {"public": str})["public"]
    named = {name: key[name] for name in ("keytype", "keyval", "scheme")}
    need(sha256(olpc(named)) == digest(key_id), "a key id that is not its key's")
    name = key["x-airlift-name"]
    odd = any(unicodedata.category(c)[0] == "C" or c in "`\u2028\u2029" for c in name)
    need(1 <= len(name) <= 64 and name == name.strip() and not odd, "a key's name")
    if key["scheme"] == "ed25519":
        need(key["keytype"] == "ed25519", "a key's type")
        need(_HEX.fullmatch(text) and len(text) == 64, "a key that is no key")
        return
    known = {"ecdsa": _CURVES, "ml-dsa": _LATTICE}.get(key["keytype"], {})
    need(key["scheme"] in known, "an unknown scheme")
    try:
        public = load_pem_public_key(text.encode())
    except ValueError as error:
        reason = "a key that is no key"
        raise RefusedError(reason) from error
    if isinstance(public, ec.EllipticCurvePublicKey):
        fits = key["keytype"] == "ecdsa" and (
            public.curve.name == _CURVES[key["scheme"]][0].name
        )
    else:
        fits = isinstance(public, _LATTICE.get(key["scheme"], ()))
    need(
        fits
        and public.public_bytes(
            Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
        ).decode()
        == text,
        "a key of another curve or spelling",
    )


def approvers(listed: list[Any]) -> int:
    """Return how many people a policy enrols, their keys checked (section 4.5)."""
    ids, people = [], []
    kinds = {"ed25519": "ed25519"} | dict.fromkeys(_LATTICE, "ml-dsa")
    for entry in listed:
        one = table(entry, {"key_id": str, "name": str, "public": str, "scheme": str})
        key = {
            "keytype": kinds.get(one["scheme"], "ecdsa"),
            "keyval": {"public": one["public"]},
            "scheme": one["scheme"],
            "x-airlift-name": one["name"],
        }
        _check_key(one["key_id"], key)
        ids.append(one["key_id"])
        people.append(_person(one["name"]))
    need(ids and ids == sorted(set(ids)), "approvers out of order")
    need(len(people) == len(set(people)), "one person twice")
    return len(ids)


def check_signatures(document: Document, *needed: Quorum) -> None:
    """Refuse a signature too few, too many or false (section 3.2, 3)."""
    keys = {key_id: key for one in needed for key_id, key in one.keys.items()}
    payload = olpc(document.signed)
    for key_id, signature in document.signatures.items():
        need(key_id in keys, f"{document.role}: a signature by no key of it", "trust")
        good = verifies(keys[key_id], signature, payload)
        need(good, f"{document.role}: a false signature", "trust")
    need(_met(document.signatures, needed), f"{document.role}: too few", "trust")
    for key_id in document.signatures:
        fewer = document.signatures.keys() - {key_id}
        need(not _met(fewer, needed), f"{document.role}: one too many", "trust")


def _met(signed: Any, needed: tuple[Quorum, ...]) -> bool:
    return all(
        len(one.keys.keys() & signed) >= one.threshold
        and sum(set(pair) <= set(signed) for pair in one.pairs()) >= one.people
        for one in needed
    )


def verifies(key: Mapping[str, Any], signature: bytes, payload: bytes) -> bool:
    """Say whether a signature by *key* of *payload* is right (section 3.1)."""
    public = key["keyval"]["public"]
    try:
        if key["scheme"] == "ed25519":
            raw = ed25519.Ed25519PublicKey.from_public_bytes(bytes.fromhex(public))
            raw.verify(signature, payload)
            return True
        loaded = load_pem_public_key(public.encode())
        if key["scheme"] in _LATTICE:
            assert isinstance(loaded, mldsa.MLDSA65PublicKey | mldsa.MLDSA87PublicKey)
            loaded.verify(signature, b"tuf\x01" + hashlib.sha512(payload).digest())
            return True
        _, algorithm, order = _CURVES[key["scheme"]]
        r, s = decode_dss_signature(signature)
        assert isinstance(loaded, ec.EllipticCurvePublicKey)
        loaded.verify(signature, payload, ec.ECDSA(algorithm))
    except (InvalidSignature, ValueError):
        return False
    return 2 * s < order and encode_dss_signature(r, s) == signature


def check_roots(roots: list[Document], accepted: bytes, past: Past) -> Quorum:
    """Check the chain (section 3.2, 2); return the newest root's own quorum."""
    known = {**past.roots, read("root", accepted).version: accepted}
    need(
        len(roots) >= max(known), "the newest root that is trusted is not here", "trust"
    )
    before: tuple[Quorum, ...] = ()
    for at, root in enumerate(roots):
        need(root.signed["consistent_snapshot"], "no consistent snapshot")
        need(known.get(at + 1, root.data) == root.data, "another root", "trust")
        previous = sha256(roots[at - 1].data) if at else None
        claimed = root.signed.get("x-airlift-previous")
        need(root.version == at + 1 and claimed == previous, "a broken chain", "trust")
        own = root_quorums(root)["root"]
        check_signatures(root, *before, own)
        before = (own,)
    return before[0]


def root_quorums(root: Document) -> dict[str, Quorum]:
    """Return the quorums of the four top-level roles."""
    table(root.signed["roles"], dict.fromkeys(TOP, dict))
    for role in root.signed["roles"].values():
        table(role, {"keyids": list, "threshold": int, **_people_of(role)})
    found = quorums(root.signed["keys"], root.signed["roles"])
    if "x-airlift-profile" in root.signed:
        _check_profile(root.signed["x-airlift-profile"], found)
    return found


def _people_of(role: Mapping[str, Any]) -> dict[str, type]:
    return {"x-airlift-people": int} if "x-airlift-people" in role else {}


def _check_profile(profile: str, roles: Mapping[str, Quorum]) -> None:
    """Refuse a root that is not what it promises (section 3.1)."""
    need(profile in ("standard", "strict"), "an unknown profile")
    for name in ("root", "targets"):
        pairs = roles[name].pairs()
        need(len(pairs) >= 3, "fewer than three people")
        most = max(len(pair) for pair in pairs)
        need(most < roles[name].threshold, "a person who decides alone")
    if profile == "strict":
        for name, one in roles.items():
            need(one.people >= (2 if name in ("root", "targets") else 1), "no pairs")
            schemes = {key["scheme"] for key in one.keys.values()}
            need(schemes <= {"ecdsa-sha2-nistp384", "ml-dsa-87/1"}, "a scheme")


def site_quorums(targets: Document) -> dict[str, Quorum]:
    """Return the quorum of every site's role, and of `catalogue` where there is one."""
    delegations = table(targets.signed["delegations"], {"keys": dict, "roles": list})
    roles: dict[str, Any] = {}
    for entry in delegations["roles"]:
        one = table(
            entry,
            {
                "keyids": list,
                "name": str,
                "paths": list,
                "terminating": bool,
                "threshold": int,
                **_people_of(entry),
            },
        )
        paths = "catalogue/*"
        if one["name"] != "catalogue":
            name = site(one["name"].removeprefix("site-"))
            need(one["name"] == f"site-{name}", "a delegation")
            paths = f"dispatch/{name}/*"
        need(one["terminating"], "a delegation")
        need(one["paths"] == [paths], "the paths of a delegation")
        roles[one["name"]] = one
    need(list(roles) == [one["name"] for one in delegations["roles"]], "a role twice")
    need(list(roles) == sorted(roles), "delegations out of order")
    return quorums(delegations["keys"], roles)


def check_editions(documents: Mapping[str, Document], sites: Any) -> None:
    """Check that the documents name each other as they are (section 3.2, 4)."""
    meta = documents["timestamp"].signed["meta"]
    named = {"snapshot.json": documents["snapshot"].edition}
    need(_editions(meta) == named, "timestamp calls for another snapshot", "trust")
    listed = _editions(documents["snapshot"].signed["meta"])
    roles = {f"{role}.json" for role in ("root", "targets", *sites)}
    need(listed.keys() == roles, "the snapshot lists other roles", "trust")
    for role, document in documents.items():
        if role not in ("timestamp", "snapshot"):
            good = listed[f"{role}.json"] == document.edition
            need(good, f"the snapshot calls for another {role}", "trust")


def _editions(meta: Mapping[str, Any]) -> Mapping[str, Any]:
    for entry in meta.values():
        one = table(entry, {"version": int, "x-airlift-signed": str})
        digest(one["x-airlift-signed"])
        number(one["version"], 1)
    return meta


def check_order(documents: Mapping[str, Document], past: Past) -> None:
    """Refuse a step back, a fork or a leap (section 3.2, 6)."""
    for role, document in documents.items():
        if role in past.metadata:
            version, data = past.metadata[role]
            step = document.version - version
            good = 0 <= step <= JUMP and (step or data == document.data)
            need(good, f"{role} after version {version}", "trust")
