"""Packing: blobs of the store become parts, each byte read once (docs/format.md).

A blob whose bytes shrink is coded into the spool; every other blob travels as it lies
in the store. Either way its SHA-256 is checked again on the way, so that rot in the
store is found here and not at the far end of a trip.
"""

import struct
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from airlift import naming
from airlift.artifact import ReleaseFile
from airlift.digest import Sha256
from airlift.errors import StoreError
from airlift.format import block
from airlift.format.head import Codec, PartHead
from airlift.format.packing import SLAB, PackedBlob, PackingList, Part
from airlift.outbound import coding
from airlift.outbound.coding import Load, Outcome
from airlift.outbound.recipe import Portion, Recipe
from airlift.outbound.slabs import BlobReader
from airlift.outbound.spool import Done, Spool, StoredSlabs
from airlift.progress import Advance, Progress
from airlift.store import scrub
from airlift.store.packs import SMALL
from airlift.store.scrub import Look
from airlift.store.store import Store

CODED_FORMATS: Final = frozenset({"safetensors", "gguf", "onnx", "hdf5"})
"""Only weights are coded: a scan station must be able to open everything else."""

NO_RECIPES: Final[Mapping[Sha256, Recipe]] = {}

Sample = Callable[[int, int], bytes]
"""Returns the bytes of a file from a start up to a stop."""

_LENGTH = struct.Struct("<Q")


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """What travels, with the heads of its parts in travelling order."""

    listing: PackingList
    heads: tuple[PartHead | None, ...]


class Packer:
    """Packs blobs of *store*, keeping coded bytes and results in the folder *spool*.

    A blob packed once is not packed again: its result lies in the spool until
    ``clear``. That is also how packing goes on after a kill.

    Args:
        store: What holds the blobs.
        spool: Made if it is not there.
        early: Whether blobs are coded whole as they come into the store, before it
            is known what travels.

    Attributes:
        early: As given.
    """

    def __init__(self, store: Store, spool: Path, *, early: bool = False) -> None:
        self._store, self._spool, self.early = store, Spool(spool), early
        self._keys: dict[Sha256, str] = {}
        self._done: dict[str, Done] = {}

    def pack(
        self,
        files: Sequence[ReleaseFile],
        progress: Progress,
        recipes: Mapping[Sha256, Recipe] = NO_RECIPES,
    ) -> Packed:
        """Pack the blobs of *files*, each once, in the order they are first named.

        Args:
            files: Of all releases that travel.
            progress: Gets one task, in bytes.
            recipes: How to make some of the blobs from others; the rest travel whole.

        Raises:
            StoreError: A blob is missing, or its bytes are no longer those of its
                digest; or the spool is full.
        """
        blobs = {file.sha256: file for file in reversed(files)}
        order = list(dict.fromkeys(file.sha256 for file in files))
        self._keys = {one: _key(one, recipes.get(one)) for one in order}
        done: dict[Sha256, Done] = {}
        for one in order:
            if blobs[one].size == 0:
                done[one] = PackedBlob(sha256=one, size=0, parts=()), ()
            elif earlier := self._recall(self._keys[one], blobs[one].size):
                done[one] = earlier
        left = [blobs[one] for one in order if one not in done]
        with progress.task("packing", sum(one.size for one in left)) as advance:
            small = [
                one for one in left if one.size < SMALL and one.sha256 not in recipes
            ]
            done |= self._pack_small(small, advance)
            left = [one for one in left if one.sha256 not in done]
            # The biggest first: at the end no single file keeps one thread busy.
            left.sort(key=lambda one: -one.size)
            loads = (self._load(one, recipes.get(one.sha256)) for one in left)
            for outcome in self.code(loads, advance).values():
                assert outcome.done
                done[outcome.sha256] = outcome.done
        return Packed(
            listing=PackingList(blobs=tuple(done[one][0] for one in order)),
            heads=tuple(table for one in order for table in done[one][1]),
        )

    def _pack_small(
        self, files: Sequence[ReleaseFile], advance: Advance
    ) -> dict[Sha256, Done]:
        """Return how blobs travel that are one raw slab each.

        Read like those of larger ones, but many at once: of 100,000 small files the
        lanes and locks of each would cost ten times what its bytes do.
        """
        wanted = {file.sha256: file for file in files}
        sizes = {blob: file.size for blob, file in wanted.items()}
        spans = self._store.spans(sizes)
        for look in scrub.rehash(sizes, self._store.span, advance, spans):
            if look.digest != look.blob:
                raise _unfit(wanted[look.blob], look)
        return {
            blob: (
                PackedBlob(sha256=blob, size=size, parts=(_alone(blob, size),)),
                (None,),
            )
            for blob, size in sizes.items()
        }

    def code(self, loads: Iterable[Load], advance: Advance) -> dict[str, Outcome]:
        """Code *loads* into the spool; return what they became, by name.

        Raises:
            AirliftError: Of the load that failed.
        """
        found: dict[str, Outcome] = {}
        lock = threading.Lock()

        def finished(load: Load, outcome: Outcome) -> None:
            found[load.name] = outcome
            # Two files of one content may end at once.
            with lock:
                if outcome.done and outcome.key not in self._done:
                    self._done[outcome.key] = outcome.done
                    # What is small is packed again before its record is found.
                    if load.size > SLAB:
                        self._spool.remember(outcome.key, outcome.done)

        coding.run(loads, self._spool, advance, finished)
        return found

    def open(self, blob: PackedBlob, heads: Sequence[PartHead | None]) -> StoredSlabs:
        """Open the stored slabs of *blob*, which was packed here, with its *heads*.

        Raises:
            StoreError: They are not there.
        """
        if any(one and one.codec for one in heads):
            return self._spool.open(self._keys[blob.sha256], heads)
        reader = BlobReader(self._store, blob.sha256, aligned=True)
        return StoredSlabs(reader, range(0, blob.size, SLAB))

    def distrust(self, blob: Sha256) -> None:
        """Forget how *blob* was packed: its stored bytes are not what they were."""
        self._done.pop(self._keys[blob], None)
        self._spool.distrust(self._keys[blob])

    def clear(self) -> None:
        """Delete the spool; the next packing starts afresh."""
        self._done.clear()
        self._spool.clear()

    def _recall(self, key: str, size: int) -> Done | None:
        # Of what is small nothing is kept in the spool: see ``code``.
        return self._done.get(key) or (self._spool.recall(key) if size > SLAB else None)

    def _load(self, file: ReleaseFile, recipe: Recipe | None) -> Load:
        blob = file.sha256
        if recipe:
            codec, portions = Codec.BLOCKS, tuple(recipe.portions())
        else:
            sample = partial(self._sample, blob)
            codec, portions = layout(file.format, file.size, sample)
        aligned = coding.aligned(portions)
        return Load(
            name=_key(blob, recipe),
            sha256=blob,
            size=file.size,
            recipe=_suffix(recipe),
            codec=codec,
            portions=portions,
            open=lambda: BlobReader(self._store, blob, aligned=aligned),
            open_base=lambda base: BlobReader(self._store, base, aligned=False),
            refuse=lambda found: _rotten(file, found),
        )

    def _sample(self, blob: Sha256, start: int, stop: int) -> bytes:
        return b"".join(self._store.read(blob, start=start, stop=stop))


def layout(word: str, size: int, sample: Sample) -> tuple[Codec, tuple[Portion, ...]]:
    """Return how a file that travels whole is stored, and the parts it makes.

    Args:
        word: Its format.
        size: Its bytes, at least 1.
        sample: Reads it.
    """
    codec, lead = _choose(word, size, sample)
    return codec, coding.plain(size, lead)


def _choose(word: str, size: int, sample: Sample) -> tuple[Codec, int]:
    """Return the codec, and how many bytes make a slab in front."""
    if word not in CODED_FORMATS or size <= SLAB:
        return Codec.RAW, 0
    lead = 0
    if word == "safetensors":
        # Its numbers begin behind its header, which nothing but custom keeps at a
        # multiple of 8 bytes. Cut through their middle, they look like noise.
        lead = int(_LENGTH.unpack(sample(0, _LENGTH.size))[0]) % 8
    offsets = block.probe_offsets(size, lead)
    samples = [memoryview(sample(start, stop)) for start, stop in offsets]
    if not block.shrinks(block.plan(samples)):
        return Codec.RAW, 0
    return Codec.BLOCKS, lead


def _key(blob: Sha256, recipe: Recipe | None) -> str:
    return coding.key_of(blob, _suffix(recipe))


def _suffix(recipe: Recipe | None) -> str:
    return recipe.digest[:16] if recipe else ""


def _alone(blob: Sha256, size: int) -> Part:
    """Return the part that a blob of one raw slab is; its digest says what a head would."""
    return Part(sha256=blob, size=size, raw=size, head=None)


def _unfit(file: ReleaseFile, look: Look) -> StoreError:
    if look.digest:
        return _rotten(file, Sha256(look.digest))
    problem = look.problem or f"blob {file.sha256} is not in the store"
    hint = "`airlift verify` finds all such blobs; fetch it again"
    return StoreError(f"{naming.show(file.path)}: {problem}", hint=hint)


def _rotten(file: ReleaseFile, found: Sha256) -> StoreError:
    name = naming.show(file.path)
    problem = f"{name}: the store's bytes hash to {found}, expected {file.sha256}"
    hint = "`airlift verify` finds all such blobs; fetch it again"
    return StoreError(problem, hint=hint)
