"""``airlift bootstrap``: a first-install kit for an isolated host."""

import platform
import re
from pathlib import Path

import click

from airlift import naming
from airlift.artifact import Json, Kind
from airlift.cli import chosen_site, config, output, wanted
from airlift.errors import RequestError
from airlift.outbound import bootstrap, medium
from airlift.outbound.bootstrap import Kit, Order
from airlift.store.blobs import BlobStore
from airlift.trust import fingerprint
from airlift.trust.fingerprint import Fingerprint
from airlift.trust.publisher import Publisher

_PYTHON = re.compile(r"3\.\d{1,2}", re.ASCII)


@click.command("bootstrap")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--python",
    default=lambda: ".".join(platform.python_version_tuple()[:2]),
    show_default="the one that runs this",
    help="Minor version of the isolated host's Python, 3.11 say.",
)
@click.option(
    "--platform",
    "machine",
    default="x86_64-manylinux_2_28",
    show_default=True,
    help="The isolated host's machine, as uv's --python-platform names it.",
)
@click.option("--site", help="The site it is for; needed where there are several.")
@click.option(
    "--airlift-wheel",
    type=click.Path(path_type=Path, dir_okay=False),
    help="airlift's own wheel; by default packed from the airlift that runs.",
)
@config.home_option
@config.json_option
def command(
    home: Path,
    folder: Path,
    *,
    python: str,
    machine: str,
    site: str | None,
    airlift_wheel: Path | None,
    as_json: bool,
) -> None:
    """Write all that an isolated host needs to run airlift into the new FOLDER.

    airlift, every wheel below it, the newest root and a page of instructions, for
    Python, pip and sha256sum alone. Tell the numbers it prints to the people there
    by telephone or in person: they vouch for the kit, the kit does not.
    """
    if not _PYTHON.fullmatch(python):
        problem = f"`{naming.show(python)}` is no minor version of Python"
        raise RequestError(problem, hint="give it as in --python 3.11")
    publisher = _publisher(home)
    root = publisher.root_bytes()
    order = Order(
        folder=folder.absolute(),
        site=chosen_site.choose(publisher, site),
        python=python,
        platform=machine,
        root=root,
        airlift_wheel=airlift_wheel,
    )
    # Found out before 40 MB are fetched: a stick that is not mounted, or read-only.
    medium.prepare(order.folder.parent, {})
    kit = bootstrap.build_kit(
        order,
        wanted.sources()(Kind.WHEELS),
        BlobStore(home / "store"),
        progress=output.progress(quiet=as_json),
    )
    _show(kit, order, fingerprint.of_root(root), as_json=as_json)


def _publisher(home: Path) -> Publisher:
    if not (home / "trust").exists():
        problem = f"there is no root in {naming.show(str(home / 'trust'))} yet"
        raise RequestError(problem, hint="`airlift trust init --site NAME` makes one")
    return Publisher.open(home / "trust")


def _show(kit: Kit, order: Order, root: Fingerprint, *, as_json: bool) -> None:
    if as_json:
        shown: dict[str, Json] = {
            "folder": str(kit.folder),
            "site": order.site,
            "python": order.python,
            "platform": order.platform,
            "sums_sha256": kit.sums_sha256,
            "airlift_wheel": kit.airlift[0],
            "airlift_sha256": kit.airlift[1],
            "fingerprint": root.digest,
            "words": root.words,
            "wheels": list(kit.wheels),
            "bytes": kit.size,
        }
        output.as_json(shown)
        return
    output.line(
        f"wrote {kit.folder}: airlift and {len(kit.wheels) - 1} wheels below it, "
        f"{output.size(kit.size)}, for Python {order.python} on {order.platform}"
    )
    output.line(f"SHA-256 of SHA256SUMS  {kit.sums_sha256}")
    output.line(f"SHA-256 of {kit.airlift[0]}  {kit.airlift[1]}")
    output.line(f"root of {order.site}, SHA-256  {root.groups}")
    output.line(f"              in words  {root.words}")
    output.line("tell these numbers to the isolated side by another way than the kit")
    output.line(f"next: carry the folder over; {kit.folder / 'INSTALL.txt'} says how")
