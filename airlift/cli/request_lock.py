"""``airlift request lock``: what a request asks for, as a lock that people can approve."""

from pathlib import Path

import click

from airlift.cli import config, output
from airlift.format import lock
from airlift.store.durable import Disk

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command("lock")
@click.argument("file", type=_FILE)
@click.option("--to", "target", type=_FILE, required=True, help="Where to write it.")
@click.option(
    "--refuse", "refused", multiple=True, metavar="LINE=WHY", help="As for `export`."
)
@config.home_option
def command(home: Path, file: Path, target: Path, refused: tuple[str, ...]) -> None:
    """Connected side: write a lock of what the request in FILE asks for.

    Where approvals are needed, have it approved (`airlift approve`), then carry it with
    `airlift export LOCK --for FILE` and the same --refuse.
    """
    # Not on the isolated side: it has neither these modules' libraries nor any use.
    from airlift.cli import for_request, wanted  # noqa: PLC0415 - see above

    read = for_request.Refusal()
    refusals = [read.convert(one, None, None) for one in refused]
    asking = for_request.asking(home, file, refusals)
    assert asking is not None
    goods = asking.goods(wanted.sources())
    text = lock.encode(goods.pinned, manifest_sha256=asking.asked.signed.id)
    Disk().write_file(target, text.encode(), mode=0o644)
    for one in goods.pinned:
        output.line(
            f"{one.kind}  {one.name}  {one.revision[:12]}  {len(one.files)} files"
        )
    output.line(f"wrote {target}: {len(goods.pinned)} artifacts")
