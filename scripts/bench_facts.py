"""What it costs to look into the files of models, the first time and every time after.

    python scripts/bench_facts.py [--quick] [--folder DIR] [--write] [--json FILE]

25 models cross a gap and are asked about (`airlift audit models`): the first time every
file is looked into, the second time nothing is but the registry. Each model has sharded
safetensors, a GGUF file with a vocabulary of 150,000 tokens, settings, a tokenizer of 5 MB
and a chat template; one in five also has weights as torch pickles them. The peers see the
same files: `picklescan` looks into the pickles alone, `sha256sum` reads every byte. Ratios
are the peer's seconds divided by airlift's first look.
"""

import argparse
import io
import json
import random
import sqlite3
import struct
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from report import Row, machine, options, report
from runs import Cost, measure, median, ratio, shell

MODELS, QUICK_MODELS = 25, 2
VOCABULARY = 150_000
TENSORS = 290
SHARDS = 2
PASSPHRASE = "bench only"
TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n'"
    " + message['content'] | trim + '<|im_end|>' }}{% endfor %}"
)


def safetensors(seed: int) -> bytes:
    """Return a safetensors file of many small tensors."""
    header = {
        f"model.layers.{n}.self_attn.q_proj.weight": {
            "dtype": "BF16",
            "shape": [64, 8],
            "data_offsets": [n * 1024, (n + 1) * 1024],
        }
        for n in range(TENSORS)
    }
    head = json.dumps(header).encode()
    body = random.Random(seed).randbytes(TENSORS * 1024)
    return struct.pack("<Q", len(head)) + head + body


def text(value: str) -> bytes:
    """Return a string as GGUF spells it."""
    return struct.pack("<Q", len(value.encode())) + value.encode()


def gguf(seed: int) -> bytes:
    """Return a GGUF file with a large vocabulary and one tensor."""
    words = b"".join(text(f"token{n}") for n in range(VOCABULARY))
    keys = (
        text("general.architecture") + struct.pack("<I", 8) + text("llama"),
        text("tokenizer.chat_template") + struct.pack("<I", 8) + text(TEMPLATE),
        text("tokenizer.ggml.tokens") + struct.pack("<IIQ", 9, 8, VOCABULARY) + words,
    )
    tensor = text("blk.0.w") + struct.pack("<IQIQ", 1, 1 << 20, 24, 0)
    head = b"GGUF" + struct.pack("<IQQ", 3, 1, len(keys)) + b"".join(keys) + tensor
    return head + bytes(-len(head) % 32) + random.Random(seed).randbytes(1 << 20)


def pickled(seed: int) -> bytes:
    """Return a checkpoint as torch writes it: a state dict of small tensors."""

    def word(value: str) -> bytes:
        return b"X" + struct.pack("<I", len(value)) + value.encode()

    parts = [b"\x80\x02ccollections\nOrderedDict\n)R("]
    for n in range(TENSORS):
        storage = (
            b"("
            + word("storage")
            + b"ctorch\nFloatStorage\n"
            + word(str(n))
            + word("cpu")
        )
        shape = b"K\x00K\x04\x85K\x01\x85\x89ccollections\nOrderedDict\n)RtR"
        parts += [
            word(f"layer.{n}"),
            b"ctorch._utils\n_rebuild_tensor_v2\n(",
            storage + b"K\x04tQ" + shape,
        ]
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("archive/data.pkl", b"".join([*parts, b"u."]))
        archive.writestr("archive/byteorder", b"little")
        for n in range(TENSORS):
            archive.writestr(f"archive/data/{n}", random.Random(seed + n).randbytes(16))
        archive.writestr("archive/version", b"3\n")
    return out.getvalue()


def make(folder: Path, number: int) -> None:
    """Make model *number* in *folder*."""
    folder.mkdir(parents=True)
    words = {f"word{number}-{n}": n for n in range(VOCABULARY)}
    files = {
        "config.json": json.dumps({"model_type": "llama", "number": number}).encode(),
        "tokenizer.json": json.dumps({"model": {"vocab": words}}).encode(),
        "tokenizer_config.json": json.dumps(
            {"chat_template": TEMPLATE + str(number)}
        ).encode(),
        "README.md": b"# a model\n" * 100 + str(number).encode(),
        "model.Q8_0.gguf": gguf(number),
    }
    shards = [f"model-{n + 1:05d}-of-{SHARDS:05d}.safetensors" for n in range(SHARDS)]
    for n, name in enumerate(shards):
        files[name] = safetensors(number * SHARDS + n)
    index = {"weight_map": {f"{n}": name for n, name in enumerate(shards)}}
    files["model.safetensors.index.json"] = json.dumps(index).encode()
    if number % 5 == 0:
        files["pytorch_model.bin"] = pickled(number)
    for name, data in files.items():
        (folder / name).write_bytes(data)


class World:
    """Models on both sides of a gap.

    Args:
        folder: Everything is in it.
        count: How many models.
    """

    def __init__(self, folder: Path, count: int) -> None:
        self.folder, self.models = folder, folder / "models"
        self._phrase = folder / "phrase"
        self._phrase.write_text(PASSPHRASE)
        entries = ["manifest = 1"]
        for number in range(count):
            place = self.models / f"model-{number:02d}"
            make(place, number)
            entries.append(f'[[folder]]\nname = "bench/{place.name}"\npath = "{place}"')
        manifest = folder / "bench.toml"
        manifest.write_text("\n".join(entries) + "\n")
        key = ("--passphrase-file", str(self._phrase))
        init = ("trust", "init", "--site", "bench")
        root = str(folder / "connected" / "root.json")
        for command in (
            self._line("connected", *init, "--kdf", "low-memory", *key),
            self._line("isolated", *init, "--root", root, "--yes"),
            self._line(
                "connected",
                "export",
                str(manifest),
                "--to",
                str(folder / "medium"),
                *key,
            ),
            self._line("isolated", "import", str(folder / "medium"), "--yes"),
        ):
            subprocess.run(command, check=True, capture_output=True)

    def _line(self, side: str, *arguments: str) -> list[str]:
        home = ("--home", str(self.folder / side))
        return [sys.executable, "-m", "airlift", *arguments, *home]

    def ways(self) -> dict[str, Callable[[], Cost]]:
        """Return every row by what it is, in the order to run."""
        ask = self._line("isolated", "audit", "models", "--fail-on", "none", "--json")
        scan = shell(f"picklescan -p {self.models} || [ $? -le 1 ]")
        sums = shell(f"find {self.models} -type f -print0 | xargs -0 sha256sum")
        return {
            "audit models, first look": lambda: self._first(ask),
            "audit models, again": lambda: measure(ask, cwd=self.folder),
            "picklescan -p": lambda: measure(scan, cwd=self.folder),
            "sha256sum": lambda: measure(sums, cwd=self.folder),
        }

    def _first(self, ask: Sequence[str]) -> Cost:
        """Forget what was looked for, and look."""
        database = sqlite3.connect(self.folder / "isolated" / "registry.db")
        with database:
            database.execute("DELETE FROM blob_fact")
        database.close()
        return measure(ask, cwd=self.folder)

    @property
    def size(self) -> tuple[int, int]:
        """How many files there are, and bytes."""
        sizes = [one.stat().st_size for one in self.models.rglob("*") if one.is_file()]
        return len(sizes), sum(sizes)


def figures(world: World, rounds: int) -> Iterator[Row]:
    """Yield every measurement."""
    found: dict[str, list[Cost]] = {name: [] for name in world.ways()}
    for _ in range(rounds):
        for name, way in world.ways().items():
            found[name].append(way())
    own = found["audit models, first look"]
    for name, costs in found.items():
        one = median(costs)
        yield {
            "way": name,
            "wall": one.wall,
            "cpu": one.cpu,
            "rss": one.rss,
            "ratio": ratio(costs, own),
        }


def table(rows: Sequence[Row], world: World, rounds: int) -> str:
    """Return the table of *rows*, as Markdown."""
    files, size = world.size
    models = len(list(world.models.iterdir()))
    told = f"{models} models of {files} files, {size / 1e6:.0f} MB"
    lines = [
        f"{told}; medians of {rounds} rounds; {machine()}.",
        "",
        "| way | wall s | CPU s | peak MiB | to the first look |",
        "|---|--:|--:|--:|--:|",
    ]
    lines += [
        f"| {row['way']} | {row['wall']:.2f} | {row['cpu']:.2f}"
        f" | {int(row['rss'] or 0) >> 20} | {row['ratio']:.2f} |"
        for row in rows
    ]
    return "\n".join(lines)


def main() -> None:
    """Run every row and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    options(parser)
    parser.add_argument("--folder", type=Path, help="where to work; made and removed")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    rounds = 1 if given.quick else given.rounds
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        world = World(Path(folder), QUICK_MODELS if given.quick else MODELS)
        rows = list(figures(world, rounds))
        report("bench_facts", table(rows, world, rounds), rows, given)


if __name__ == "__main__":
    main()
