"""The sending side of test vectors: fixed keys and times, so the same bytes for ever.

It writes what airlift would write of small files, and on request what airlift never
would: any bytes can be coded, listed and signed, so that a vector breaks one rule and
keeps all others.
"""

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from blake3 import blake3
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from securesystemslib.signer import (  # type: ignore[attr-defined]
    CryptoSigner,
    SSlibKey,
)

from airlift.artifact import Attested, Kind, Release, ReleaseFile
from airlift.digest import Sha256, sha256
from airlift.format import block, dispatch, framing, head, packing, release, volume
from airlift.format.dispatch import Dispatch, Need
from airlift.format.head import Codec, PartHead, Slab
from airlift.format.packing import SLAB, Head, PackedBlob, PackingList, Part
from airlift.format.volume import Cut, Label
from airlift.trust import public
from airlift.trust.keys import UnlockedKey
from airlift.trust.plan import RolePlan
from airlift.trust.publisher import Publisher
from airlift.trust.repository import Repository, attestation_path
from authority import resign
from handmade import Run, built

SITE = "plant7"

Coder = Callable[[memoryview], bytes]
Attest = Callable[[Release], Sequence[tuple[Attested, bytes]]]


@cache
def key(name: str) -> UnlockedKey:
    """Return the test key of *name*, the same for ever; it protects nothing."""
    seed = hashlib.sha256(f"airlift test key of {name}".encode()).digest()
    private = Ed25519PrivateKey.from_private_bytes(seed)
    key_ = SSlibKey.from_crypto(private.public_key())
    return UnlockedKey(
        public=public.of(key_, name=name), signer=CryptoSigner(private, key_)
    )


@dataclass(frozen=True, kw_only=True)
class Packed:
    """A blob as it travels: one part at most, which is enough for a vector."""

    path: str
    blob: PackedBlob
    table: PartHead | None = None
    head: bytes = b""
    stored: tuple[bytes, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Recipes:
    """How files are made of other blobs.

    Attributes:
        runs: Of each file that is, by path.
        needs: Blobs that the site must hold for it.
    """

    runs: Mapping[str, Sequence[Run]] = field(default_factory=dict)
    needs: Sequence[bytes] = ()


@dataclass(frozen=True, kw_only=True)
class Sent:
    """A signed delivery, not cut yet.

    Attributes:
        records: Every signed file by its name below ``airlift/``.
        documents: The release documents.
        packed: What travels.
    """

    records: Mapping[str, bytes]
    documents: tuple[bytes, ...]
    packed: tuple[Packed, ...]

    @property
    def dispatch_name(self) -> str:
        """Name of the dispatch record."""
        return next(name for name in self.records if "/dispatch/" in name)

    @property
    def dispatch(self) -> bytes:
        """The dispatch record."""
        return self.records[self.dispatch_name]

    def part_of(self, path: str) -> int:
        """Return the index of the part that holds the file *path*."""
        carried = [one.path for one in self.packed if one.stored]
        return carried.index(path)

    def part_name(self, path: str) -> bytes:
        """Return the name of the member that holds the file *path*."""
        (one,) = (one for one in self.packed if one.path == path)
        return f"blobs/sha256/{one.blob.parts[0].sha256}".encode()

    def with_records(self, records: Mapping[str, bytes]) -> "Sent":
        """Return it with other signed files."""
        return replace(self, records=dict(sorted(records.items())))

    def with_dispatch(self, data: bytes) -> "Sent":
        """Return it with another dispatch record, signed."""

        def edit(signed: dict[str, Any]) -> None:
            (target,) = signed["targets"].values()
            target["length"], target["hashes"]["sha256"] = len(data), sha256(data)

        edited = resign(self.records, {f"site-{SITE}": edit}, [key("carol")])
        return self.with_records({**edited, self.dispatch_name: data})

    def with_packing(self, data: bytes) -> "Sent":
        """Return it with another packing list, signed for."""
        record = replace(
            dispatch.decode(self.dispatch),
            packing_sha256=sha256(data),
            packing_size=len(data),
        )
        signed = self.with_dispatch(dispatch.encode(record))
        return signed.with_records({**signed.records, "records/packing.json": data})

    def volumes(self, *cuts: Cut) -> list[bytes]:
        """Return its volumes, cut at *cuts*."""
        return [self.volume(label) for label in self.labels(*cuts)]

    def labels(self, *cuts: Cut) -> list[Label]:
        """Return the labels of its volumes, cut at *cuts*."""
        last = Cut(sum(len(one.blob.parts) for one in self.packed), 0)
        record = replace(
            _anything(), sequence=int(self.dispatch_name[:-5].split("/")[-1])
        )
        return volume.labels(record, sha256(self.dispatch), [*cuts, last])

    def volume(self, label: Label) -> bytes:
        """Return the volume that *label* is of."""
        listing = _listing(self.packed)
        out = _member(volume.LABEL, volume.encode_label(label))
        for name in sorted(self.records):
            out += _member(f"airlift/{name}", self.records[name])
        parts = [one for one in self.packed if one.stored]
        for index, blob, part in volume.spanned(listing, label.first, label.end):
            one = parts[index]
            run = volume.run_of(index, blob, part, one.table, label)
            assert run
            if part.head:
                out += _member(run.head_name, one.head)
            slabs = one.stored[run.first : run.first + len(run.slabs)]
            out += _member(run.name, b"".join(slabs))
        return out + framing.END


class Sender:
    """A sending side: alice and bob approve, carol dispatches.

    Args:
        folder: Where its trust repository goes.
        now: When it begins.
        who: A fourth person who dispatches in carol's place.
    """

    def __init__(self, folder: Path, now: str, *, who: str = "carol") -> None:
        self._team = [key("alice"), key("bob"), key(who)]
        self._repository = Repository(folder)
        self.publisher = Publisher.create(
            folder, plan=_plan("alice", "bob", who), signers=self._team, now=now
        )
        self.publisher.add_site(SITE, [key(who).public], 1, self._team, now)
        self.root = self.publisher.root_bytes()

    def rotate(self, now: str) -> None:
        """Put dave in bob's place."""
        self._team.append(key("dave"))
        self.publisher.rotate(_plan("alice", "dave", "carol"), self._team, now)

    def send(
        self,
        releases: Mapping[str, Mapping[str, bytes]],
        now: str,
        *,
        carry: Collection[str] | None = None,
        coder: Coder | None = None,
        edit: Callable[[bytes], bytes] | None = None,
        recipes: Recipes | None = None,
        attest: Attest | None = None,
    ) -> Sent:
        """Sign a delivery.

        Args:
            releases: Files by release name and path.
            now: When.
            carry: Paths of the files to carry; the others must be held.
            coder: Codes slabs in airlift's place.
            edit: Changes heads before they are signed for.
            recipes: What files are made of, and what must be held for them.
            attest: Says what is attested of each release.
        """
        recipes = recipes or Recipes()
        documents = tuple(
            self._document(name, files, attest) for name, files in releases.items()
        )
        everything = {
            path: data for files in releases.values() for path, data in files.items()
        }
        wanted = everything if carry is None else carry
        packed = tuple(
            _build(path, everything[path], recipes.runs[path], edit)
            if path in recipes.runs
            else _pack(path, everything[path], coder or block.encode_slab, edit)
            for path in wanted
        )
        left = {sha256(data) for path, data in everything.items() if path not in wanted}
        left |= {sha256(data) for data in recipes.needs}
        listing = packing.encode(_listing(packed))
        earlier = self.publisher.deliveries(SITE)
        record = replace(
            _anything(),
            sequence=earlier[0].sequence + 1 if earlier else 1,
            earlier=earlier[: dispatch.HISTORY],
            issued=now,
            releases=tuple(sorted(map(sha256, documents))),
            needs=tuple(
                Need(sha256=one, sequence=earlier[-1].sequence) for one in sorted(left)
            ),
            packing_sha256=sha256(listing),
            packing_size=len(listing),
        )
        records = self.publisher.publish(
            site=SITE,
            releases=documents,
            dispatch=dispatch.encode(record),
            packing=listing,
            signers=self._team,
            now=now,
        )
        return Sent(records=records, documents=documents, packed=packed)

    def _document(
        self, name: str, files: Mapping[str, bytes], attest: Attest | None
    ) -> bytes:
        latest = self.publisher.latest_release(Kind.FOLDER, name)
        one = Release(
            kind=Kind.FOLDER,
            name=name,
            revision=hashlib.sha1(repr(files).encode()).hexdigest(),
            counter=latest[1].counter + 1 if latest else 1,
            files=tuple(
                ReleaseFile(path=path, size=len(data), sha256=sha256(data))
                for path, data in sorted(files.items())
            ),
        )
        made = attest(one) if attest else []
        for listed, data in made:
            self._repository.keep(attestation_path(listed.sha256), data)
        entries = sorted((listed for listed, _ in made), key=lambda each: each.sha256)
        return release.encode(replace(one, attestations=tuple(entries)))


def _plan(first: str, second: str, sender: str) -> RolePlan:
    return RolePlan(
        approvers=(key(first).public, key(second).public),
        approver_threshold=2,
        dispatchers=(key(sender).public,),
    )


def _anything() -> Dispatch:
    """Return a record to be filled in."""
    return Dispatch(
        site=SITE,
        sequence=1,
        earlier=(),
        issued="",
        operator="carol",
        releases=(),
        needs=(),
        packing_sha256=Sha256(""),
        packing_size=0,
    )


def _listing(packed: Sequence[Packed]) -> PackingList:
    return PackingList(blobs=tuple(one.blob for one in packed))


def _member(name: str, data: bytes) -> bytes:
    padding = bytes(framing.padding(len(data)))
    return framing.header(name, len(data)) + data + padding


def _build(
    path: str,
    data: bytes,
    runs: Sequence[Run],
    edit: Callable[[bytes], bytes] | None,
) -> Packed:
    """Pack a file as one part with pieces."""
    made = built(data, runs)
    (one,) = made.parts
    encoded = (edit or bytes)(one.head)
    part = replace(
        one.entry, raw=len(data), head=Head(sha256=sha256(encoded), size=len(encoded))
    )
    blob = PackedBlob(sha256=sha256(data), size=len(data), parts=(part,))
    return Packed(
        path=path, blob=blob, table=one.table, head=encoded, stored=one.stored
    )


def _pack(
    path: str, data: bytes, coder: Coder, edit: Callable[[bytes], bytes] | None
) -> Packed:
    """Pack a file as airlift does: raw up to one slab, else in blocks."""
    name = sha256(data)
    if len(data) <= SLAB:
        part = Part(sha256=name, size=len(data), raw=len(data))
        parts = (part,) if data else ()
        blob = PackedBlob(sha256=name, size=len(data), parts=parts)
        return Packed(path=path, blob=blob, stored=(data,) if data else ())
    raw = [memoryview(data)[at : at + SLAB] for at in range(0, len(data), SLAB)]
    stored = tuple(coder(one) for one in raw)
    slabs = tuple(
        Slab(len(one), len(slab), blake3(one).digest())
        for one, slab in zip(stored, raw, strict=True)
    )
    table = PartHead(Codec.BLOCKS, slabs)
    encoded = (edit or bytes)(head.encode(table))
    part = Part(
        sha256=sha256(b"".join(stored)),
        size=table.stored,
        raw=len(data),
        head=Head(sha256=sha256(encoded), size=len(encoded)),
    )
    blob = PackedBlob(sha256=name, size=len(data), parts=(part,))
    return Packed(path=path, blob=blob, table=table, head=encoded, stored=stored)
