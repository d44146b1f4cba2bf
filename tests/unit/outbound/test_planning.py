"""Planning: how little of a new version travels, and that it is the new version."""

import random
import struct
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest

from airlift.artifact import Release, ReleaseFile
from airlift.digest import Sha256, sha256
from airlift.format.head import Op
from airlift.outbound.opened import OpenedBlobs
from airlift.outbound.planning import Plan, Planner
from airlift.registry.pieces import PieceIndex
from airlift.store.blobs import BlobStore
from corpus import rounded
from lineage import carried, given_back, new_version, old_version, release, tensors
from weights import Tensors, write_safetensors


@dataclass
class Bench:
    """A store, an index, and a planner over both."""

    folder: Path
    store: BlobStore
    blobs: OpenedBlobs
    index: PieceIndex
    contents: dict[Sha256, bytes] = field(default_factory=dict)

    def hold(self, files: Mapping[str, bytes]) -> None:
        """Put *files* into the store."""
        for data in files.values():
            name = sha256(data)
            self.contents[name] = data
            if not self.store.has(name):
                self.store.add([data], expect=name)

    def planner(self, *owners: Release, chunked: bool = False) -> Planner:
        """Return a planner that may build on all files of *owners*."""
        made = Planner(self.blobs, self.index, chunked=chunked)
        for owner in owners:
            for file in owner.files:
                made.offer(file, owner)
        return made

    def check(self, plan: Plan | None, file: ReleaseFile) -> float:
        """Return the share of *file* that travels by *plan*, which must give it."""
        new = self.contents[file.sha256]
        assert plan is not None
        assert given_back(plan.recipe, new, self.contents) == new
        return carried(plan.recipe, new, self.contents) / len(new)


@pytest.fixture(name="bench")
def _bench(tmp_path: Path) -> Iterator[Bench]:
    store = BlobStore(tmp_path / "store")
    index = PieceIndex.open(tmp_path / "pieces")
    with closing(index), OpenedBlobs(store) as blobs:
        yield Bench(tmp_path, store, blobs, index)


@pytest.mark.parametrize(
    ("update", "most"),
    [
        ("metadata", 0.00016),
        ("reshard", 0.00045),
        ("vocabulary", 0.0037),
        ("lora", 0.09),
        ("tail", 0.102),
        ("sigma-1e-4", 0.08),
        ("sigma-1e-3", 0.175),
        ("sigma-1e-2", 0.35),
    ],
)
def test_of_an_update_only_what_changed_travels(
    bench: Bench, update: str, most: float
) -> None:
    """The promise of the tables in docs/performance.md, on a model of 7 MB."""
    old = old_version(bench.folder)
    new = new_version(update, bench.folder)
    bench.hold(old)
    bench.hold(new)
    before, after = release("acme/m", old), release("acme/m", new)
    planner = bench.planner(before)
    sizes = shares = 0.0
    for file in after.files:
        shares += file.size * bench.check(planner.plan(file, after), file)
        sizes += file.size
    assert most / 2 < shares / sizes <= most


def test_single_precision_travels_as_differences_too(bench: Bench) -> None:
    """Elements of four bytes: the lower ones are noise, the upper ones nearly nothing."""
    old = old_version(bench.folder, dtype="fp32")
    new = new_version("fp32-sigma-1e-3", bench.folder)
    bench.hold(old)
    bench.hold(new)
    after = release("acme/m", new)
    plan = bench.planner(release("acme/m", old)).plan(after.files[0], after)
    assert 0.5 < bench.check(plan, after.files[0]) <= 0.6
    assert {piece.width for piece in plan.recipe.pieces if plan} == {0, 4}  # type: ignore[union-attr]


def saved(folder: Path, parts: Tensors) -> bytes:
    """Return *parts* in bfloat16 as a file."""
    path = folder / "made.safetensors"
    write_safetensors(path, parts, convert=rounded, metadata={})
    return path.read_bytes()


def planned(bench: Bench, old: bytes, new: bytes, **more: object) -> Plan | None:
    """Return the plan of *new* in a repository that is not that of *old*."""
    word = str(more.get("word", "safetensors"))
    bench.hold({"old": old, "new": new})
    before = release(str(more.get("owner", "acme/old")), {f"a.{word}": old})
    after = release("other/new", {f"b.{word}": new})
    planner = bench.planner(before, chunked=bool(more.get("chunked")))
    return planner.plan(after.files[0], after)


def test_renamed_tensors_are_found_by_what_they_begin_with(bench: Bench) -> None:
    """Another library's names for the same weights, in another repository."""
    parts = tensors()
    renamed = {f"model.{name}": one for name, one in reversed(parts.items())}
    old, new = saved(bench.folder, parts), saved(bench.folder, renamed)
    plan = planned(bench, old, new)
    file = release("other/new", {"b.safetensors": new}).files[0]
    assert bench.check(plan, file) < 0.002


def test_a_piece_that_only_begins_alike_is_not_taken_for_the_same(bench: Bench) -> None:
    """A mark is of 16 KiB: the rest is compared, and what differs travels."""
    parts = tensors()
    old = saved(bench.folder, parts)
    name = "word_embeddings.weight"
    other = np.random.default_rng(9).normal(0, 0.02, parts[name].shape)
    half = parts[name].shape[0] // 2
    mixed = np.concatenate([parts[name][:half], other[half:].astype(np.float32)])
    new = saved(bench.folder, {"renamed": mixed})
    plan = planned(bench, old, new)
    file = release("other/new", {"b.safetensors": new}).files[0]
    assert 0.3 < bench.check(plan, file) < 0.37


def test_unrelated_weights_of_the_same_names_travel_whole(bench: Bench) -> None:
    """Every model has a `word_embeddings.weight`: a difference of noise is noise."""
    old, new = saved(bench.folder, tensors(1)), saved(bench.folder, tensors(2))
    assert planned(bench, old, new) is None


def test_the_model_it_was_made_of_is_preferred(bench: Bench) -> None:
    """Of tensors of one name, those of the same repository, then of the base model."""
    near = saved(bench.folder, tensors())
    moved = {name: one + 1e-4 * one.std() for name, one in tensors().items()}
    others = [saved(bench.folder, tensors(seed)) for seed in (3, 4, 5, 6)]
    new = saved(bench.folder, moved)
    bench.hold({str(number): one for number, one in enumerate([near, new, *others])})
    owners = [
        release(f"other/{number}", {"a.safetensors": one})
        for number, one in enumerate(others)
    ]
    base = release("acme/base", {"a.safetensors": near})
    after = release("me/tuned", {"a.safetensors": new}, base_models=("acme/base",))
    plan = bench.planner(*owners, base).plan(after.files[0], after)
    assert plan is not None
    assert plan.recipe.bases == (sha256(near),)
    # Four others come first where nothing tells which one is meant.
    unnamed = replace(after, base_models=())
    assert bench.planner(*owners, base).plan(after.files[0], unnamed) is None


def test_the_same_bases_give_the_same_plan_whatever_is_known(bench: Bench) -> None:
    """A killed export plans again, with an index that the first run filled."""
    parts = tensors()
    renamed = {f"model.{name}": one for name, one in reversed(parts.items())}
    old, new = saved(bench.folder, parts), saved(bench.folder, renamed)
    first = planned(bench, old, new)
    assert first is not None
    assert planned(bench, old, new) == first
    stranger = saved(bench.folder, {"x": parts["word_embeddings.weight"]})
    bench.hold({"x": stranger})
    one = release("x/x", {"x.safetensors": stranger})
    bench.planner().plan(one.files[0], one)  # in the index, but no base
    assert planned(bench, old, new) == first


def test_quantised_weights_are_told_by_their_header(bench: Bench) -> None:
    """A GGUF file whose texts were edited: every tensor moves, none changes."""
    body = random.Random(1).randbytes(34 * 32_768)

    def gguf(text: bytes) -> bytes:
        key = b"general.description"
        front = b"GGUF" + struct.pack("<IQQ", 3, 1, 1)
        front += struct.pack("<Q", len(key)) + key + struct.pack("<IQ", 8, len(text))
        front += (
            text + struct.pack("<Q", 1) + b"w" + struct.pack("<IQIQ", 1, 1 << 20, 8, 0)
        )
        return front + bytes(-len(front) % 32) + body

    new = gguf(b"described at greater length" * 9)
    plan = planned(bench, gguf(b"short"), new, word="gguf")
    file = release("other/new", {"b.gguf": new}).files[0]
    assert bench.check(plan, file) < 0.001
    assert plan is not None
    assert [piece.op for piece in plan.recipe.pieces] == [Op.LITERAL, Op.REFERENCE]


def test_files_of_unknown_make_are_found_in_chunks_when_asked(bench: Bench) -> None:
    """A header that no longer parses, an image, a data set: bytes put in the middle."""
    old = random.Random(2).randbytes(5_000_000)
    new = old[:2_000_000] + b"put in" + old[2_000_000:]
    kin = "other/new"
    assert planned(bench, old, new, word="bin", owner=kin) is None
    # Of strangers nothing is read: a site may hold a terabyte of data sets.
    assert planned(bench, old, new, word="bin", chunked=True) is None
    plan = planned(bench, old, new, word="bin", owner=kin, chunked=True)
    file = release("other/new", {"b.bin": new}).files[0]
    assert bench.check(plan, file) < 0.3


def test_a_header_that_does_not_parse_is_no_error(bench: Bench) -> None:
    """What names itself safetensors and is none is cut by its content."""
    old = struct.pack("<Q", 5) + b"{][}!" + random.Random(2).randbytes(2_000_000)
    new = old + b"more"
    assert planned(bench, old, new) is None
    plan = planned(bench, old, new, chunked=True)
    file = release("other/new", {"b.safetensors": new}).files[0]
    assert bench.check(plan, file) < 0.5


def test_small_files_and_files_without_bases_have_no_plan(bench: Bench) -> None:
    """A recipe of a tokenizer's few bytes would be longer than they are."""
    small = saved(bench.folder, {"w": np.zeros((100, 100), np.float32)})
    assert planned(bench, small, small + b"x") is None
    large = saved(bench.folder, tensors())
    bench.hold({"large": large})
    alone = release("acme/m", {"a.safetensors": large})
    assert bench.planner().plan(alone.files[0], alone) is None


def test_a_base_that_the_store_lost_is_not_used(bench: Bench) -> None:
    """The site may have it; without its bytes here there is nothing to compare with."""
    old, new = old_version(bench.folder), new_version("metadata", bench.folder)
    bench.hold(new)
    before, after = release("acme/m", old), release("acme/m", new)
    assert bench.planner(before).plan(after.files[0], after) is None


def test_scattered_changes_do_not_cost_a_piece_each(bench: Bench) -> None:
    """Every third granule changed a little: one difference, not a thousand pieces."""
    parts = tensors()
    old = saved(bench.folder, parts)
    changed = {name: one.copy() for name, one in parts.items()}
    flat = changed["word_embeddings.weight"].reshape(-1)
    flat[:: 3 * 32 * 1024] *= 1.01
    new = saved(bench.folder, changed)
    plan = planned(bench, old, new)
    file = release("other/new", {"b.safetensors": new}).files[0]
    assert bench.check(plan, file) < 0.001
    assert plan is not None
    assert len(plan.recipe.pieces) <= 4
