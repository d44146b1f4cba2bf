"""``airlift audit export``: an audit as evidence, or in one form of it."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import click

from airlift.audit import report
from airlift.audit.answer import Options
from airlift.audit.finding import Severity
from airlift.audit.pack import boms, evidence, html, sarif
from airlift.audit.pack.made import Made, Told
from airlift.audit.questions import QUESTIONS
from airlift.audit.site import Site
from airlift.cli import audit_frame, audit_out, config, output
from airlift.cli.audit_frame import Asked
from airlift.cli.duration import Duration
from airlift.digest import sha256
from airlift.errors import RequestError
from airlift.registry import reports
from airlift.store.durable import Disk
from airlift.trust import site_key
from airlift.trust.site_key import SiteKey

SCHEMA: Final = "airlift.audit-export/1"
_PACK: Final = "pack"
_ENDING: Final = "tar"
_EARLIER: Final = 50
"""Recorded reports that a trend is drawn of: a year of weeks."""
_FORMS: Final[dict[str, tuple[str, Callable[[Made], bytes]]]] = {
    "json": ("json", lambda made: made.encoded),
    "html": ("html", html.encode),
    "cyclonedx": ("cdx.json", boms.cyclonedx),
    "spdx3": ("spdx3.json", boms.spdx3),
    "sarif": ("sarif", sarif.encode),
    "csv": ("csv", lambda made: audit_out.findings(made.report).encode()),
}
"""Form to the ending of its file, and what makes it."""


@click.command("export")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="A file, or a folder in which a file gets a name of its own.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice([_PACK, *_FORMS]),
    default=_PACK,
    show_default=True,
    help="All of it, signed; or one form, not signed.",
)
@click.option(
    "--cyclonedx",
    "cyclonedx",
    type=click.Choice(boms.CYCLONEDX),
    default=boms.CYCLONEDX[0],
    show_default=True,
    help="Version of CycloneDX.",
)
@click.option("--no-bom", is_flag=True, help="Leave bills of material out of the pack.")
@click.option(
    "--record",
    is_flag=True,
    help="Also keep the pack in HOME/reports: the page shows it, reports compare.",
)
@click.option("--as-of", metavar="DATE", help="What was held and known then.")
@click.option(
    "--fail-on",
    type=click.Choice(["none", *(one.value for one in reversed(Severity))]),
    default=Severity.HIGH.value,
    show_default="high",
    help="Least severity that makes the report's own exit code 10.",
)
@click.option(
    "--max-age",
    type=Duration(),
    help="Oldest knowledge of upstream that is no exit code 11: 30d, say.",
)
@config.passphrase_options
@config.home_option
@config.json_option
def command(
    *,
    home: Path,
    out: Path | None,
    form: str,
    cyclonedx: str,
    no_bom: bool,
    record: bool,
    as_of: str | None,
    fail_on: str,
    max_age: int | None,
    passphrase_fd: int | None,
    passphrase_file: Path | None,
    as_json: bool,
) -> int:
    """Ask every question, and write the answers with all they rest on, signed.

    The pack is one tar: the report as JSON and HTML, bills of material (CycloneDX, SPDX;
    they need `pip install 'airlift[bom]'`), SARIF, the inventory, the newest events of
    the log with their proofs, the catalogue, keys, waivers, policy, and a list of digests
    that the site's key signed. The same site and time give the same bytes. Exit code:
    that of the report, once everything is written.
    """
    if out is None and not record:
        problem = "there is nowhere to write to"
        raise RequestError(problem, hint="give --out FILE, or --record")
    if form != _PACK and (record or no_bom):
        problem = "--record and --no-bom are about a pack"
        raise RequestError(problem, hint="leave --format out")
    asked = Asked(
        home=home,
        as_json=as_json,
        as_csv=False,
        quiet=False,
        verbose=False,
        as_of=as_of,
        kinds=(),
        fail_on=fail_on,
        max_age=max_age,
        out=None,
    )

    def key() -> SiteKey:
        return _key(home, passphrase_fd, passphrase_file)

    with audit_frame.open_asked(asked) as site:
        made = _made(site, asked)
        bom = None if no_bom else cyclonedx
        data = _encoded(made, form, bom, key)
        if record:
            reports.record(home, reports.name_of(made.time, made.run_id), data)
        ending = _ENDING if form == _PACK else _FORMS[form][0]
        written = _write(out, f"{made.name}.{ending}", data) if out else None
        return _tell(made, data, written, as_json=as_json)


def _encoded(
    made: Made, form: str, bom: str | None, key: Callable[[], SiteKey]
) -> bytes:
    if form == _PACK:
        return evidence.seal(made, key(), bom=bom)
    if form == "cyclonedx" and bom:
        return boms.cyclonedx(made, bom)
    return _FORMS[form][1](made)


def _made(site: Site, asked: Asked) -> Made:
    progress = output.progress(quiet=asked.as_json)
    found = report.run(site, QUESTIONS, Options(progress=progress))
    return Made(report=found, fail_on=asked.least, earlier=_earlier(site))


def _earlier(site: Site) -> tuple[Told, ...]:
    """Return the newest reports recorded before the moment that is asked about."""
    listed = reversed(reports.recorded(site.home)[:_EARLIER])
    until = site.as_of or site.now
    found = (reports.report(site.home, one.name) for one in listed if one.time < until)
    return tuple(one for one in found if one is not None)


def _key(home: Path, fd: int | None, file: Path | None) -> SiteKey:
    def phrase() -> str:
        return config.passphrase(fd, file, what="the site's key")

    return site_key.load(home, phrase)


def _write(out: Path, name: str, data: bytes) -> Path:
    path = out / name if out.is_dir() else out
    Disk().write_file(path, data, mode=0o644)
    return path


def _tell(made: Made, data: bytes, written: Path | None, *, as_json: bool) -> int:
    code = report.exit_code(made.report, made.fail_on)
    if as_json:
        output.as_json(
            {
                "schema": SCHEMA,
                "run_id": made.run_id,
                "file": str(written) if written else None,
                "bytes": len(data),
                "sha256": sha256(data),
                "exit_code": code,
            }
        )
        return code
    if written:
        output.line(f"{written}: {output.size(len(data))}, sha256 {sha256(data)}")
    output.line(f"run {made.run_id} of site `{made.site.trust.site}`, exit code {code}")
    return code
