"""``airlift audit waive``: accept a finding for a while, or take that back."""

from contextlib import closing
from pathlib import Path
from typing import Final

import click

from airlift import naming
from airlift.artifact import Json
from airlift.audit import report
from airlift.audit.answer import Options
from airlift.audit.finding import Finding
from airlift.audit.questions import QUESTIONS
from airlift.audit.site import open_site
from airlift.cli import config, keyring, output
from airlift.cli.keyring import Passphrases
from airlift.errors import RequestError
from airlift.registry import waivers
from airlift.registry.registry import Registry
from airlift.registry.waivers import Terms
from airlift.trust import approval
from airlift.trust.approval import Approval

SCHEMA: Final = "airlift.audit-waive/1"


@click.command("waive")
@click.argument("finding")
@click.option("--until", metavar="YYYY-MM-DD", help="The last day it is accepted.")
@click.option("--reason", help="Why the risk is borne, in one line.")
@click.option("--by", help="Who accepts it; with a policy, the name in their key.")
@click.option("--revoke", is_flag=True, help="Take waivers of it back instead.")
@keyring.key_option
@config.passphrase_options
@config.home_option
@config.json_option
def command(
    *,
    home: Path,
    finding: str,
    until: str | None,
    reason: str | None,
    by: str | None,
    revoke: bool,
    key_names: tuple[str, ...],
    passphrase_fd: int | None,
    passphrase_file: Path | None,
    as_json: bool,
) -> None:
    """Accept FINDING, an id that an audit printed, until a day, for a reason.

    Where the site has a policy its approvers sign it, each with their own key and in the
    same words, as many as approve a release; until then it is open. The day after it
    ends it is open again.
    """
    with closing(Registry.open(home)) as registry:
        if revoke:
            result = _revoke(registry, finding, by or config.actor())
        else:
            terms = _terms(registry, finding, until, reason)
            phrases = Passphrases(fd=passphrase_fd, file=passphrase_file)
            result = _waive(home, registry, terms, (key_names, by, phrases))
    if as_json:
        output.as_json({"schema": SCHEMA, **result})
        return
    output.line(str(result["state"]))


def _terms(
    registry: Registry, finding: str, until: str | None, reason: str | None
) -> Terms:
    if until is None or reason is None:
        problem = "a waiver needs a day and a reason"
        raise RequestError(problem, hint="give --until YYYY-MM-DD and --reason TEXT")
    site = registry.trust_state().site
    terms = Terms(site=site, finding=finding, reason=reason, until=until)
    waivers.check(terms, now=config.now())
    return terms


_Asked = tuple[tuple[str, ...], str | None, Passphrases]


def _waive(
    home: Path, registry: Registry, terms: Terms, asked: _Asked
) -> dict[str, Json]:
    found, now = _open(home, terms.finding), config.now()
    signed = _signed(home, registry, terms, asked)
    by = signed.by if signed else asked[1] or config.actor()
    line = waivers.event(
        terms, signed, by=by, title=found.title, actor=config.actor(), now=now
    )
    with registry.exclusive("waive"):
        _refuse_twice(registry, terms, by)
        registry.log(line)
    (given,) = (one for one in _given(registry) if one.terms == terms)
    state = f"accepted until {terms.until}: {naming.show(found.title)}"
    if given.lacking:
        state = f"signed by {', '.join(given.by)}; {given.lacking} more must sign it"
    return {**terms.table(), "by": given.by, "lacking": given.lacking, "state": state}


def _open(home: Path, finding: str) -> Finding:
    """Return the finding with this id, as it is found today.

    Raises:
        RequestError: No question finds it: there is nothing to accept.
    """
    with open_site(home, now=config.now()) as site:
        found = report.run(site, QUESTIONS, Options(progress=output.progress()))
        for one in found.findings:
            if one.id == finding:
                return one
    problem = f"there is no finding `{naming.show(finding)}`"
    raise RequestError(problem, hint="`airlift audit` lists them with their ids")


def _signed(
    home: Path, registry: Registry, terms: Terms, asked: _Asked
) -> Approval | None:
    told, (names, by, phrases) = registry.custody().policy(), asked
    if told is None:
        return None
    keys = keyring.unlock(home, names, phrases)
    if len(keys) != 1:
        problem = f"{len(keys)} keys are here, one person accepts with one"
        raise RequestError(problem, hint="say which with --key NAME")
    if by is not None and by != keys[0].public.name:
        holder = naming.show(keys[0].public.name)
        problem = f"the key is of `{holder}`, not of `{naming.show(by)}`"
        raise RequestError(problem, hint="each person accepts with their own key")
    subject = waivers.subject(terms)
    signed = approval.sign(keys[0], subject, at=config.now())
    approval.check(signed, subject, told.approvers)
    return signed


def _given(registry: Registry) -> tuple[waivers.Given, ...]:
    events = registry.events(action=waivers.ACTION)
    policy, site = registry.custody().policy(), registry.trust_state().site
    return waivers.told_by(events, policy, site)


def _refuse_twice(registry: Registry, terms: Terms, by: str) -> None:
    for one in _given(registry):
        if one.terms == terms and not one.revoked and by in one.by:
            problem = f"`{naming.show(by)}` has accepted it in these words already"
            hint = "each person counts once: somebody else has to sign it too"
            raise RequestError(problem, hint=hint)


def _revoke(registry: Registry, finding: str, by: str) -> dict[str, Json]:
    now = config.now()
    with registry.exclusive("waive"):
        if not any(
            one.terms.finding == finding and not one.revoked for one in _given(registry)
        ):
            problem = f"no waiver of `{naming.show(finding)}` stands"
            raise RequestError(problem, hint="see `airlift audit waivers`")
        line = waivers.revocation(finding, by=by, actor=config.actor(), now=now)
        registry.log(line)
    return {"finding": finding, "by": by, "state": f"{finding} is open again"}
