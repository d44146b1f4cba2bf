"""``airlift doctor``: check this host."""

from collections.abc import Iterator
from pathlib import Path

import click

from airlift.artifact import Json
from airlift.cli import config, health, health_site, output
from airlift.cli.duration import Duration
from airlift.cli.health import Finding, Verdict
from airlift.errors import RequestError
from airlift.registry.engine import FILE

_DAY_S = 86_400


@click.command("doctor")
@click.option(
    "--fresh-within",
    type=Duration(),
    metavar="TIME",
    help="Isolated side: a problem if nothing newer was signed for so long, as 30d.",
)
@config.home_option
@config.json_option
def command(home: Path, *, fresh_within: int | None, as_json: bool) -> int:
    """Check this host, one line a check: ok, warning or problem.

    Both sides: home, disk, rights, versions. Isolated side: database, clock, expiries,
    deliveries, store against records. Connected side: keys, expiries, pending
    signatures, unfinished deliveries, tools. Changes nothing. A problem ends it with
    the exit code of its kind; warnings do not.
    """
    days = None if fresh_within is None else fresh_within // _DAY_S
    found = list(_examine(home, config.now(), days))
    problems = [one for one in found if one.verdict is Verdict.PROBLEM]
    if as_json:
        checks: list[Json] = [
            {
                "check": one.check,
                "verdict": one.verdict.value,
                "text": one.text,
                "hint": one.hint,
            }
            for one in found
        ]
        output.as_json({"checks": checks, "problems": len(problems)})
        return problems[0].branch.exit_code if problems else 0
    for one in found:
        output.line(f"{one.verdict.value:<8} {one.check:<11} {one.text}")
        if one.hint and one.verdict is not Verdict.OK:
            output.line(f"{'':<20} -> {one.hint}")
    if problems:
        text = f"{len(problems)} problem(s) found: see above"
        raise problems[0].branch(text, hint=problems[0].hint)
    return 0


def _examine(home: Path, now: str, fresh_days: int | None) -> Iterator[Finding]:
    yield from health.host(home)
    isolated = (home / FILE).exists() or (home / "records").exists()
    connected = (home / "trust").exists()
    if isolated:
        yield from health_site.site(home, now=now, fresh_days=fresh_days)
    if connected:
        # Here, so that an isolated host never loads the code of the connected side.
        from airlift.cli import health_origin  # noqa: PLC0415 - see above

        yield from health_origin.origin(home, now=now)
    if not (isolated or connected) and home.is_dir():
        hint = "`airlift trust init` begins either side"
        text = "neither a registry nor a signing side is here"
        yield health.problem("side", text, hint, RequestError)
