"""Readers and writers of weights, and corpora of any size."""

import struct
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

from corpus import BLOCK, MIX, build, rounded, scaled
from weights import read_ctranslate2, read_safetensors, read_torch, write_safetensors

ELEMENTS = 40 * BLOCK + 11


@pytest.fixture(name="cache")
def _cache(tmp_path: Path) -> Path:
    """Give a cache whose seven files are there already, small ones."""
    folder = tmp_path / "cache" / "files"
    folder.mkdir(parents=True)
    values = np.random.default_rng(1).standard_normal(ELEMENTS, np.float32)
    for name in (*MIX, "w_fp32_from_bf16.safetensors"):
        if name.endswith(".gguf"):
            (folder / name).write_bytes(values.tobytes())
        else:
            write_safetensors(folder / name, {"a": values}, metadata={})
    return folder.parent


def test_what_is_written_reads_back(tmp_path: Path) -> None:
    """Element types, shapes and the order of tensors are kept."""
    values = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    tensors = {
        "b": values.astype(ml_dtypes.bfloat16),
        "a": values,
        "c": values.astype(ml_dtypes.float8_e4m3fn).T,
    }
    write_safetensors(tmp_path / "x", tensors, metadata={"format": "pt"})
    data = (tmp_path / "x").read_bytes()
    found = read_safetensors(data)
    assert list(found) == ["b", "a", "c"]
    for name, tensor in tensors.items():
        assert found[name].dtype == tensor.dtype
        assert found[name].shape == tensor.shape
        assert found[name].tobytes() == tensor.tobytes()
    (length,) = struct.unpack_from("<Q", data)
    assert length % 8 == 0


def test_a_conversion_is_one_of_bytes_and_header(tmp_path: Path) -> None:
    """A header that names the old type would make readers read garbage."""
    values = np.linspace(-3, 3, 1000, dtype=np.float32)
    write_safetensors(tmp_path / "x", {"a": values}, convert=rounded, metadata={})
    found = read_safetensors((tmp_path / "x").read_bytes())["a"]
    assert found.dtype == ml_dtypes.bfloat16
    assert found.tobytes() == values.astype(ml_dtypes.bfloat16).tobytes()


def test_a_pickle_that_calls_runs_nothing(tmp_path: Path) -> None:
    """Checkpoints come from strangers: only containers and tensors are made."""
    target = tmp_path / "ran"
    calling = b"cos\nsystem\n(S'touch " + str(target).encode() + b"'\ntR."
    plain = b"I1\n."
    assert read_torch(plain * 3 + calling + b"(l.") == {}
    assert not target.exists()


def test_a_model_of_ctranslate2_is_read() -> None:
    """Names end in a NUL that is counted; shapes come before the type."""
    values = np.arange(6, dtype=np.float16)
    data = struct.pack("<IH4sIIH2sBIIBI", 6, 4, b"abc", 1, 1, 2, b"w", 2, 2, 3, 4, 12)
    found = read_ctranslate2(data + values.tobytes())
    assert list(found) == ["w"]
    assert found["w"].tolist() == [[0, 1, 2], [3, 4, 5]]


def test_float8_uses_its_whole_range() -> None:
    """As quantisers scale: the largest weight is the type's largest number."""
    values = np.array([-0.5, 0.25, 0.125], np.float32)
    assert scaled(values).astype(np.float32).tolist() == [-448.0, 224.0, 112.0]


def test_a_corpus_has_the_size_asked_for(tmp_path: Path, cache: Path) -> None:
    """Cost per byte needs the bytes to be what the table says."""
    size = 6 * 4 * BLOCK * 100
    paths = build(tmp_path / "out", size, cache=cache)
    assert size <= sum(path.stat().st_size for path in paths) < size * 1.01
    assert {path.suffix for path in paths} == {".safetensors", ".gguf"}
    assert paths == build(tmp_path / "out", size, cache=cache)


def test_nothing_is_in_a_corpus_twice(tmp_path: Path, cache: Path) -> None:
    """What repeats flatters every tool that looks for repetitions."""
    kinds = ("w_fp32.safetensors",)
    size = 4 * BLOCK * 200  # five laps of the source
    paths = build(tmp_path / "out", size, kinds=kinds, count=4, cache=cache)
    bodies = [
        tensor.tobytes()
        for path in paths
        for tensor in read_safetensors(path.read_bytes()).values()
    ]
    assert sum(map(len, bodies)) == size
    windows = [  # four blocks long, at every block
        body[start : start + 16 * BLOCK]
        for body in bodies
        for start in range(0, len(body) - 16 * BLOCK, 4 * BLOCK)
    ]
    assert len(windows) > 150
    assert len(set(windows)) == len(windows)
