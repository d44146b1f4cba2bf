"""``airlift update``: what is new upstream, per site, before anything is built."""

from pathlib import Path

import click

from airlift.artifact import Pinned
from airlift.cli import chosen_site, config, output, telling_news, wanted
from airlift.cli.telling_news import Told
from airlift.digest import Sha256
from airlift.errors import NOTHING_NEW, IncompleteError
from airlift.format import lock
from airlift.outbound import updating
from airlift.outbound.ledger import Ledger
from airlift.outbound.updating import Office, Survey
from airlift.store.blobs import BlobStore
from airlift.store.durable import Disk
from airlift.trust.publisher import Publisher


@click.command("update")
@click.argument("manifest", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--site",
    "named",
    multiple=True,
    help="A site to compare with; give it again for more. Without it: every site.",
)
@click.option(
    "--write-lock",
    is_flag=True,
    help="Write what upstream has now as a lock, for `airlift export`.",
)
@click.option(
    "--output",
    "-o",
    "target",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Where to write the lock; by default MANIFEST with the ending `.lock`.",
)
@config.home_option
@config.json_option
def command(
    *,
    home: Path,
    manifest: Path,
    named: tuple[str, ...],
    write_lock: bool,
    target: Path | None,
    as_json: bool,
) -> int:
    """Say what is new upstream of what MANIFEST follows, and what carrying it takes.

    Each entry is looked up and compared with what each site was last sent: files,
    tensors, chat templates, settings, licences. Of weights only headers are read;
    nothing is fetched, signed or built. An entry that upstream does not answer says so
    and keeps what the site has.

    Exit code 0: there is something to carry. 9: nothing new. 8: an entry could not be
    looked up or looked into, whatever the others say.
    """
    publisher = Publisher.open(home / "trust")
    sites = [chosen_site.choose(publisher, one) for one in named]
    wishes, manifest_sha256 = wanted.entries(manifest)
    office = Office(
        publisher=publisher,
        ledger=Ledger(home / "ledger"),
        store=BlobStore(home / "store"),
        pieces=home / "pieces",
        looks=home / "looks",
        sources=wanted.sources(),
        progress=output.progress(quiet=as_json),
    )
    answers = updating.ask(wishes, office)
    survey = Survey(answers, office)
    every = [one.name for one in publisher.sites()]
    news = tuple(survey.of(site) for site in sites or every)
    path = None
    if write_lock or target:
        path = target or manifest.with_suffix(".lock")
        pinned = tuple(one.pinned for one in answers if one.pinned)
        _write(path, pinned, manifest_sha256)
    told = Told(manifest=manifest, news=news, lock=path)
    telling_news.show(told, as_json=as_json)
    if not all(one.is_complete for one in news):
        return IncompleteError.exit_code
    return 0 if any(one.is_news for one in news) else NOTHING_NEW


def _write(path: Path, pinned: tuple[Pinned, ...], manifest_sha256: Sha256) -> None:
    text = lock.encode(pinned, manifest_sha256=manifest_sha256)
    Disk().write_file(path, text.encode(), mode=0o644)
