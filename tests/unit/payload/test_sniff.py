"""What a file is, by content first: above all that no pickle passes as something else.

The pickles and archives here are real ones, made by the libraries that make them.
"""

import bz2
import gzip
import io
import json
import lzma
import os
import pickle
import pickletools
import random
import struct
import tarfile
import time
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zstandard
from hypothesis import example, given, settings
from hypothesis import strategies as st

from airlift.artifact import ContentClass
from airlift.payload import sniff as subject
from airlift.payload.sniff import HEAD

DATA, CODE = ContentClass.DATA, ContentClass.CODE
PICKLE, TEMPLATE = ContentClass.PICKLE, ContentClass.TEMPLATE
PACKAGE = ContentClass.PACKAGE


def sniff(path: str, data: bytes) -> tuple[str, ContentClass]:
    """Sniff *data* as a caller does, who sees both ends of it."""
    tail = data[-HEAD:] if len(data) > HEAD else b""
    return subject.sniff(path, data[:HEAD], tail)


class Calls:
    """An object whose pickle calls something, as a hostile one does."""

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        return os.system, ("true",)


def zipped(members: dict[str, bytes], *, method: int = zipfile.ZIP_STORED) -> bytes:
    """Return a ZIP of *members*."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return out.getvalue()


def tarred(members: dict[str, bytes]) -> bytes:
    """Return a tar archive of *members*."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def numpy_file(array: "np.ndarray[Any, Any]") -> bytes:
    """Return *array* as numpy writes it."""
    out = io.BytesIO()
    np.save(out, array)
    return out.getvalue()


def safetensors(header: bytes) -> bytes:
    """Return a safetensors file of *header* and no data."""
    return struct.pack("<Q", len(header)) + header


TORCH = {
    "model/data.pkl": pickle.dumps({"w": [1.0] * 9}, 2),
    "model/byteorder": b"little",
    "model/data/0": bytes(200_000),
    "model/version": b"3\n",
}
LEGACY = b"".join(
    pickle.dumps(part, 2)
    for part in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}, Calls(), ["0"])
) + bytes(100_000)
PROTOCOL_0 = pickle.dumps([{"n": i, "s": f"{i}"} for i in range(20_000)], 0)

PICKLES = {
    "torch since 1.6": zipped(TORCH),
    "torch since 1.6, under a prefix": zipped({"a/b/data.pkl": b"x"}),
    "torch before 1.6": LEGACY,
    "torch before 0.1.10": tarred({"sys_info": b"", "pickle": b"", "storages": b""}),
    "a call, by protocol 0": pickle.dumps(Calls(), 0),
    "a call, by protocol 1": pickle.dumps(Calls(), 1),
    "a call, by protocol 4": pickle.dumps(Calls(), 4),
    "a call, optimised": pickletools.optimize(pickle.dumps(Calls(), 5)),
    "a call without the protocol opcode": pickle.dumps(Calls(), 4)[2:],
    "a call, then nonsense": pickle.dumps(Calls(), 0)[:-1] + b"\xff\xff",
    "a call, then a PNG": pickle.dumps(Calls(), 0) + b"\x89PNG\r\n\x1a\n",
    "a call behind a long string": b"B" + struct.pack("<I", HEAD) + bytes(HEAD) + b"0",
    "a long one of protocol 0": PROTOCOL_0,
    "one with odd escapes": b"cos\nsystem\n(S'\\;true'\ntR.",
    "a memo written twice": b"\x80\x04N\x94N\x94(lp0\n0Np0\n.",
    "gzip of one": gzip.compress(pickle.dumps(Calls())),
    "zlib of one": zlib.compress(pickle.dumps(Calls())),
    "bzip2 of one": bz2.compress(pickle.dumps(Calls())),
    "xz of one": lzma.compress(pickle.dumps(Calls())),
    "zstd of one": zstandard.compress(pickle.dumps(Calls())),
    "lz4 of anything": b"\x04\x22\x4d\x18" + bytes(20),
    "objects of numpy": numpy_file(np.array([Calls()], dtype=object)),
    "objects in a field of numpy": numpy_file(np.zeros(3, dtype="i4,O")),
    "numpy with a header out of sight": b"\x93NUMPY\x02\x00"
    + struct.pack("<I", HEAD)
    + b"{" * HEAD
    + b"}",
    "a ZIP with a pickle's name in it": zipped({"x.txt": b"", "deep/y.PKL": b""}),
    "a ZIP with a large directory": zipped({f"{i:04}.txt": b"" for i in range(2000)}),
    "a torch ZIP behind a safetensors file": safetensors(b"{}") + zipped(TORCH),
    "a torch ZIP that claims to be a wheel": zipped(
        {"a-1.dist-info/WHEEL": b"", "model/data.pkl": b""}
    ),
}


@pytest.mark.parametrize("what", PICKLES)
@pytest.mark.parametrize(
    "path",
    ["pytorch_model.bin", "model.safetensors", "README.md", "x/config.json", "q"],
)
def test_a_pickle_is_one_under_any_name(what: str, path: str) -> None:
    """Loading it runs whatever its author chose; a rename must not get it through."""
    assert sniff(path, PICKLES[what])[1] is PICKLE


def test_the_kinds_of_pickles_are_told_apart() -> None:
    """Operators convert torch files; for other pickles there is no converter."""
    words = {what: sniff("model.bin", data)[0] for what, data in PICKLES.items()}
    assert words["torch since 1.6"] == "torch"
    assert words["torch before 1.6"] == "torch"
    assert words["a call, by protocol 4"] == "pickle"
    assert words["objects of numpy"] == "npy"
    assert words["gzip of one"] == "gzip"


OBJECTS: st.SearchStrategy[object] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.binary()
    | st.just(Calls),
    lambda inner: (
        st.lists(inner)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(), inner)
        | st.frozensets(st.integers())
    ),
    max_leaves=20,
)


@settings(deadline=None)  # a shared machine is slow at times
@given(OBJECTS, st.integers(0, 5))
def test_what_python_pickles_is_seen_to_be_a_pickle(value: object, by: int) -> None:
    """The walk must follow every opcode that the standard library writes."""
    assert sniff("model.safetensors", pickle.dumps(value, by)) == ("pickle", PICKLE)


@settings(deadline=None)
@given(st.binary(max_size=400), st.binary(max_size=400))
@example(b"\x80\x04", b"")
@example(b"PK\x03\x04", b"PK\x05\x06" + b"\xff" * 18)
@example(b"\x93NUMPY", b"\x00")
@example(b"{" * 400, b"")
@example(b"[" * 100_000, b"")
@example(b"(" * 65_536, b"")
def test_no_bytes_make_it_raise(head: bytes, tail: bytes) -> None:
    """A file that crashes the exporter would be a way to stop deliveries."""
    word, content_class = subject.sniff("config.json", head, tail)
    assert word
    assert content_class in ContentClass


WHEEL = zipped({"a.py": b"", "a-1.dist-info/WHEEL": b"", "a-1.dist-info/RECORD": b""})
ONNX = b"\x08\x08\x12\x07pytorch\x1a\x052.1.0" + bytes(50)
KERAS = zipped({"config.json": b"{}", "model.weights.h5": b""})

TABLE: dict[str, tuple[str, bytes, tuple[str, ContentClass]]] = {
    "safetensors": ("m.safetensors", safetensors(b"{}"), ("safetensors", DATA)),
    "safetensors under another name": (
        "m.pt",
        safetensors(b"{}"),
        ("safetensors", DATA),
    ),
    "safetensors whose length looks like a pickle": (
        "m.safetensors",
        safetensors(b"{" + b" " * 0x27E + b"}"),  # 80 02 00...
        ("safetensors", DATA),
    ),
    "gguf": ("m.gguf", b"GGUF\x03\x00\x00\x00" + bytes(16), ("gguf", DATA)),
    "wheel": ("a-1-py3-none-any.whl", WHEEL, ("wheel", PACKAGE)),
    "a wheel's metadata": (
        "a-1-py3-none-any.whl.metadata",
        b"Metadata-Version: 2.1\nName: a\nVersion: 1\n",
        ("text", DATA),
    ),
    "a source archive": (
        "a-1.tar.gz",
        gzip.compress(tarred({"a-1/setup.py": b""})),
        ("gzip", PACKAGE),
    ),
    "zip": ("x.zip", zipped({"a.txt": b"a"}), ("zip", PACKAGE)),
    "a zip that goes on like a pickle": (
        "x.zip",
        zipped({"a\nNNNNcos\nsystem\n)R.txt": b""}),
        ("zip", PACKAGE),
    ),
    "tar": ("x.tar", tarred({"a.jpg": b"a"}), ("tar", PACKAGE)),
    "onnx": ("m.onnx", ONNX, ("onnx", DATA)),
    "keras": ("m.keras", KERAS, ("keras", CODE)),
    "keras of old": ("tf_model.h5", b"\x89HDF\r\n\x1a\n" + bytes(64), ("keras", CODE)),
    "hdf5": ("data.hdf5", b"\x89HDF\r\n\x1a\n" + bytes(64), ("hdf5", DATA)),
    "a tensorflow graph": ("saved_model.pb", b"\x08\x01\x12\x00", ("tensorflow", CODE)),
    "numbers of numpy": ("a.npy", numpy_file(np.zeros(9)), ("npy", DATA)),
    "fields of numpy": (
        "a.npy",
        numpy_file(np.zeros(3, dtype=[("a", "<i4"), ("b", "<U5", (2,))])),
        ("npy", DATA),
    ),
    "png": ("a.png", b"\x89PNG\r\n\x1a\n" + bytes(9), ("png", DATA)),
    "parquet": ("a.parquet", b"PAR1" + bytes(9), ("parquet", DATA)),
    "a compressed text": ("a.jsonl.gz", gzip.compress(b'{"a": 1}\n'), ("gzip", DATA)),
    "a program": ("kernel", b"\x7fELF\x02\x01\x01" + bytes(9), ("program", CODE)),
    "python": ("modeling_tiny.py", b"import os\n", ("text", CODE)),
    "python in another alphabet": (
        "m.py",
        "# é\n".encode("latin-1"),
        ("program", CODE),
    ),
    "python that looks like weights": (
        "m.py",
        safetensors(b"{}"),
        ("safetensors", CODE),
    ),
    "an empty module": ("__init__.py", b"", ("text", CODE)),
    "a script": ("run", b"#!/bin/sh\n", ("script", CODE)),
    "a notebook": ("a.ipynb", b'{"cells": []}', ("json", CODE)),
    "json": ("config.json", b'{"a": [1]}', ("json", DATA)),
    "a list": ("a.json", b' [\n  "x"]', ("json", DATA)),
    "a vocabulary": ("vocab.txt", b"[PAD]\n[unused0]\n", ("text", DATA)),
    "json lines": ("train.jsonl", b'{"a": 1}\n{"a": 2}\n', ("json", DATA)),
    "a configuration that names code": (
        "config.json",
        b'{"auto_map": {"AutoModel": "modeling_tiny.Tiny"}}',
        ("json", CODE),
    ),
    "... with its key escaped": (
        "config.json",
        b'{"auto\\u005fmap": {"AutoModel": "modeling_tiny.Tiny"}}',
        ("json", CODE),
    ),
    "... deep inside": (
        "preprocessor_config.json",
        b'[{"x": {"auto_map": ["a", "b"]}}]',
        ("json", CODE),
    ),
    "... beyond both ends, which seem to overlap": (
        "config.json",
        json.dumps({"a": "x" * HEAD, "auto_map": {"b": "c"}, "z": "x" * HEAD}).encode(),
        ("json", CODE),
    ),
    "... not valid, but for some reader": (
        "config.json",
        b'{"auto_map": {"AutoModel": "x.Y"},}',
        ("json", CODE),
    ),
    "a chat template of its own": (
        "chat_template.jinja",
        b"{{ x }}",
        ("jinja", TEMPLATE),
    ),
    "more chat templates": (
        "chat_templates/tool.jinja",
        b"{{ x }}",
        ("jinja", TEMPLATE),
    ),
    "a chat template in JSON": (
        "tokenizer_config.json",
        b'{"chat_template": "{{ x }}"}',
        ("json", TEMPLATE),
    ),
    "a large tokenizer configuration": (
        "tokenizer_config.json",
        json.dumps(
            {"a": "x" * HEAD, "chat_template": "{{ x }}", "z": "x" * HEAD}
        ).encode(),
        ("json", TEMPLATE),
    ),
    "a large vocabulary": (
        "vocab.json",
        json.dumps({f"t{i}": i for i in range(20_000)}).encode(),
        ("json", DATA),
    ),
    "a vocabulary with these words": (
        "vocab.json",
        b'{"auto_map": 17, "chat_template": 18}',
        ("json", DATA),
    ),
    "YAML that makes objects": (
        "hyperparams.yaml",
        b"a: !!python/object/apply:os.system [id]\n",
        ("yaml", CODE),
    ),
    "text": ("README.md", b"# Tiny\n", ("text", DATA)),
    "text that begins like a pickle": (
        "notes",
        b"N.B. read this first\n",
        ("text", DATA),
    ),
    "a vocabulary that begins like one": (
        "vocab.txt",
        b"click\nmodel\ntoken\n" * 9000,
        ("text", DATA),
    ),
    "a string with odd escapes, in text": (
        "a.txt",
        b"S'\\;'\nand more\n",
        ("text", DATA),
    ),
    "names with odd escapes, in text": ("a.txt", b"c\\;\n\\.\nP\\;\n", ("text", DATA)),
    "a letter that opens a long string": ("a.txt", b"The text" * 9000, ("text", DATA)),
    "text cut inside a character": (
        "a.txt",
        b"x" + "é".encode() * 50_000,
        ("text", DATA),
    ),
    "a pickle's name and unknown bytes": (
        "m.ckpt",
        b"\xff\xfe\xfd",
        ("pickle", PICKLE),
    ),
    "unknown bytes": ("m.bin", b"\xff\xfe\xfd", ("other", DATA)),
    "nothing": ("empty", b"", ("text", DATA)),
}


@pytest.mark.parametrize("what", TABLE)
def test_a_file_is_what_its_bytes_say(what: str) -> None:
    """Policies and codecs choose by these two words."""
    path, data, expected = TABLE[what]
    assert sniff(path, data) == expected


@pytest.mark.parametrize(
    "data",
    [
        b"N" * 32_000 + b"(t" * 16_000,
        b"(" * HEAD,
        b"(N" * 32_000,
        b"]" * 9 + b"2" * HEAD,
    ],
    ids=["marks above much", "marks", "marks and objects", "copies"],
)
def test_no_file_takes_long_to_sniff(data: bytes) -> None:
    """A slow file is a way to stop deliveries; all of these once cost seconds or may."""
    begin = time.process_time()
    sniff("m.bin", data)
    assert time.process_time() - begin < 1.0


def test_none_of_our_own_files_is_taken_for_a_pickle() -> None:
    """A gate that cries wolf gets waived; text of many kinds is in this project."""
    root = Path(__file__).parents[3]
    files = [
        path
        for part in ("airlift", "tests", "docs", "manifests")
        for path in (root / part).rglob("*.*")
        if path.suffix in (".py", ".md", ".toml", ".json", ".txt")
    ]
    assert len(files) > 20
    pickles = [path for path in files if sniff("x.txt", path.read_bytes())[1] is PICKLE]
    assert pickles == []


def test_random_bytes_are_hardly_ever_taken_for_a_pickle() -> None:
    """Keys, caches and noise must not wait for a person: one false alarm in 3,000."""
    chance = random.Random(1)
    found = [
        seed
        for seed in range(3000)
        if sniff("x.bin", chance.randbytes(4096))[1] is PICKLE
    ]
    assert len(found) <= 3, found


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"\x82\x01" + b"\xff" * 100, DATA),
        (b"\x82\x01.", PICKLE),
        (b"\x82\x01)R" + b"\xff" * 100, PICKLE),
        (b"\x83\x01\x00(t\x81" + b"\xff" * 100, PICKLE),
        (b"N\x84\x01\x00\x00\x00NN" + b"\xff" * 200_000, PICKLE),
    ],
)
def test_an_extension_alone_calls_nothing(data: bytes, found: ContentClass) -> None:
    """It fetches what a program registered itself; what is done with it tells."""
    assert sniff("x.bin", data)[1] is found


@pytest.mark.parametrize(
    ("lead", "claim", "found"),
    [
        (b"", 1 << 40, PICKLE),  # such a file may be
        (b"", (1 << 40) + 1, DATA),  # none is so large: loading it fails at once
        (b"cos\nsystem\n", (1 << 40) + 1, PICKLE),  # it has imported by then
    ],
)
def test_a_claim_beyond_any_file_hides_nothing(
    lead: bytes, claim: int, found: ContentClass
) -> None:
    """What follows an argument that never ends is never reached."""
    data = lead + b"\x8e" + struct.pack("<Q", claim) + b"\xff" * 200_000
    assert sniff("x.bin", data)[1] is found
