"""An exported log, verified from docs/log.md alone ("Carried away", "The bytes").

It shares no line with airlift, nor with the verifier that airlift ships: roots are
computed as the document defines them, from the top.
"""

import base64
import hashlib
from collections.abc import Sequence
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, mldsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key

from independent.record import need, parse

_LINE = 1 << 20
_FILES = {"entries.jsonl", "checkpoint", "checkpoints", "keys", "policy", "proofs"}
_COSIGNED = {"cosigned", "cosigners"}
_OTHER = b"\xffairlift/cosignature/1\0"


def verify(
    folder: Path,
    keys: Sequence[str],
    kept: Sequence[bytes] = (),
    *,
    people: Sequence[str] = (),
) -> int:
    """Return how many events the log in *folder* has, if all of it agrees.

    Args:
        folder: What was exported.
        keys: Lines as in its file `keys`, from somewhere else.
        kept: Checkpoints of the log from before.
        people: Lines as in its file `cosigners`, from somewhere else: who has cosigned.

    Raises:
        RefusedError: Something does not.
    """
    there = {one.name for one in folder.iterdir()}
    need(there in (_FILES, _FILES | _COSIGNED), "other files than there are")
    text = (folder / "entries.jsonl").read_bytes()
    need(text.endswith(b"\n"), "the last line is torn")
    log = _Log(text[:-1].split(b"\n"))
    known = dict(_key(one) for one in keys)
    size, _ = log.checkpoint((folder / "checkpoint").read_bytes(), known)
    need(size == len(log.leaves), f"{size} events signed, {len(log.leaves)} there")
    for note in kept:
        log.checkpoint(note, known)
    for path in (folder / "checkpoints").iterdir():
        size, _ = log.checkpoint(path.read_bytes(), known)
        need(path.name == f"{size:08d}", f"{path.name} is of {size}")
    proofs = {one.name: one for one in (folder / "proofs").iterdir()}
    named = [f"{number:08d}.tlog-proof" for number in range(1, len(log.leaves) + 1)]
    need(sorted(proofs) == sorted(named), "not one proof for each event")
    for index, name in enumerate(named):
        log.proof(index, proofs[name].read_bytes(), known)
    if there > _FILES:
        _cosignatures(folder, log, known)
    listed = _lines(folder / "cosigners") if there > _FILES else []
    need(set(people) <= set(listed), "somebody has not cosigned", "trust")
    return len(log.leaves)


def _lines(path: Path) -> list[str]:
    return [one for one in path.read_text().splitlines() if one[:1] != "#"]


def _cosignatures(
    folder: Path, log: "_Log", known: dict[tuple[str, bytes], Ed25519PublicKey]
) -> None:
    """Check every cosignature in *folder*, and that each key listed made one."""
    keys = {}
    for line in _lines(folder / "cosigners"):
        name, hashed, coded = line.split("+", 2)
        material = _base64(coded)
        found = _h(name.encode() + b"\n" + material)[:4]
        need(found.hex() == hashed, "the cosigner's hash is another")
        keys[name, found] = material
    made = set()
    for path in (folder / "cosigned").iterdir():
        text, _, below = path.read_bytes().partition(b"\n\n")
        first, *lines = below.decode().removesuffix("\n").split("\n")
        size, _ = log.checkpoint(text + b"\n\n" + first.encode() + b"\n", known)
        need(path.name == f"{size:08d}" and lines, f"{path.name} is of {size}")
        for line in lines:
            dash, name, coded = line.split(" ")
            raw = _base64(coded)
            need(dash == "\u2014" and (name, raw[:4]) in keys, "an unknown cosigner")
            stamp = b"cosignature/v1\ntime %d\n" % int.from_bytes(raw[4:12], "big")
            _cosigned(keys[name, raw[:4]], raw[12:], stamp + text + b"\n")
            made.add((name, raw[:4]))
    need(made == keys.keys(), "a key that cosigned nothing")


def _cosigned(material: bytes, signature: bytes, message: bytes) -> None:
    """Refuse a *signature* that is not of *message* by the key in *material*."""
    try:
        if material[0] == 4:
            Ed25519PublicKey.from_public_bytes(material[1:]).verify(signature, message)
            return
        need(material.startswith(_OTHER), "a cosigner of an unknown kind")
        key = load_der_public_key(material[len(_OTHER) :])
        if isinstance(key, ec.EllipticCurvePublicKey):
            size = {256: hashes.SHA256(), 384: hashes.SHA384()}[key.curve.key_size]
            key.verify(signature, message, ec.ECDSA(size))
        else:
            assert isinstance(key, mldsa.MLDSA65PublicKey | mldsa.MLDSA87PublicKey)
            key.verify(signature, b"tuf\1" + hashlib.sha512(message).digest())
    except InvalidSignature:
        need(condition=False, reason="a cosignature is wrong", word="trust")


def _h(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def _base64(text: str) -> bytes:
    found = base64.standard_b64decode(text)
    need(base64.standard_b64encode(found).decode() == text, "no base64")
    return found


def _key(line: str) -> tuple[tuple[str, bytes], Ed25519PublicKey]:
    name, hashed, coded = line.strip().split("+", 2)
    raw = _base64(coded)
    need(len(raw) == 33 and raw[0] == 1, "no Ed25519 key")
    found = _h(name.encode() + b"\n" + raw)[:4]
    need(found.hex() == hashed, "the key's hash is another")
    return (name, found), Ed25519PublicKey.from_public_bytes(raw[1:])


class _Log:
    """Events, and the roots that they have."""

    def __init__(self, lines: Sequence[bytes]) -> None:
        for number, line in enumerate(lines, start=1):
            need(parse(line, _LINE)["number"] == number, f"event {number} is another")
        self.leaves = [_h(b"\0" + line) for line in lines]
        self._roots: dict[tuple[int, int], bytes] = {}
        self._site = ""

    def root(self, first: int, end: int) -> bytes:
        """Return the root of the leaves from *first* to before *end*."""
        if end - first == 1:
            return self.leaves[first]
        if (first, end) not in self._roots:
            middle = first + _left(end - first)
            both = self.root(first, middle) + self.root(middle, end)
            self._roots[first, end] = _h(b"\1" + both)
        return self._roots[first, end]

    def checkpoint(
        self, note: bytes, keys: dict[tuple[str, bytes], Ed25519PublicKey]
    ) -> tuple[int, bytes]:
        """Return the size and the root that *note* says, signed, and that are so."""
        lines = note.decode().split("\n")
        need(len(lines) == 6 and not lines[3] and not lines[5], "no checkpoint")
        site, size, root, _, signature, _ = lines
        dash, name, coded = signature.split(" ")
        raw = _base64(coded)
        need((dash, name) == ("\u2014", site) and len(raw) == 68, "no signature")
        key = keys.get((name, raw[:4]))
        need(key is not None, "by a key that is not believed", "trust")
        assert key
        try:
            key.verify(raw[4:], "".join(f"{one}\n" for one in lines[:3]).encode())
        except InvalidSignature:
            need(condition=False, reason="the signature is wrong", word="trust")
        need(self._site in ("", site), "two sites")
        self._site = site
        need(size == str(int(size)) and 0 < int(size) <= len(self.leaves), "a size")
        need(_base64(root) == self.root(0, int(size)), "another root")
        return int(size), _base64(root)

    def proof(
        self,
        index: int,
        data: bytes,
        keys: dict[tuple[str, bytes], Ed25519PublicKey],
    ) -> None:
        """Follow the proof of a leaf to the root that is signed."""
        head, _, note = data.partition(b"\n\n")
        first, second, *hashes = head.decode().split("\n")
        need(first == "c2sp.org/tlog-proof@v1", "no proof")
        need(second == f"index {index}", "a proof of another leaf")
        size, root = self.checkpoint(note, keys)
        need(index < size, "a leaf that the checkpoint has not")
        way = [_base64(one) for one in hashes]
        found = _up(self.leaves[index], (index, size), way)
        need(found == root, "the proof does not lead to the root")


def _up(leaf: bytes, place: tuple[int, int], way: list[bytes]) -> bytes:
    """Return the root by a leaf, its index and the size, and what is beside its way."""
    index, size = place
    if size == 1:
        need(not way, "a proof that is too long")
        return leaf
    need(way, "a proof that is too short")
    *below, beside = way
    middle = _left(size)
    if index < middle:
        return _h(b"\1" + _up(leaf, (index, middle), below) + beside)
    return _h(b"\1" + beside + _up(leaf, (index - middle, size - middle), below))


def _left(count: int) -> int:
    """Return the largest power of two below *count*."""
    power = 1
    while power * 2 < count:
        power *= 2
    return power
