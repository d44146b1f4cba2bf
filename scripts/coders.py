"""One coder in a process of its own: what a bench of coders times, and nothing else.

    PYTHON coders.py CODER

reads lines of JSON from standard input, ``{"path": …, "slabs": …, "width": …,
"threads": …}``, and answers each with a line: stored bytes, and the seconds and CPU
seconds of encoding and of decoding. With 0 slabs it codes all of the file and takes no
times. Bytes that do not come back end it. It imports the
coder and the standard library only, so that it runs in the environment of any peer.
"""

import importlib
import json
import mmap
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

SLAB = 4 << 20
"""Bytes that a coder gets at a time."""

PIECES = {"ZipNN, 16 MiB": 4 * SLAB, "ZipNN, whole": 1 << 40}
"""Bytes that ZipNN gets at a time. Its own tool gives it all there is; in pieces its
threads have enough to share, and the memory of the last piece is used again."""

DTYPES = {1: "float8_e4m3fn", 2: "bfloat16", 4: "float32"}
"""What ZipNN calls elements of so many bytes; float16 differs from bfloat16 in name."""

Slabs = Sequence[memoryview]


@dataclass(frozen=True, slots=True, kw_only=True)
class Coder:
    """A coder.

    Attributes:
        encode: Gives the stored bytes of a slab.
        decode: Gives, or writes to where it always does, the bytes of stored ones.
        size: Bytes a call is given at most.
        parallel: Whether calls may run side by side; others have threads of their own.
    """

    encode: Callable[[memoryview], Any]
    decode: Callable[[Any, int], Any]
    size: int = SLAB
    parallel: bool = True


def airlift(task: Mapping[str, Any]) -> Coder:
    """Return airlift's way for the file of *task*: blocks, or as it is."""
    from threading import local  # noqa: PLC0415

    from airlift.format import block  # noqa: PLC0415

    data = _whole(task["path"])
    samples = [data[i:j] for i, j in block.probe_offsets(len(data), _lead(data))]
    if not block.shrinks(block.plan(samples)):
        return memory(task)
    room = local()

    def decode(stored: bytes, size: int) -> memoryview:
        if not hasattr(room, "out"):
            room.out = memoryview(bytearray(SLAB))
        out: memoryview = room.out[:size]
        block.decode_slab_into(memoryview(stored), out)
        return out

    return Coder(encode=block.encode_slab, decode=decode)


def memory(_: Mapping[str, Any]) -> Coder:
    """Return the coder that copies."""
    return Coder(encode=bytes, decode=lambda stored, _: bytearray(stored))


def zipnn(size: int) -> Callable[[Mapping[str, Any]], Coder]:
    """Return a maker of ZipNN, told what the numbers are, given *size* bytes."""

    def make(task: Mapping[str, Any]) -> Coder:
        module = importlib.import_module("zipnn")
        dtype = "float16" if "fp16" in task["path"] else DTYPES[task["width"]]
        own = module.ZipNN(bytearray_dtype=dtype, threads=task["threads"])
        # It works in its caller's memory and leaves that changed: it gets a copy.
        return Coder(
            encode=lambda raw: own.compress(bytearray(raw)),
            decode=lambda stored, _: own.decompress(stored),
            size=size,
            parallel=False,
        )

    return make


def zstd(level: int) -> Callable[[Mapping[str, Any]], Coder]:
    """Return a maker of zstd at *level*, a frame for each slab, a context a thread."""

    def make(_: Mapping[str, Any]) -> Coder:
        from threading import local  # noqa: PLC0415

        module = importlib.import_module("zstandard")
        held = local()

        def encode(raw: memoryview) -> Any:
            if not hasattr(held, "writer"):
                held.writer = module.ZstdCompressor(level=level)
            return held.writer.compress(raw)

        def decode(stored: bytes, _: int) -> Any:
            if not hasattr(held, "reader"):
                held.reader = module.ZstdDecompressor()
            return held.reader.decompress(stored)

        return Coder(encode=encode, decode=decode)

    return make


def lz4(_: Mapping[str, Any]) -> Coder:
    """Return LZ4, a block for each slab."""
    module = importlib.import_module("lz4.block")
    return Coder(
        encode=module.compress, decode=lambda stored, _: module.decompress(stored)
    )


def blosc2(task: Mapping[str, Any]) -> Coder:
    """Return Blosc2: bytes shuffled by the width of an element, then zstd -1."""
    module = importlib.import_module("blosc2")
    module.set_nthreads(task["threads"])
    wanted = {
        "codec": module.Codec.ZSTD,
        "clevel": 1,
        "typesize": task["width"],
        "filter": module.Filter.SHUFFLE,
    }
    return Coder(
        encode=lambda raw: module.compress(raw, **wanted),
        decode=lambda stored, _: module.decompress(stored),
        parallel=False,
    )


CODERS: Mapping[str, Callable[[Mapping[str, Any]], Coder]] = {
    "airlift": airlift,
    **{name: zipnn(size) for name, size in PIECES.items()},
    "zstd -3": zstd(3),
    "zstd -19": zstd(19),
    "LZ4": lz4,
    "Blosc2": blosc2,
    "memory copy": memory,
}
"""Every coder by the name of its rows."""


@lru_cache(1)
def _whole(path: str) -> memoryview:
    with Path(path).open("rb") as file:
        return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))


def _lead(data: memoryview) -> int:
    """Return where the numbers of a safetensors file come to lie at multiples of 8."""
    header = int.from_bytes(data[:8], "little")
    return header % 8 if header < len(data) else 0


def cut(path: str, count: int, size: int) -> list[memoryview]:
    """Return *count* slabs spread over a file, or with 0 all of it, *size* at a time."""
    data = _whole(path)
    lead = _lead(data)
    starts = list(range(lead, len(data), SLAB))
    if not count:
        whole = [data[at : at + size] for at in range(lead, len(data), size)]
        return [data[:lead], *whole] if lead else whole
    step = max(1, (len(starts) - 1) // count)
    # From the middle of each stretch: the head of a GGUF file is a vocabulary.
    chosen = starts[step // 2 : -1 : step][:count]
    joined = b"".join(data[at : at + SLAB] for at in chosen)
    return [memoryview(joined)[at : at + size] for at in range(0, len(joined), size)]


def measure(name: str, task: Mapping[str, Any]) -> dict[str, float]:
    """Run the coder *name* over what *task* says; return what it took."""
    coder = CODERS[name](task)
    slabs = cut(task["path"], task["slabs"], coder.size)
    timed = bool(task["slabs"])
    threads = task["threads"] if coder.parallel else 1
    with ThreadPoolExecutor(threads) as pool:
        run = pool.map if threads > 1 else map
        # Made once before the clock runs; what is timed keeps nothing, as a writer and
        # a reader keep nothing, or the system's first touch of memory would be timed.
        stored = list(run(coder.encode, slabs))
        sizes = [len(slab) for slab in slabs]
        list(run(_dropped(coder.decode), stored, sizes))
        wall, cpu = time.perf_counter(), time.process_time()
        if timed:
            list(run(_dropped(coder.encode), slabs))
        middle = time.perf_counter(), time.process_time()
        if timed:
            list(run(_dropped(coder.decode), stored, sizes))
        end = time.perf_counter(), time.process_time()
    for slab, one in zip(slabs, stored, strict=True):
        if bytes(coder.decode(one, len(slab))) != bytes(slab):
            raise SystemExit(f"{name} gives other bytes of {task['path']}")
    return {
        "raw": sum(sizes),
        "stored": sum(len(one) for one in stored),
        "encode_s": middle[0] - wall,
        "encode_cpu_s": middle[1] - cpu,
        "decode_s": end[0] - middle[0],
        "decode_cpu_s": end[1] - middle[1],
    }


def _dropped(step: Callable[..., Any]) -> Callable[..., None]:
    """Return *step* without its result."""

    def run(*given: Any) -> None:
        step(*given)

    return run


def main() -> None:
    """Answer tasks until there are no more."""
    for line in sys.stdin:
        print(json.dumps(measure(sys.argv[1], json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
