"""``airlift site show``: what is known of one site, and by what."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import click

from airlift import naming
from airlift.artifact import Json
from airlift.cli import chosen_site, config, output
from airlift.outbound import phases
from airlift.outbound.anchoring import Anchoring, anchoring
from airlift.outbound.expectation import Expectation
from airlift.outbound.ledger import Entry, Ledger
from airlift.outbound.phases import Phase
from airlift.outbound.standing import Standing
from airlift.trust.publisher import Publisher


@click.command("show")
@click.argument("site", required=False)
@config.home_option
@config.json_option
def command(home: Path, site: str | None, *, as_json: bool) -> None:
    """Show what was sent to SITE, what it confirmed, and what it should hold."""
    publisher = Publisher.open(home / "trust")
    ledger = Ledger(home / "ledger")
    chosen = chosen_site.choose(publisher, site)
    standing = ledger.standing(chosen)
    expectation = Expectation(ledger, publisher, standing, chosen)
    found = phases.phases(expectation.entries, standing)
    need = anchoring(expectation.entries, standing)
    if as_json:
        output.as_json(_as_json(expectation, found, standing, need))
        return
    output.line(phases.told(chosen, found, standing))
    if expectation.entries:
        output.table(
            [_row(one, found[one.sequence]) for one in expectation.entries],
            head=("DELIVERY", "STATE", "ISSUED", "KIND", "HANDED OVER"),
        )
    if code := expectation.code():
        output.line(f"state code it should print: {code}")
    if doubt := standing.doubt:
        output.line(f"in doubt since {doubt.time}: it said {doubt.code}")
    if need.why:
        output.line(f"an anchor is due: {need.why}")


def _row(entry: Entry, phase: Phase) -> tuple[str, ...]:
    last = entry.hand_overs[-1] if entry.hand_overs else None
    left = ""
    if last:
        left = f"{last.time} {last.by}" + (f", {last.medium}" if last.medium else "")
    kind = "anchor" if entry.anchor else _basis(entry)
    shown = naming.show(left)
    return (str(entry.sequence), phase.value, entry.record.issued, kind, shown)


def _basis(entry: Entry) -> str:
    built_on = sorted({one.sequence for one in entry.record.needs})
    return f"on {', '.join(map(str, built_on))}" if built_on else "whole"


def _as_json(
    expectation: Expectation,
    found: Mapping[int, Phase],
    standing: Standing,
    need: Anchoring,
) -> dict[str, Json]:
    last = standing.confirmed
    confirmed: dict[str, Json] | None = None
    if last:
        confirmed = {
            "sequence": last.state.sequence,
            "releases": last.state.releases,
            "lacking": last.state.lacking,
            "means": last.means.value,
            "time": last.time,
        }
    return {
        "site": expectation.site,
        "confirmed": confirmed,
        "doubt": standing.doubt.code if standing.doubt else None,
        "expected_code": expectation.code(),
        "anchor": {"sequence": need.sequence, "since": need.since, "due": need.why},
        "deliveries": [
            {
                "sequence": one.sequence,
                "state": found[one.sequence].value,
                "issued": one.record.issued,
                "written": one.written,
                "bytes": one.size,
                "anchor": one.anchor,
                "builds_on": tuple(
                    sorted({need.sequence for need in one.record.needs})
                ),
                "hand_overs": [asdict(left) for left in one.hand_overs],
            }
            for one in expectation.entries
        ],
    }
