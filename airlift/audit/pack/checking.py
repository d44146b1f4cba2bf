"""Whether a pack is what a site signed: without a registry, by the site's key alone.

``scripts/check_pack.py`` does the same without airlift.
"""

import base64
import binascii
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from airlift import naming
from airlift.audit import changes
from airlift.audit.pack import evidence
from airlift.digest import sha256
from airlift.errors import AirliftError, FormatError
from airlift.format import canonical, merkle, pack
from airlift.format.checkpoint import Checkpoint
from airlift.store.durable import names as listed
from airlift.store.durable import read_file
from airlift.trust import checkpoint, site_key
from airlift.trust.public import PublicKey
from airlift.trust.site_key import Purpose

SOUND: Final = "identical"
"""Of a file: it is what was signed."""
WRONG: Final = ("changed", "missing", "extra", "not valid")
_ENTRY: Final = 1 << 20
"""Bytes of a line of the log, with its proof; the longest event has some 100 kB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What became of one part of a pack.

    Attributes:
        name: Of a file, or ``the pack``, ``the signature``.
        state: ``identical`` or ``valid``; or one of ``WRONG``.
        why: In what way it is wrong; empty where it is not.
    """

    name: str
    state: str
    why: str = ""

    @property
    def is_sound(self) -> bool:
        """Whether it is as it was signed."""
        return self.state not in WRONG


def read(path: Path) -> dict[str, bytes]:
    """Return the files of the pack at *path*, a tar or the folder it was unpacked to.

    Raises:
        FormatError: It is not, byte for byte, a pack that airlift writes.
        StoreError: It cannot be read.
    """
    if not path.is_dir():
        data = read_file(path, limit=pack.LIMIT)
        return pack.decode(data, name=naming.show(path.name))[1]
    found = {}
    for name in listed(path)[: pack.MEMBERS]:
        if not pack.is_name(name) or not (path / name).is_file():
            problem = f"`{naming.show(name)}` in {naming.show(str(path))} is no member"
            raise FormatError(problem, hint="unpack the tar into a folder of its own")
        found[name] = read_file(path / name, limit=pack.LIMIT)
    return found


def check(files: Mapping[str, bytes], key: PublicKey) -> tuple[Checked, ...]:
    """Return what became of each file, of the signature and of what they say.

    Args:
        files: Of a pack, by name.
        key: The site's, which came another way than the pack.
    """
    return (
        *_signature(files, key),
        *_digests(files),
        *_part(files, evidence.REPORT, lambda data: _report(data, key)),
        *_part(files, evidence.LOG, lambda data: _log(data, files, key)),
    )


def _signature(files: Mapping[str, bytes], key: PublicKey) -> Iterator[Checked]:
    signed, signature = files.get(pack.DIGESTS), files.get(pack.SIGNATURE)
    for name, data in ((pack.DIGESTS, signed), (pack.SIGNATURE, signature)):
        if data is None:
            yield Checked(name=name, state="missing", why="it is not in the pack")
    if signed is None or signature is None:
        return
    if site_key.verifies(key, Purpose.EVIDENCE, signed, signature):
        yield Checked(name=pack.SIGNATURE, state="valid")
        return
    why = f"it is not by the key of `{key.name}`, {key.key_id}, or DIGESTS was changed"
    yield Checked(name=pack.SIGNATURE, state="not valid", why=why)


def _digests(files: Mapping[str, bytes]) -> Iterator[Checked]:
    try:
        told = pack.read_digests(files.get(pack.DIGESTS, b""))
    except FormatError as error:
        yield Checked(name=pack.DIGESTS, state="not valid", why=error.problem)
        return
    for name in sorted({*told, *files} - pack.UNLISTED):
        if name not in files:
            yield Checked(name=name, state="missing", why="DIGESTS lists it")
        elif name not in told:
            yield Checked(name=name, state="extra", why="DIGESTS does not list it")
        elif (found := sha256(files[name])) != told[name]:
            why = f"expected {told[name]}, found {found}"
            yield Checked(name=name, state="changed", why=why)
        else:
            yield Checked(name=name, state=SOUND)


def _part(
    files: Mapping[str, bytes], name: str, look: Callable[[bytes], str]
) -> Iterator[Checked]:
    """Yield in what way *look* says that a file is wrong, or that it is not."""
    what = f"{name}, read"
    if name not in files:
        yield Checked(name=what, state="missing", why="no pack is without it")
        return
    try:
        why = look(files[name])
    except AirliftError as error:
        why = error.problem
    state = "not valid" if why else "valid"
    yield Checked(name=what, state=state, why=why)


def _report(data: bytes, key: PublicKey) -> str:
    told = changes.read(data, name=evidence.REPORT)
    if told["site"] != key.name:
        return f"it is of site `{naming.show(str(told['site']))}`, not `{key.name}`"
    return ""


def _log(data: bytes, files: Mapping[str, bytes], key: PublicKey) -> str:
    """Follow each proof to the root that the checkpoint states."""
    note = files.get(evidence.CHECKPOINT, b"")
    head = checkpoint.believe(note, key, name=evidence.CHECKPOINT)
    for number, line in enumerate(data.splitlines(), start=1):
        if not _is_proved(line, head):
            return f"line {number} is not an event of the log that was signed"
    return ""


def _is_proved(line: bytes, head: Checkpoint) -> bool:
    told = canonical.decode(line, name=evidence.LOG, limit=_ENTRY)
    match told:
        case {"number": int(number), "entry": str(entry), "proof": list(listed)}:
            texts = [one for one in listed if isinstance(one, str)]
        case _:
            return False
    try:
        proof = [base64.b64decode(one, validate=True) for one in texts]
    except binascii.Error:
        return False
    size, root = head.head
    leaf = merkle.leaf_hash(entry.encode())
    whole = len(texts) == len(listed)
    return whole and merkle.includes(root, size, leaf, number - 1, proof)
