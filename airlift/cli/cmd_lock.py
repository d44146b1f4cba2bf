"""``airlift lock``: pin a manifest to exact revisions and digests."""

from pathlib import Path

import click

from airlift.cli import config, output, wanted
from airlift.format import lock
from airlift.store.durable import Disk


@click.command("lock")
@click.argument("manifest", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--output",
    "-o",
    "target",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Where to write the lock; by default MANIFEST with the ending `.lock`.",
)
@config.json_option
def command(manifest: Path, target: Path | None, *, as_json: bool) -> None:
    """Resolve MANIFEST upstream and write the exact revisions, digests and sizes.

    An export from the lock carries these and nothing else, and is reproducible: the
    same lock gives the same release documents and the same coded parts.
    """
    progress = output.progress(quiet=as_json)
    found = wanted.read(manifest, wanted.sources(), progress)
    text = lock.encode(found.pinned, manifest_sha256=found.manifest_sha256)
    path = target or manifest.with_suffix(".lock")
    Disk().write_file(path, text.encode(), mode=0o644)
    size = sum(file.size or 0 for one in found.pinned for file in one.files)
    if as_json:
        output.as_json(
            {"lock": str(path), "artifacts": len(found.pinned), "bytes": size}
        )
        return
    for one in found.pinned:
        output.line(
            f"{one.kind}  {one.name}  {one.revision[:12]}  {len(one.files)} files"
        )
    output.line(f"wrote {path}: {len(found.pinned)} artifacts, {output.size(size)}")
