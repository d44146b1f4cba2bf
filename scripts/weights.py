"""Tensors out of published packages, and into safetensors files.

Readers of the three formats that the corpus's packages use. Checkpoints of torch are
pickles: the reader here makes containers and records of tensors, calls nothing that a
file names, and gives a dead object for every class it does not know.
"""

import io
import json
import math
import pickle
import struct
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Tensors = dict[str, Array]
"""Tensors by name, in the order of their file."""

DTYPES: Mapping[str, np.dtype[Any]] = {
    "F64": np.dtype(np.float64),
    "F32": np.dtype(np.float32),
    "F16": np.dtype(np.float16),
    "BF16": np.dtype(ml_dtypes.bfloat16),
    "F8_E4M3": np.dtype(ml_dtypes.float8_e4m3fn),
    "I64": np.dtype(np.int64),
    "U8": np.dtype(np.uint8),
}
"""Element types by their names in safetensors."""

STORAGES: Mapping[str, np.dtype[Any]] = {
    "FloatStorage": np.dtype(np.float32),
    "HalfStorage": np.dtype(np.float16),
    "DoubleStorage": np.dtype(np.float64),
    "LongStorage": np.dtype(np.int64),
    "IntStorage": np.dtype(np.int32),
    "ByteStorage": np.dtype(np.uint8),
    "BoolStorage": np.dtype(np.bool_),
}
"""Element types by the names of torch's storages."""

CT2_DTYPES: Mapping[int, np.dtype[Any]] = {
    0: np.dtype(np.float32),
    1: np.dtype(np.int8),
    2: np.dtype(np.int16),
    3: np.dtype(np.int32),
    4: np.dtype(np.float16),
    5: np.dtype(ml_dtypes.bfloat16),
}
"""Element types by their numbers in CTranslate2."""


# --- safetensors ----------------------------------------------------------------------


def same(array: Array) -> Array:
    """Return *array*."""
    return array


def write_safetensors(
    path: Path,
    tensors: Mapping[str, Array],
    *,
    convert: Callable[[Array], Array] = same,
    metadata: Mapping[str, str],
) -> None:
    """Write *tensors* to *path* in the order given, the header padded to 8 bytes.

    Args:
        path: The file, written anew.
        tensors: None of them empty.
        convert: Applied to each tensor when its turn comes: one copy at a time.
        metadata: The header's free texts.
    """
    names = {dtype: name for name, dtype in DTYPES.items()}
    header: dict[str, object] = {"__metadata__": dict(metadata)}
    position = 0
    for name, array in tensors.items():
        dtype = convert(array.reshape(-1)[:1]).dtype
        end = position + array.size * dtype.itemsize
        header[name] = {
            "dtype": names[dtype],
            "shape": list(array.shape),
            "data_offsets": [position, end],
        }
        position = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for array in tensors.values():
            values = np.ascontiguousarray(convert(array)).reshape(-1)
            file.write(values.view(np.uint8).data)


def read_safetensors(data: bytes) -> Tensors:
    """Return the tensors of a file's bytes, without copying them."""
    (length,) = struct.unpack_from("<Q", data)
    header = json.loads(data[8 : 8 + length])
    header.pop("__metadata__", None)
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        raw = np.frombuffer(data, np.uint8, end - begin, 8 + length + begin)
        tensors[name] = raw.view(DTYPES[entry["dtype"]]).reshape(entry["shape"])
    return tensors


# --- torch ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Stored:
    """A tensor before its storage is read: key, first element, shape, strides."""

    key: str
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class _Dead:
    """Stands for whatever a pickle names that is no tensor or container."""

    def __init__(self, *_: object, **__: object) -> None: ...

    def __call__(self, *_: object, **__: object) -> "_Dead":
        return _Dead()

    def __setstate__(self, _: object) -> None: ...


def _stored(key: str, offset: int, shape: object, strides: object, *_: object) -> Any:
    assert isinstance(shape, tuple)
    assert isinstance(strides, tuple)
    return _Stored(key, offset, shape, strides)


def _parameter(tensor: object, *_: object) -> object:
    return tensor


class _Reader(pickle.Unpickler):
    """Reads containers and records of tensors; notes each storage's element type."""

    NAMES: Mapping[str, Any] = {
        "OrderedDict": OrderedDict,
        "_rebuild_tensor_v2": _stored,
        "_rebuild_parameter": _parameter,
    }

    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file)
        self.storages: dict[str, np.dtype[Any]] = {}

    def find_class(self, module: str, name: str) -> Any:
        """Return a maker of our own, whatever *module* would have given."""
        return name if name in STORAGES else self.NAMES.get(name, _Dead)

    def persistent_load(self, pid: Any) -> str:
        """Return the key of a storage; its bytes are read later."""
        key = str(pid[2])
        self.storages[key] = STORAGES[pid[1]]
        return key


def read_torch(data: bytes) -> Tensors:
    """Return the tensors of a checkpoint, nested names joined by dots."""
    tree, storage = (_zipped if data[:2] == b"PK" else _legacy)(data)
    return {
        name: np.lib.stride_tricks.as_strided(
            storage(stored.key)[stored.offset :],
            stored.shape,
            [stride * storage(stored.key).itemsize for stride in stored.strides],
        ).copy()
        for name, stored in _leaves(tree)
        if math.prod(stored.shape)
    }


def _zipped(data: bytes) -> tuple[object, Callable[[str], Array]]:
    """Read the format since torch 1.6: a zip with a member for each storage."""
    archive = zipfile.ZipFile(io.BytesIO(data))
    index = next(name for name in archive.namelist() if name.endswith("/data.pkl"))
    reader = _Reader(io.BytesIO(archive.read(index)))
    tree = reader.load()
    root = index.removesuffix("data.pkl")
    arrays = {
        key: np.frombuffer(archive.read(f"{root}data/{key}"), dtype)
        for key, dtype in reader.storages.items()
    }
    return tree, arrays.__getitem__


def _legacy(data: bytes) -> tuple[object, Callable[[str], Array]]:
    """Read the older format: pickles, then each storage after its count of elements."""
    file = io.BytesIO(data)
    for _ in range(3):  # a magic number, a version, facts about the writer's machine
        _Reader(file).load()
    reader = _Reader(file)
    tree = reader.load()
    arrays = {}
    for key in _Reader(file).load():
        dtype = reader.storages[key]
        (count,) = struct.unpack("<q", file.read(8))
        arrays[key] = np.frombuffer(file.read(count * dtype.itemsize), dtype)
    return tree, arrays.__getitem__


def _leaves(tree: object, prefix: str = "") -> Iterator[tuple[str, _Stored]]:
    if isinstance(tree, _Stored):
        yield prefix, tree
    elif isinstance(tree, dict):
        for key, value in tree.items():
            yield from _leaves(value, f"{prefix}.{key}" if prefix else str(key))


# --- CTranslate2 ----------------------------------------------------------------------


def read_ctranslate2(data: bytes) -> Tensors:
    """Return the tensors of a ``model.bin``, version 4 or later."""
    file = io.BytesIO(data)

    def number(code: str) -> int:
        (value,) = struct.unpack("<" + code, file.read(struct.calcsize(code)))
        assert isinstance(value, int)
        return value

    def text() -> str:
        return file.read(number("H"))[:-1].decode()

    assert number("I") >= 4
    text()  # the model's class
    number("I")  # and its revision
    tensors = {}
    for _ in range(number("I")):
        name = text()
        shape = [number("I") for _ in range(number("B"))]
        dtype = CT2_DTYPES[number("B")]
        raw = np.frombuffer(file.read(number("I")), np.uint8)
        tensors[name] = raw.view(dtype).reshape(shape)
    return tensors
