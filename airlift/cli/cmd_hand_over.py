"""``airlift hand-over``: note who took a delivery away, and on what."""

from dataclasses import asdict, replace
from pathlib import Path

import click

from airlift import naming
from airlift.cli import chosen_site, config, output
from airlift.errors import RequestError
from airlift.outbound import phases
from airlift.outbound.ledger import Entry, HandOver, Ledger
from airlift.trust.publisher import Publisher

_LONGEST = 200
"""Characters of a name, a label or a note."""


@click.command("hand-over")
@click.argument("site")
@click.argument("sequence", type=click.IntRange(min=1))
@click.option("--by", "courier", required=True, help="Who takes it, or took it there.")
@click.option("--medium", default="", help="What is written on it: label, serial.")
@click.option("--note", default="", help="Whatever else is to be known.")
@click.option(
    "--arrived", is_flag=True, help="It was given to somebody at the site: presumed."
)
@config.home_option
@config.json_option
def command(
    *,
    home: Path,
    site: str,
    sequence: int,
    courier: str,
    medium: str,
    note: str,
    arrived: bool,
    as_json: bool,
) -> None:
    """Note that delivery SEQUENCE to SITE left, with whom and on which medium.

    Once for each medium. It is presumed to have arrived when you say so with --arrived,
    or when a later one was handed over; only the site itself confirms it.
    """
    for what, text in (("--by", courier), ("--medium", medium), ("--note", note)):
        _check(what, text)
    publisher = Publisher.open(home / "trust")
    ledger = Ledger(home / "ledger")
    chosen = chosen_site.choose(publisher, site)
    entry = ledger.read(chosen, sequence)
    if entry is None or not entry.written:
        written = ", ".join(map(str, ledger.written(chosen)[:10])) or "none"
        problem = f"delivery {sequence} to {chosen} was never written"
        raise RequestError(problem, hint=f"written for it: {written}")
    made = HandOver(
        time=config.now(), by=courier, medium=medium, note=note, arrived=arrived
    )
    ledger.write(replace(entry, hand_overs=(*entry.hand_overs, made)))
    _show(ledger, chosen, entry, made, as_json=as_json)


def _check(what: str, text: str) -> None:
    if text != naming.show(text) or len(text) > _LONGEST:
        problem = (
            f"{what} has more than {_LONGEST} characters, or some that do not show"
        )
        raise RequestError(problem, hint="one short line")


def _show(
    ledger: Ledger, site: str, entry: Entry, made: HandOver, *, as_json: bool
) -> None:
    standing = ledger.standing(site)
    found = phases.phases(ledger.entries(site), standing)
    if as_json:
        output.as_json(
            {
                "site": site,
                "sequence": entry.sequence,
                **asdict(made),
                "state": found[entry.sequence].value,
            }
        )
        return
    done = "arrived with" if made.arrived else "left with"
    medium = f" on {made.medium}" if made.medium else ""
    output.line(f"delivery {entry.sequence} to {site} {done} {made.by}{medium}")
    output.line(phases.told(site, found, standing))
