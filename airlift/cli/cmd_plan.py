"""``airlift plan``: what an export would carry."""

from collections.abc import Mapping
from pathlib import Path

import click

from airlift import naming
from airlift.artifact import Json, Pinned
from airlift.cli import config, output, wanted
from airlift.cli.capacity import Capacity
from airlift.digest import Sha256
from airlift.format.volume import DEFAULT_CAPACITY
from airlift.store.blobs import BlobStore

_FRONT = 1 << 20
"""Bytes reckoned for labels, signed files and framing of a volume."""


@click.command("plan")
@click.argument("manifest", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--volume-size",
    "capacity",
    type=Capacity(),
    default=DEFAULT_CAPACITY,
    show_default="2047MiB",
    help="Largest volume, as for `export`.",
)
@click.option(
    "--download-rate",
    type=Capacity(),
    default=20_000_000,
    show_default="20MB",
    help="Bytes a second to reckon with from upstream.",
)
@click.option(
    "--medium-rate",
    type=Capacity(),
    default=80_000_000,
    show_default="80MB",
    help="Bytes a second to reckon with to the medium.",
)
@config.home_option
@config.json_option
def command(
    *,
    home: Path,
    manifest: Path,
    capacity: int,
    download_rate: int,
    medium_rate: int,
    as_json: bool,
) -> None:
    """Resolve MANIFEST (or read a lock) and show what would travel; nothing is fetched.

    Sizes are those of the files themselves: weights that shrink travel in less.
    """
    asked = wanted.read(manifest, wanted.sources(), output.progress(quiet=as_json))
    held = _held(home, asked.pinned)
    rows = [_row(one, held) for one in asked.pinned]
    total, fetch = (
        sum(row["bytes"] for row in rows),
        sum(row["to_fetch"] for row in rows),
    )
    volumes = max(1, -(-total // max(1, capacity - _FRONT)))
    seconds = fetch // max(1, download_rate) + 2 * total // max(1, medium_rate)
    if as_json:
        shown: list[Json] = [
            {
                "kind": one.kind.value,
                "name": one.name,
                "revision": one.revision,
                **row,
                "estimate": one.upstream.get("estimate"),
            }
            for row, one in zip(rows, asked.pinned, strict=True)
        ]
        output.as_json(
            {
                "artifacts": shown,
                "bytes": total,
                "to_fetch": fetch,
                "volumes": volumes,
                "volume_size": capacity,
                "seconds": seconds,
            }
        )
        return
    head = ("KIND", "NAME", "REVISION", "FILES", "SIZE", "TO FETCH")
    output.table(
        [_cells(one, row) for one, row in zip(asked.pinned, rows, strict=True)],
        head=head,
    )
    for one in asked.pinned:
        memory = one.upstream.get("memory")
        if isinstance(memory, Mapping):
            output.line(_memory(one, memory))
    output.line(
        f"total {output.size(total)}, of which {output.size(fetch)} to fetch; "
        f"at most {volumes} volume(s) of {output.size(capacity)}"
    )
    output.line(f"about {_duration(seconds)}: fetch, write, and read back once")
    if not asked.locked:
        output.line(
            f"to carry exactly this: `airlift lock {manifest}`, then export the lock"
        )


def _memory(one: Pinned, memory: Mapping[str, Json]) -> str:
    """Return the line that says what a model needs to run, and why it was chosen."""
    parts = ", ".join(
        f"{key} {output.size(value)}"
        for key in ("weights", "cache", "overhead", "projector")
        if isinstance(value := memory.get(key), int) and value
    )
    total = output.size(_number(memory.get("bytes")))
    quant = one.upstream.get("quantisation", "as named")
    context = memory.get("context")
    return f"{naming.show(one.name)}: {quant} needs about {total} ({parts}) at {context} tokens"


def _number(value: object) -> int:
    assert isinstance(value, int)
    return value


def _held(home: Path, pinned: tuple[Pinned, ...]) -> set[Sha256]:
    names = {file.sha256 for one in pinned for file in one.files if file.sha256}
    if not (home / "store").is_dir():
        return set()
    return names - BlobStore(home / "store").missing(names)


def _row(one: Pinned, held: set[Sha256]) -> dict[str, int]:
    size = sum(file.size or 0 for file in one.files)
    there = sum(file.size or 0 for file in one.files if file.sha256 in held)
    return {"files": len(one.files), "bytes": size, "to_fetch": size - there}


def _cells(one: Pinned, row: dict[str, int]) -> tuple[str, ...]:
    unknown = any(file.size is None for file in one.files)
    size = output.size(row["bytes"]) + ("+" if unknown else "")
    fetch = output.size(row["to_fetch"])
    return (one.kind, one.name, one.revision[:12], str(row["files"]), size, fetch)


def _duration(seconds: int) -> str:
    minutes, hours = seconds // 60, seconds // 3600
    if hours >= 2:
        return f"{hours} hours"
    return f"{minutes} minutes" if minutes >= 2 else f"{max(1, seconds)} seconds"
