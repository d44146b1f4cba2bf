"""``airlift plan``: what an export would carry."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import click

from airlift import naming
from airlift.artifact import Json, Pinned
from airlift.cli import basis, chosen_site, config, output, wanted
from airlift.cli.capacity import Capacity
from airlift.digest import Sha256
from airlift.errors import RequestError
from airlift.format.volume import DEFAULT_CAPACITY
from airlift.outbound import bases, placing
from airlift.outbound.forecast import Forecast, forecast
from airlift.outbound.ledger import Ledger
from airlift.progress import Progress
from airlift.store.blobs import BlobStore
from airlift.trust.publisher import Publisher

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
    "--medium-size",
    type=Capacity(),
    help="Bytes that a medium takes: say how many of them are needed.",
)
@click.option("--site", help="The site to build on; needed where there are several.")
@basis.option
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
    medium_size: int | None,
    site: str | None,
    build_on: str,
    download_rate: int,
    medium_rate: int,
    as_json: bool,
) -> None:
    """Resolve MANIFEST (or read a lock) and show what would travel; nothing is fetched.

    Sizes are those of the files themselves: weights that shrink travel in less. With
    --build-on it says what stays at the site and what changes would come to; of files
    that were not fetched yet that cannot be known.
    """
    progress = output.progress(quiet=as_json)
    asked = wanted.read(manifest, wanted.sources(), progress)
    held = _held(home, asked.pinned)
    rows = [_row(one, held) for one in asked.pinned]
    savings = _savings(home, asked.pinned, site, build_on, progress)
    total = sum(row["bytes"] for row in rows)
    carry = sum(one.carried for one in savings) if savings else total
    fetch = sum(row["to_fetch"] for row in rows)
    volumes = max(1, -(-carry // max(1, capacity - _FRONT)))
    outlook = {
        "bytes": total,
        "to_fetch": fetch,
        "to_carry": carry,
        "volumes": volumes,
        "volume_size": capacity,
        **_media(carry, volumes, capacity, medium_size),
        "seconds": fetch // max(1, download_rate) + 2 * carry // max(1, medium_rate),
    }
    if as_json:
        _as_json(asked.pinned, rows, savings, outlook)
        return
    _show(asked.pinned, rows, savings, outlook)
    if not asked.locked:
        output.line(
            f"to carry exactly this: `airlift lock {manifest}`, then export the lock"
        )


def _media(
    carry: int, volumes: int, capacity: int, medium_size: int | None
) -> dict[str, int]:
    """Return how many media of a size take the volumes; nothing where none is given.

    Raises:
        RequestError: Not one volume fits such a medium.
    """
    if medium_size is None:
        return {}
    last = min(capacity, carry - (volumes - 1) * (capacity - _FRONT) + _FRONT)
    needed = placing.count([capacity] * (volumes - 1) + [last], medium_size)
    if not needed:
        problem = f"a volume of {capacity} bytes does not fit a medium of {medium_size}"
        raise RequestError(problem, hint="choose a smaller --volume-size")
    return {"media": needed, "medium_size": medium_size}


def _as_json(
    pinned: Sequence[Pinned],
    rows: Sequence[Mapping[str, int]],
    savings: Sequence[Forecast],
    outlook: Mapping[str, int],
) -> None:
    told: list[Json] = [asdict(one) for one in savings] or [None] * len(rows)
    shown: list[Json] = [
        {
            "kind": one.kind.value,
            "name": one.name,
            "revision": one.revision,
            **row,
            "estimate": one.upstream.get("estimate"),
            "build_on": saving,
        }
        for row, one, saving in zip(rows, pinned, told, strict=True)
    ]
    output.as_json({"artifacts": shown, **outlook})


def _show(
    pinned: Sequence[Pinned],
    rows: Sequence[dict[str, int]],
    savings: Sequence[Forecast],
    outlook: Mapping[str, int],
) -> None:
    head = ("KIND", "NAME", "REVISION", "FILES", "SIZE", "TO FETCH")
    output.table(
        [_cells(one, row) for one, row in zip(pinned, rows, strict=True)], head=head
    )
    for one in pinned:
        memory = one.upstream.get("memory")
        if isinstance(memory, Mapping):
            output.line(_memory(one, memory))
    for one, saving in zip(pinned, savings, strict=False):
        output.line(f"{naming.show(one.name)}: {_told(saving)}")
    total, carry = output.size(outlook["bytes"]), output.size(outlook["to_carry"])
    output.line(
        f"total {total}, of which {output.size(outlook['to_fetch'])} to fetch; "
        f"at most {outlook['volumes']} volume(s) of "
        f"{output.size(outlook['volume_size'])}"
    )
    if savings:
        output.line(f"to carry: at most {carry} of {total}")
    if "media" in outlook:
        size = output.size(outlook["medium_size"])
        output.line(f"at most {outlook['media']} media of {size}")
    duration = _duration(outlook["seconds"])
    output.line(f"about {duration}: fetch, write, and read back once")


def _savings(
    home: Path,
    pinned: tuple[Pinned, ...],
    site: str | None,
    build_on: str,
    progress: Progress,
) -> tuple[Forecast, ...]:
    """Return what would travel of each artifact; nothing where nothing is built on."""
    if build_on == bases.NONE:
        return ()
    publisher = Publisher.open(home / "trust")
    chosen = chosen_site.choose(publisher, site)
    held = bases.holdings(build_on, Ledger(home / "ledger"), publisher, chosen)
    store = BlobStore(home / "store")
    return forecast(pinned, held, store, home / "pieces", progress)


def _told(saving: Forecast) -> str:
    """Say what of an artifact travels, and where a change does not pay."""
    parts = []
    if saving.stays:
        parts.append(f"{output.size(saving.stays)} need not travel")
    if saving.changed:
        share = max(1, 100 * saving.change // saving.changed)
        parts.append(
            f"{output.size(saving.changed)} travel as {output.size(saving.change)} of"
            f" changes ({share} %)"
        )
    if saving.whole:
        parts.append(f"{output.size(saving.whole)} travel whole, as no change pays")
    if saving.unknown:
        parts.append(f"{output.size(saving.unknown)} unknown until fetched")
    return "; ".join(parts) or "nothing to carry"


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
