"""``airlift trust mark``: note on other storage how far this site has come."""

from contextlib import closing
from pathlib import Path

import click

from airlift import naming
from airlift.cli import config, output
from airlift.errors import RequestError
from airlift.registry.held import Event
from airlift.registry.home import Home
from airlift.registry.mark import Marker
from airlift.registry.registry import Registry


@click.command("mark")
@click.argument("file", required=False, type=click.Path(path_type=Path, dir_okay=False))
@click.option("--forget", is_flag=True, help="Keep no mark any more.")
@config.home_option
@config.json_option
def command(home: Path, file: Path | None, *, forget: bool, as_json: bool) -> None:
    """Keep the mark of this site in FILE, on another disk or host. Isolated side.

    After every change the mark says how far the site has come: its newest delivery,
    live set, line of the log and verified time. A copy of HOME that is put back, whole,
    is behind its mark and is neither imported into nor served. Without FILE it says
    where the mark lies.
    """
    if file and forget:
        problem = "--forget and a FILE cannot be meant together"
        raise RequestError(problem, hint="give one of them")
    marker = Marker(home)
    if forget:
        was = marker.place()
        marker.forget()
        _log(home, f"forgot {was}" if was else "there was none")
    elif file:
        _keep(home, marker, file.absolute())
    place = marker.place()
    if as_json:
        output.as_json({"mark": str(place) if place else None})
        return
    if place is None:
        output.line("this site has no mark")
        return
    output.line(f"mark: {naming.show(str(place))}")
    if file and place.parent.stat().st_dev == home.stat().st_dev:
        output.note("warning: it lies on the same file system as HOME")
        output.note("hint: a copy of the disk that is put back takes it along")


def _keep(home: Path, marker: Marker, place: Path) -> None:
    site = Home.open(home)
    with closing(site.database):
        marker.begin(place, site.reached())
    _log(home, f"kept in {place}")


def _log(home: Path, what: str) -> None:
    with closing(Registry.open(home)) as registry:
        told = Event(
            time=config.now(),
            actor=config.actor(),
            action="mark",
            detail={"what": naming.show(what)},
        )
        registry.log(told)
