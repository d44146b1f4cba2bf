"""Writes small GGUF files, good and bad, byte by byte."""

import struct
from collections.abc import Iterable
from dataclasses import dataclass, field

U8, I32, U32, F32, BOOL, STRING, ARRAY, U64 = 0, 5, 4, 6, 7, 8, 9, 10


def text(value: str | bytes) -> bytes:
    """Return a string as GGUF spells it."""
    raw = value.encode() if isinstance(value, str) else value
    return struct.pack("<Q", len(raw)) + raw


def key(name: str | bytes, kind: int, value: bytes) -> bytes:
    """Return one key with its value already in bytes."""
    return text(name) + struct.pack("<I", kind) + value


def number(name: str, value: int) -> bytes:
    """Return a key with a 32-bit number."""
    return key(name, U32, struct.pack("<I", value))


def string(name: str, value: str) -> bytes:
    """Return a key with a string."""
    return key(name, STRING, text(value))


def array(name: str, kind: int, elements: Iterable[bytes]) -> bytes:
    """Return a key with an array of elements already in bytes."""
    listed = list(elements)
    head = struct.pack("<IQ", kind, len(listed))
    return key(name, ARRAY, head + b"".join(listed))


def tensor(
    name: str | bytes, shape: Iterable[int], kind: int = 0, offset: int = 0
) -> bytes:
    """Return one entry of the tensor list."""
    lengths = list(shape)
    head = struct.pack(f"<I{len(lengths)}Q", len(lengths), *lengths)
    return text(name) + head + struct.pack("<IQ", kind, offset)


@dataclass
class Gguf:
    """A GGUF file in parts; any of them may be wrong."""

    keys: list[bytes] = field(default_factory=list)
    tensors: list[bytes] = field(default_factory=list)
    version: int = 3
    magic: bytes = b"GGUF"
    key_count: int | None = None
    tensor_count: int | None = None

    def header(self) -> bytes:
        """Return everything before the padding."""
        tensors = len(self.tensors) if self.tensor_count is None else self.tensor_count
        keys = len(self.keys) if self.key_count is None else self.key_count
        counts = struct.pack("<IQQ", self.version, tensors, keys)
        return self.magic + counts + b"".join(self.keys) + b"".join(self.tensors)

    def whole(self, data: bytes) -> bytes:
        """Return the file with *data* as its tensors' bytes."""
        header = self.header()
        return header + bytes(-len(header) % 32) + data


def model(
    weights: int, *, layers: int = 2, kv_heads: int = 4, vocabulary: int = 2000
) -> bytes:
    """Return a small llama of *weights* bytes of 8-bit weights."""
    keys = [
        string("general.architecture", "llama"),
        number("llama.block_count", layers),
        number("llama.embedding_length", 512),
        number("llama.attention.head_count", 8),
        number("llama.attention.head_count_kv", kv_heads),
        array(
            "tokenizer.ggml.tokens", STRING, [text(f"t{n}") for n in range(vocabulary)]
        ),
    ]
    file = Gguf(keys=keys, tensors=[tensor("blk.0.w", [weights], kind=24)])
    pattern = bytes(range(251))
    return file.whole((pattern * (weights // 251 + 1))[:weights])
