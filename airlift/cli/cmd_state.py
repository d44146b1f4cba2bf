"""``airlift state``: what this site holds, as a code to read out, and what is behind it."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import click

from airlift import naming
from airlift.artifact import Json
from airlift.cli import config, output, receipts
from airlift.digest import Sha256, sha256
from airlift.format import canonical, receipt, state
from airlift.format.receipt import Refusal
from airlift.registry.account import Account
from airlift.registry.registry import Registry

_LIVE = "airlift/live/1"


@click.command("state")
@click.argument("what", required=False, type=click.Choice(["explain"]))
@config.home_option
@config.json_option
def command(home: Path, what: str | None, *, as_json: bool) -> None:
    """Print the code of what this site holds: the sender expects the same.

    Twelve characters, to be read out or compared with those on the slip. A second code
    is of what is live, for two hosts of one site. `airlift state explain` says what is
    behind the code, release by release, and what may make it differ.
    """
    with contextlib.closing(Registry.open(home, readonly=True)) as registry:
        clerk = receipts.clerk(home, registry)
        found, incomplete = clerk.account(), clerk.incomplete()
        refused = clerk.refused(0)
    if as_json:
        output.as_json(_as_json(found, refused, incomplete))
        return
    if not what:
        site, sequence = found.state.site, found.state.sequence
        code = state.code(state.root(found.state))
        output.line(f"{code}  state of {site}: delivery {sequence}")
        output.line(f"{_live_code(found)}  live set {found.generation}")
        return
    for line in _lines(found):
        output.line(line)
    for one in refused:
        output.line(f"refused here: delivery {one.sequence}, by its {one.reason.value}")
    if incomplete:
        output.line(f"volumes of {len(incomplete)} deliveries have yet to come")


def _lines(found: Account) -> Iterator[str]:
    held = found.state
    yield f"state code {state.code(state.root(held))} of {held.site}"
    yield f"root {state.root(held)}"
    yield f"newest delivery taken: {held.sequence or 'none'}"
    for gap in receipt.gaps(found.taken):
        several = (
            f"{gap.first} to {gap.last}" if gap.last > gap.first else f"{gap.first}"
        )
        yield f"never came: delivery {several}"
    for one in found.releases:
        release = one.held.release
        name = naming.show(release.name)
        yield (
            f"{release.kind} {name}: release {release.counter}"
            f" ({naming.show(release.revision[:12])}), by delivery {one.sequence},"
            f" {one.held.state}"
        )
    for blob in held.lacking:
        yield f"lost: blob {blob}; import the delivery that brought it again"
    if found.older:
        yield f"not in the code: {found.older} older release(s), which others replaced"
    yield (
        "releases that were removed and collected here are not in it either: then the"
        " sender's code differs, and its next anchor puts that right"
    )


def _live_code(found: Account) -> str:
    live: dict[str, Json] = {
        "format": _LIVE,
        "site": found.state.site,
        "releases": found.live,
    }
    return state.code(sha256(canonical.encode(live)))


def _as_json(
    found: Account, refused: tuple[Refusal, ...], incomplete: tuple[Sha256, ...]
) -> Json:
    held = found.state
    return {
        "site": held.site,
        "sequence": held.sequence,
        "code": state.code(state.root(held)),
        "root": state.root(held),
        "live_code": _live_code(found),
        "generation": found.generation,
        "missed": [
            {"first": gap.first, "last": gap.last} for gap in receipt.gaps(found.taken)
        ],
        "releases": [
            {
                "id": one.held.id,
                "kind": one.held.release.kind.value,
                "name": one.held.release.name,
                "revision": one.held.release.revision,
                "counter": one.held.release.counter,
                "delivery": one.sequence,
                "state": one.held.state.value,
            }
            for one in found.releases
        ],
        "lacking": held.lacking,
        "older": found.older,
        "waiting": found.waiting,
        "incomplete": incomplete,
        "refused": [
            {"sequence": one.sequence, "reason": one.reason.value} for one in refused
        ],
    }
