"""Make the test vectors of docs/format.md, or check those that are there.

    python scripts/make_vectors.py --write | --check

Keys, times and contents are fixed and Ed25519 signatures have no chance in them, so
everything is made again byte for byte. ``--check`` does that, compares, and has airlift
read every vector. Once released, a vector never changes: new ones are added.
"""

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import zstandard

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from airlift.digest import sha256
from vectors.attested import attested, listings
from vectors.cases import (
    Case,
    RecordCase,
    changed,
    good,
    mistrusted,
    out_of_order,
    records,
    resigned,
)
from vectors.encrypted import encrypted
from vectors.pieces import pieced, pieced_heads
from vectors.running import (
    FOLDER,
    LAYOUT,
    airlift_reads,
    airlift_takes,
    vectors,
)

MADE_WITH = (1, 5, 7)
"""The zstd that coded the slabs; another one may code them otherwise."""

KINDS = ("deliveries", "records")


def write_delivery(case: Case, folder: Path) -> None:
    """Write a delivery as a vector below *folder*."""
    names = [f"{at}.tar" for at in range(1, len(case.volumes) + 1)]
    table: dict[str, Any] = {
        "format": LAYOUT,
        "expect": case.expect,
        "because": case.because,
        "site": case.site,
        "now": case.now,
        "after": list(case.after),
        "volumes": names,
    }
    if case.expect == "ok":
        table["files"] = {
            release: {path: sha256(data) for path, data in files.items()}
            for release, files in (case.files or {}).items()
        }
    if case.invalid is not None:
        table["invalid"] = list(case.invalid)
    if case.keys:
        table["keys"] = list(case.keys)
    home = folder / "deliveries" / case.name
    home.mkdir(parents=True)
    (home / "root.json").write_bytes(case.root)
    for name, data in zip(names, case.volumes, strict=True):
        (home / name).write_bytes(data)
    _write_json(home / "vector.json", table)


def write_record(case: RecordCase, folder: Path) -> None:
    """Write a record as a vector below *folder*."""
    home = folder / "records" / case.name
    home.mkdir(parents=True)
    (home / "record").write_bytes(case.data)
    table: dict[str, Any] = {
        "format": LAYOUT,
        "expect": case.expect,
        "because": case.because,
        "record": case.kind,
    }
    if case.raw is not None:
        table["raw"] = case.raw
    _write_json(home / "vector.json", table)


def _write_json(path: Path, table: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(table, indent=1, ensure_ascii=False) + "\n")


def make(folder: Path) -> None:
    """Make every vector in the empty *folder*."""
    with tempfile.TemporaryDirectory() as scratch:
        groups = (good, pieced, changed, resigned, mistrusted, out_of_order, attested)
        for group in (*groups, encrypted):
            for case in group(Path(scratch)):
                write_delivery(case, folder)
        listed = listings(Path(scratch))
        for record in (*records(Path(scratch)), *pieced_heads(), *listed):
            write_record(record, folder)


def files(folder: Path) -> dict[str, bytes]:
    """Return every file of the vectors in *folder*."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for kind in KINDS
        for path in (folder / kind).rglob("*")
        if path.is_file()
    }


def differences(made: Path) -> Iterator[str]:
    """Yield what is not the same in *made* and in the vectors that are there."""
    now, there = files(made), files(FOLDER)
    for name in sorted(now.keys() | there.keys()):
        if now.get(name) != there.get(name):
            yield f"{name} is not what is made now"


def refused(scratch: Path) -> Iterator[str]:
    """Yield every vector that airlift does not read as it says."""
    for one in vectors("deliveries"):
        outcome = airlift_takes(one, scratch / one.name)
        if replace(outcome, reason="") != one.expected:
            yield f"{one.name}: {outcome.word}: {outcome.reason}"
    for one in vectors("records"):
        if (outcome := airlift_reads(one)).word != one.expected.word:
            yield f"{one.name}: {outcome.word}: {outcome.reason}"


def main(arguments: Sequence[str]) -> None:
    """Write the vectors, or check them."""
    parser = argparse.ArgumentParser(description="make or check the test vectors")
    choice = parser.add_mutually_exclusive_group(required=True)
    choice.add_argument("--write", action="store_true")
    choice.add_argument("--check", action="store_true")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as scratch:
        made = Path(scratch) / "made"
        make(made)
        if options.write:
            for kind in KINDS:
                shutil.rmtree(FOLDER / kind, ignore_errors=True)
                shutil.copytree(made / kind, FOLDER / kind)
        problems = list(refused(Path(scratch)))
        if zstandard.ZSTD_VERSION == MADE_WITH:
            problems += differences(made)
    if problems:
        raise SystemExit("\n".join(problems))


if __name__ == "__main__":
    main(sys.argv[1:])
