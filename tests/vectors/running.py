"""Test vectors: found in their folder, and tried on either reader."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from airlift.errors import AirliftError, FormatError
from airlift.format import block, dispatch, head, packing, release, volume
from airlift.inbound import media
from airlift.trust.encryption_key import EncryptionKey, Opener
from airlift.trust.recipient import Recipient
from airlift.trust.suites import SUITES
from crossing import Isolated
from independent import delivery as second_delivery
from independent import parts as second_parts
from independent import reader as second
from independent.covered import Key
from independent.delivery import Site
from independent.record import RefusedError, sha256
from independent.trust import Past

FOLDER = Path(__file__).parent
LAYOUT = "airlift/vector/1"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a reader said: ``ok`` with the digests of files, or why not.

    Attributes:
        invalid: Digests of attestations that are not valid, sorted.
    """

    word: str
    files: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    reason: str = ""
    invalid: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class Vector:
    """A vector as its ``vector.json`` states it; see README.md for the keys."""

    folder: Path
    table: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The name of its folder."""
        return self.folder.name

    @property
    def expected(self) -> Outcome:
        """What every reader must say."""
        return Outcome(
            word=self.table["expect"],
            files=self.table.get("files", {}),
            invalid=tuple(self.table.get("invalid", ())),
        )

    @property
    def volumes(self) -> list[Path]:
        """The volume files of a delivery."""
        return [self.folder / name for name in self.table["volumes"]]

    @property
    def before(self) -> list["Vector"]:
        """The deliveries to take first."""
        return [read(self.folder.parent / name) for name in self.table["after"]]

    @property
    def keys(self) -> list[tuple[str, bytes]]:
        """The keys that the reader has: suite, and the private key."""
        listed = self.table.get("keys", ())
        return [(one["suite"], bytes.fromhex(one["private"])) for one in listed]

    @property
    def record(self) -> bytes:
        """The bytes of a record."""
        return (self.folder / "record").read_bytes()


def read(folder: Path) -> Vector:
    """Return the vector in *folder*."""
    table = json.loads((folder / "vector.json").read_bytes())
    assert table["format"] == LAYOUT
    return Vector(folder=folder, table=table)


def vectors(kind: str, *, root: Path = FOLDER) -> list[Vector]:
    """Return all vectors of *kind*: ``deliveries`` or ``records``."""
    return [read(path.parent) for path in sorted((root / kind).glob("*/vector.json"))]


def airlift_takes(vector: Vector, home: Path) -> Outcome:
    """Import a delivery into a new isolated side in *home*."""
    root = (vector.folder / "root.json").read_bytes()
    site = Isolated(home, root, vector.table["site"])
    site.gate = replace(site.gate, keys=_opener(vector))
    for one in vector.before:
        _land(site, one)
    try:
        files = _land(site, vector)
    except AirliftError as error:
        return Outcome(word=error.word, reason=error.problem)
    custody = site.registry.custody()
    judged = (
        one
        for held in site.registry.releases()
        for one in custody.attestations(held.id)
    )
    invalid = sorted(one.sha256 for one in judged if one.problem)
    waiting = any(one.state == "quarantine" for one in site.registry.releases())
    assert waiting is bool(invalid)
    return Outcome(word="ok", files=files, invalid=tuple(invalid))


def _opener(vector: Vector) -> Opener:
    return Opener(
        tuple(
            EncryptionKey(
                public=Recipient(
                    site=vector.table["site"],
                    suite=suite,
                    public=SUITES[suite].half(private),
                ),
                secret=private,
            )
            for suite, private in vector.keys
        )
    )


def _land(site: Isolated, vector: Vector) -> dict[str, dict[str, str]]:
    found = media.find(vector.volumes, site.gate.keys)
    if found.faults or not found.candidates:
        raise FormatError("; ".join(map(str, found.faults)) or "no volume is here")
    landed = site.land(*vector.volumes, now=vector.table["now"])
    return {
        one.release.name: {
            file.path: sha256(b"".join(site.store.read(file.sha256)))
            for file in one.release.files
        }
        for one in landed.arrival.delivery.releases
    }


def second_takes(vector: Vector) -> Outcome:
    """Read a delivery with the independent reader."""
    root = (vector.folder / "root.json").read_bytes()
    past, held = Past(), dict[str, bytes]()
    found: second.Read | None = None
    try:
        for one in [*vector.before, vector]:
            site = Site(name=vector.table["site"], root=root, now=one.table["now"])
            keys = [Key(suite=suite, private=raw) for suite, raw in one.keys]
            found = second.read(one.volumes, site, past=past, held=held, keys=keys)
            past = found.delivery.past
            for files in found.files.values():
                held |= {sha256(data): data for data in files.values()}
    except RefusedError as error:
        return Outcome(word=error.word, reason=str(error))
    assert found
    return Outcome(
        word="ok",
        files={
            name: {path: sha256(data) for path, data in files.items()}
            for name, files in found.files.items()
        },
        invalid=tuple(sorted(found.delivery.invalid)),
    )


_AIRLIFT: Mapping[str, Callable[[bytes], object]] = {
    "dispatch": dispatch.decode,
    "packing": packing.decode,
    "release": release.decode,
    "label": lambda data: volume.decode_label(data, name="label"),
    "head": head.decode,
}
_SECOND: Mapping[str, Callable[[bytes], object]] = {
    "dispatch": second_delivery.read_dispatch,
    "packing": second_delivery.read_packing,
    "release": second_delivery.read_release,
    "label": second.read_label,
    "head": second_parts.read_head,
}


def airlift_reads(vector: Vector) -> Outcome:
    """Decode a record, or a slab, with airlift."""
    try:
        if vector.table["record"] == "slab":
            slab = memoryview(vector.record)
            raw = bytes(block.decode_slab(slab, vector.table["raw"]))
            return Outcome(word="ok", files={"slab": {"raw": sha256(raw)}})
        _AIRLIFT[vector.table["record"]](vector.record)
    except AirliftError as error:
        return Outcome(word=error.word, reason=error.problem)
    return Outcome(word="ok")


def second_reads(vector: Vector) -> Outcome:
    """Decode a record, or a slab, with the independent reader."""
    try:
        if vector.table["record"] == "slab":
            raw = second.decode(vector.record, vector.table["raw"])
            return Outcome(word="ok", files={"slab": {"raw": sha256(raw)}})
        _SECOND[vector.table["record"]](vector.record)
    except RefusedError as error:
        return Outcome(word=error.word, reason=str(error))
    return Outcome(word="ok")
