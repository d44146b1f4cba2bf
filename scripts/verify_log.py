"""Verify an exported log of airlift, without airlift: needs only ``cryptography``.

    python verify_log.py FOLDER [--key VKEY] [--cosigner VKEY] [--against CHECKPOINT]

FOLDER is what `airlift log export` wrote. Every entry is hashed, the tree over all of
them computed, every checkpoint's signature and root compared, and every proof followed.
Nothing in FOLDER is believed but what the key signed; FOLDER names the key itself, so
compare that with one that came another way, and give it with --key (a C2SP verifier key:
`NAME+HASH+BASE64`). Without --key the keys of FOLDER are used and shown. --against takes
a checkpoint that was kept elsewhere: only that finds a log that was put back as a whole.
What people cosigned is checked too; each --cosigner says whose key has to be among them.

Exit code 0: everything agrees. 1: something does not; it is named. Written from RFC 6962
and https://c2sp.org (signed-note, tlog-checkpoint, tlog-proof), not from airlift's code.
"""

import argparse
import base64
import hashlib
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, mldsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key

PROOF = "c2sp.org/tlog-proof@v1"
ED25519, OTHER = b"\x04", b"\xffairlift/cosignature/1\0"
"""The types of cosignatures: C2SP's of Ed25519 keys, and airlift's of all others."""
Keys = dict[tuple[str, bytes], Ed25519PublicKey]
"""By name and key hash."""


class Wrong(Exception):  # noqa: N818 - it is what it says
    """Something does not agree."""


def leaf(entry: bytes) -> bytes:
    """Return the hash of a leaf (RFC 6962 section 2.1)."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node (RFC 6962 section 2.1)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def roots(leaves: list[bytes]) -> Iterator[bytes]:
    """Yield the root of the first leaf, of the first two, and so on."""
    peaks: list[tuple[int, bytes]] = []  # (leaves below, hash), the widest first
    for one in leaves:
        peaks.append((1, one))
        while len(peaks) > 1 and peaks[-1][0] == peaks[-2][0]:
            count, right = peaks.pop()
            _, left = peaks.pop()
            peaks.append((2 * count, node(left, right)))
        found = peaks[-1][1]
        for _, peak in reversed(peaks[:-1]):
            found = node(peak, found)
        yield found


def followed(start: bytes, index: int, size: int, path: list[bytes]) -> bytes:
    """Return the root that an inclusion proof leads to (RFC 9162 section 2.1.3.2)."""
    if not 0 <= index < size:
        raise Wrong(f"there is no leaf {index} in a log of {size}")
    at, last, found = index, size - 1, start
    for one in path:
        if last == 0:
            raise Wrong("the proof is too long")
        if at % 2 or at == last:
            found = node(one, found)
            while at and not at % 2:
                at, last = at // 2, last // 2
        else:
            found = node(found, one)
        at, last = at // 2, last // 2
    if last:
        raise Wrong("the proof is too short")
    return found


def parse_key(text: str) -> tuple[str, bytes, Ed25519PublicKey]:
    """Return name, hash and key of a verifier key (C2SP signed-note)."""
    name, stated, coded = text.strip().split("+", 2)
    raw = base64.b64decode(coded, validate=True)
    found = hashlib.sha256(name.encode() + b"\n" + raw).digest()[:4]
    if raw[:1] != b"\x01" or len(raw) != 33 or found.hex() != stated:
        raise Wrong(f"this is no Ed25519 verifier key: {text!r}")
    return name, found, Ed25519PublicKey.from_public_bytes(raw[1:])


def opened(data: bytes, keys: Keys) -> tuple[str, int, bytes]:
    """Return origin, size and root of a checkpoint that one of *keys* has signed."""
    text, _, signatures = data.partition(b"\n\n")
    text += b"\n"
    lines = text.decode().split("\n")
    if len(lines) != 4:
        raise Wrong("the checkpoint has not three lines")
    for line in signatures.decode().splitlines():
        dash, name, coded = line.split(" ")
        raw = base64.b64decode(coded, validate=True)
        key = keys.get((name, raw[:4]))
        if dash != "\u2014" or key is None or name != lines[0]:
            continue
        try:
            key.verify(raw[4:], text)
        except InvalidSignature:
            raise Wrong("the signature of the checkpoint is wrong") from None
        return lines[0], int(lines[1]), base64.b64decode(lines[2], validate=True)
    raise Wrong("no key that is believed has signed the checkpoint")


def parse_cosigner(text: str) -> tuple[str, bytes, bytes]:
    """Return name, hash and material (type and key) of the key of who cosigns."""
    name, stated, coded = text.strip().split("+", 2)
    raw = base64.b64decode(coded, validate=True)
    found = hashlib.sha256(name.encode() + b"\n" + raw).digest()[:4]
    if found.hex() != stated or not raw.startswith((ED25519, OTHER)):
        raise Wrong(f"this is no key of who cosigns: {text!r}")
    return name, found, raw


def cosigned(material: bytes, signature: bytes, text: bytes) -> None:
    """Return if *signature* is that of *text* by the key of a cosigner.

    Raises:
        InvalidSignature: It is not.
    """
    if material.startswith(ED25519):
        Ed25519PublicKey.from_public_bytes(material[1:]).verify(signature, text)
        return
    key = load_der_public_key(material.removeprefix(OTHER))
    if isinstance(key, ec.EllipticCurvePublicKey):
        found = hashes.SHA384() if key.key_size == 384 else hashes.SHA256()
        key.verify(signature, text, ec.ECDSA(found))
    elif isinstance(key, mldsa.MLDSA65PublicKey | mldsa.MLDSA87PublicKey):
        key.verify(signature, b"tuf\x01" + hashlib.sha512(text).digest())
    else:
        raise Wrong(f"no cosigner has a key like this: {type(key).__name__}")


def check_cosigned(
    folder: Path, leaves: list[bytes], keys: Keys, must: Sequence[str]
) -> int:
    """Check every cosignature there is; return how many there are."""
    listed = folder / "cosigners"
    lines = listed.read_text().splitlines() if listed.exists() else []
    known = [parse_cosigner(one) for one in lines if not one.startswith("#")]
    by = {(name, hashed): raw for name, hashed, raw in known}
    found = list(roots(leaves))
    seen: list[tuple[str, bytes]] = []
    for path in sorted((folder / "cosigned").glob("*")):
        data = path.read_bytes()
        _, size, root = opened(data, keys)
        if path.name != f"{size:08d}" or found[size - 1 : size] != [root]:
            raise Wrong(f"cosigned/{path.name}: the entries have another root")
        seen += cosigners(data, by, path.name)
    for name, hashed, raw in map(parse_cosigner, must):
        if (name, hashed) not in seen or by[name, hashed] != raw:
            raise Wrong(f"nothing here is cosigned by {name}")
    return len(seen)


def cosigners(
    note: bytes, by: dict[tuple[str, bytes], bytes], place: str
) -> Iterator[tuple[str, bytes]]:
    """Yield name and hash of each key that has cosigned a checkpoint."""
    text, _, signatures = note.partition(b"\n\n")
    for line in signatures.decode().splitlines()[1:]:
        _, name, coded = line.split(" ")
        raw = base64.b64decode(coded, validate=True)
        at, named = int.from_bytes(raw[4:12]), (name, raw[:4])
        signed = b"cosignature/v1\ntime %d\n%s\n" % (at, text)
        try:
            cosigned(by[named], raw[12:], signed)
        except (InvalidSignature, KeyError):
            raise Wrong(f"cosigned/{place}: a cosignature is wrong") from None
        yield named


def check(
    folder: Path, stated: list[str], kept: list[Path], must: Sequence[str] = ()
) -> dict[str, int]:
    """Check everything in *folder*, and that *kept* are checkpoints of the same log.

    Raises:
        Wrong: Something does not agree; says what.
    """
    listed = stated or (folder / "keys").read_text().splitlines()
    keys = {(name, hashed): key for name, hashed, key in map(parse_key, listed)}
    leaves = [leaf(entry) for entry in read_entries(folder / "entries.jsonl")]
    return {
        "entries": len(leaves),
        "checkpoints": check_notes(folder, leaves, keys, kept),
        "proofs": check_proofs(folder / "proofs", leaves, keys),
        "cosignatures": check_cosigned(folder, leaves, keys, must),
    }


def read_entries(path: Path) -> list[bytes]:
    """Return the entries, each of which says its own place."""
    entries = path.read_bytes().split(b"\n")
    if entries.pop() != b"":
        raise Wrong("the last line of entries.jsonl is torn")
    for number, entry in enumerate(entries, start=1):
        event = json.loads(entry)
        if spelled(event) != entry:
            raise Wrong(f"line {number} of entries.jsonl is not canonical")
        if event["number"] != number:
            raise Wrong(f"line {number} of entries.jsonl is another event")
    return entries


def spelled(value: object) -> bytes:
    """Return the one spelling of an event (RFC 8785; it holds no floats)."""

    def ordered(one: object) -> object:
        if isinstance(one, dict):
            keys = sorted(one, key=lambda key: key.encode("utf-16-be"))
            return {key: ordered(one[key]) for key in keys}
        return [ordered(each) for each in one] if isinstance(one, list) else one

    text = json.dumps(ordered(value), ensure_ascii=False, separators=(",", ":"))
    return text.encode()


def check_notes(folder: Path, leaves: list[bytes], keys: Keys, kept: list[Path]) -> int:
    """Check every checkpoint against the leaves; return how many are in *folder*."""
    known, origins, size = list(roots(leaves)), set(), 0
    notes = sorted((folder / "checkpoints").iterdir())
    for path in [*kept, *notes, folder / "checkpoint"]:
        origin, size, root = opened(path.read_bytes(), keys)
        origins.add(origin)
        if not 1 <= size <= len(known) or known[size - 1] != root:
            raise Wrong(f"{path.name}: the entries have another root at size {size}")
        if path in notes and path.name != f"{size:08d}":
            raise Wrong(f"{path.name} is the checkpoint of {size} entries")
    if size != len(known):
        raise Wrong(f"the checkpoint is of {size} entries, {len(known)} are here")
    if len(origins) != 1:
        raise Wrong(f"these are checkpoints of several logs: {sorted(origins)}")
    return len(notes)


def check_proofs(folder: Path, leaves: list[bytes], keys: Keys) -> int:
    """Follow the proof of every leaf to a signed root; return how many there are."""
    proofs = sorted(folder.iterdir())
    if len(proofs) != len(leaves):
        raise Wrong(f"there are {len(proofs)} proofs of {len(leaves)} entries")
    for number, path in enumerate(proofs):
        head, _, note = path.read_bytes().partition(b"\n\n")
        first, place, *hashes = head.decode().split("\n")
        named = f"{number + 1:08d}.tlog-proof"
        if path.name != named or first != PROOF or place != f"index {number}":
            raise Wrong(f"{path.name} is no proof of index {number}")
        _, size, root = opened(note, keys)
        way = [base64.b64decode(one, validate=True) for one in hashes]
        if followed(leaves[number], number, size, way) != root:
            raise Wrong(f"{path.name} does not lead to the root")
    return len(proofs)


def main() -> int:
    """Check the folder that the command line names."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--key", action="append", default=[], help="a key believed")
    parser.add_argument("--cosigner", action="append", default=[], help="whose must be")
    parser.add_argument("--against", action="append", default=[], type=Path)
    asked = parser.parse_args()
    try:
        counted = check(asked.folder, asked.key, asked.against, asked.cosigner)
    except (Wrong, OSError, ValueError, KeyError, TypeError) as error:
        print(f"NOT AS IT WAS: {error}")
        return 1
    if not asked.key:
        print("believed the keys that the folder names; compare them, or use --key:")
        print((asked.folder / "keys").read_text(), end="")
    print(
        ", ".join(f"{count} {what}" for what, count in counted.items()) + ": all agree"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
