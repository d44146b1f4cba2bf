"""What an archive or a compressed file may hide, from both ends of it.

Only names and the first bytes of a member are looked at, into buffers of fixed
length; nothing is extracted.
"""

import bz2
import lzma
import re
import struct
import zlib
from collections.abc import Callable
from typing import Final

import zstandard

from airlift.artifact import ContentClass
from airlift.payload import sniff_pickle

Finding = tuple[str, ContentClass]

_PICKLE, _PACKAGE = ContentClass.PICKLE, ContentClass.PACKAGE
_ZIP_STARTS: Final = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
_ZIP_END: Final = b"PK\x05\x06"
_ZIP_LOCAL = re.compile(rb"PK\x03\x04.{22}(..)..", re.DOTALL)
_PICKLE_ENDINGS: Final = (
    *(".pkl", ".pickle", ".p", ".joblib", ".dill"),
    *(".pt", ".pth", ".ckpt", ".npy"),
)
_TORCH_TAR: Final = frozenset(["pickle", "storages", "tensors"])
"""Members of the tar files that torch wrote before version 0.1.10."""
_INFLATED: Final = 64 << 10
"""Bytes of a compressed file that are looked at, as of a plain one."""


def archive(name: str, head: bytes, tail: bytes) -> Finding | None:
    """Return what a ZIP or tar archive is; None where it is neither.

    Args:
        name: Last part of its path, case folded.
        head: Its first bytes.
        tail: Its last bytes; empty where *head* is all of it.
    """
    if head[257:262] == b"ustar":
        return _tar(head)
    directory = _directory(tail or head)
    if not head.startswith(_ZIP_STARTS):
        # A ZIP behind something else: what reads the front decides, unless what
        # reads the back would find a pickle.
        pickled = directory is not None and _torch(directory)
        return ("torch", _PICKLE) if pickled else None
    if name.endswith(".whl"):
        return "wheel", _PACKAGE
    if directory is None:
        return "zip", _PICKLE
    return _zip(directory + _local_names(head))


def _zip(names: list[str]) -> Finding:
    if _torch(names):
        return "torch", _PICKLE
    if any(name.endswith("model.weights.h5") for name in names):
        return "keras", ContentClass.CODE
    if names and all(name.endswith(".npy") for name in names):
        # Arrays of objects are pickles, and most members' headers are out of sight.
        return "npz", _PICKLE
    pickled = any(name.endswith(_PICKLE_ENDINGS) for name in names)
    return "zip", _PICKLE if pickled else _PACKAGE


def _torch(names: list[str]) -> bool:
    return any(name.rsplit("/", 1)[-1] == "data.pkl" for name in names)


def _directory(tail: bytes) -> list[str] | None:
    """Return the names in a ZIP's directory; None where it is not wholly visible."""
    at = tail.rfind(_ZIP_END)
    while at >= 0:
        # The end record must reach the end of the file: 22 bytes and a comment.
        if len(tail) - at >= 22 and struct.unpack_from("<H", tail, at + 20)[0] == (
            len(tail) - at - 22
        ):
            count, size = struct.unpack_from("<HI", tail, at + 10)
            return _entries(tail[at - size : at], count) if size <= at else None
        at = tail.rfind(_ZIP_END, 0, at)
    return None


def _entries(directory: bytes, count: int) -> list[str] | None:
    names, at = [], 0
    while at + 46 <= len(directory) and directory.startswith(b"PK\x01\x02", at):
        name, extra, comment = struct.unpack_from("<HHH", directory, at + 28)
        names.append(_folded(directory[at + 46 : at + 46 + name]))
        at += 46 + name + extra + comment
    return names if at == len(directory) and len(names) == count else None


def _local_names(head: bytes) -> list[str]:
    return [
        _folded(head[found.end() : found.end() + int.from_bytes(found[1], "little")])
        for found in _ZIP_LOCAL.finditer(head)
    ]


def _folded(name: bytes) -> str:
    return name.decode("utf-8", "replace").replace("\\", "/").casefold()


def _tar(head: bytes) -> Finding:
    at = 0
    while at + 512 <= len(head) and head[at + 257 : at + 262] == b"ustar":
        name = _folded(head[at : at + 100].partition(b"\0")[0])
        if name in _TORCH_TAR or name.endswith(_PICKLE_ENDINGS):
            return "tar", _PICKLE
        digits = head[at + 124 : at + 136].strip(b" \0")
        size = int(digits, 8) if re.fullmatch(rb"[0-7]+", digits) else 1 << 60
        at += 512 + -(-size // 512) * 512
    return "tar", _PACKAGE


def compressed(_name: str, head: bytes, _tail: bytes) -> Finding | None:
    """Return what a compressed file is, by what is inside; None where it is not one.

    joblib and pandas read pickles through every one of these codecs.
    """
    if not head.startswith(_COMPRESSED):
        return None
    for magic, word, inflate in _CODECS:
        if not head.startswith(magic):
            continue
        try:
            inside = inflate(head)
        except (zlib.error, OSError, ValueError, lzma.LZMAError, zstandard.ZstdError):
            continue
        if inside[257:262] == b"ustar":
            return word, _tar(inside)[1]
        if not inside or sniff_pickle.is_pickle(inside, whole=False):
            return word, _PICKLE
        return word, ContentClass.DATA
    return None


def _zlib(window: int) -> Callable[[bytes], bytes]:
    return lambda head: zlib.decompressobj(window).decompress(head, _INFLATED)


def _bz2(head: bytes) -> bytes:
    return bz2.BZ2Decompressor().decompress(head, _INFLATED)


def _lzma(head: bytes) -> bytes:
    return lzma.LZMADecompressor(memlimit=256 << 20).decompress(head, _INFLATED)


def _zstd(head: bytes) -> bytes:
    decoder = zstandard.ZstdDecompressor(max_window_size=128 << 20)
    with decoder.stream_reader(head) as reader:
        return reader.read(_INFLATED)


_CODECS: Final[tuple[tuple[bytes, str, Callable[[bytes], bytes]], ...]] = (
    (b"\x1f\x8b", "gzip", _zlib(31)),
    (b"BZh", "bzip2", _bz2),
    (b"\xfd7zXZ\x00", "xz", _lzma),
    (b"]\x00\x00", "lzma", _lzma),
    (b"\x28\xb5\x2f\xfd", "zstd", _zstd),
    (b"\x04\x22\x4d\x18", "lz4", lambda _head: b""),  # not looked into: rule 3
    (b"x\x01", "zlib", _zlib(15)),
    (b"x\x5e", "zlib", _zlib(15)),
    (b"x\x9c", "zlib", _zlib(15)),
    (b"x\xda", "zlib", _zlib(15)),
)
_COMPRESSED: Final = tuple(magic for magic, _, _ in _CODECS)
