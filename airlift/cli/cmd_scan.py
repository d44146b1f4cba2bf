"""``airlift scan``: what virus scanners said, bound to what they looked at."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import click

from airlift import naming
from airlift.cli import config, moving, output
from airlift.digest import sha256
from airlift.errors import RequestError
from airlift.format import scan as scans
from airlift.format.scan import Result, Scan
from airlift.payload import clamav
from airlift.registry import scans as kept
from airlift.registry.registry import Registry
from airlift.store.durable import read_file


@click.group("scan")
def command() -> None:
    """Attach what virus scanners said of deliveries and releases."""


def _statement(function: config.F) -> config.F:
    options: tuple[Callable[[config.F], config.F], ...] = (
        click.option("--by", help="Who scanned."),
        click.option("--scanner", nargs=2, metavar="NAME VERSION", help="With what."),
        click.option(
            "--result",
            type=click.Choice([one.value for one in Result]),
            help="What came of it, where the report does not say it itself.",
        ),
        click.option(
            "--skipped",
            type=click.IntRange(min=0),
            help="How many files were not opened, where the report does not say it.",
        ),
        click.option("--note", default="", help="What is to be said about it."),
    )
    for option in reversed(options):
        function = option(function)
    return function


@command.command("attach")
@click.argument("report", type=click.Path(path_type=Path, dir_okay=False))
@_statement
@click.option("--delivery", type=click.IntRange(min=1), help="By default the newest.")
@click.option("--release", "references", multiple=True, help="Instead of a delivery.")
@click.option("--site", help="Connected side: whose delivery.")
@click.option(
    "--to",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Connected side: the medium to write the record to, unsigned.",
)
@config.home_option
@config.json_option
def attach(
    *,
    home: Path,
    report: Path,
    by: str | None,
    scanner: tuple[str, str] | None,
    result: str | None,
    skipped: int | None,
    note: str,
    delivery: int | None,
    references: tuple[str, ...],
    site: str | None,
    folder: Path | None,
    as_json: bool,
) -> None:
    """Bind the scanner's REPORT to a delivery, or to releases, by its digest.

    ClamAV's own summary is read and has the last word; of any other report, say what
    came of it with --result. A file that was larger than the scanner's limit was
    skipped, and the whole is shown as skipped then, never as clean. On the connected
    side the record is written beside the volumes with --to; it is not signed. On the
    isolated side REPORT may be such a record.
    """
    data = read_file(report, limit=kept.REPORT_LIMIT, error=RequestError)
    stated = _Stated(
        by=by, scanner=scanner, result=result, skipped=skipped, note=note, name=report
    )
    if (home / "trust").exists():
        # Loaded here alone: the isolated side has no use for the code of the other.
        from airlift.cli import scan_leaving  # noqa: PLC0415 - see above

        sent = scan_leaving.find(home, site, delivery)
        made = stated.scan(data, unseen=sent.unseen)
        scan = _checked(replace(made, site=sent.site, dispatch=sent.dispatch))
        carried, where = False, str(scan_leaving.keep(sent, scan, data, folder))
    else:
        scan, carried = _arrived(home, data, stated, (delivery, references))
        where = str(home / "records" / "scans")
    if as_json:
        output.as_json({"scan": scans.table(scan), "carried": carried, "kept": where})
        return
    output.line(scans.words(scan) + ("; carried, not signed" if carried else ""))
    output.line(f"kept in {where}")


class _Stated:
    """What the command line says of a scan."""

    def __init__(
        self,
        *,
        by: str | None,
        scanner: tuple[str, str] | None,
        result: str | None,
        skipped: int | None,
        note: str,
        name: Path,
    ) -> None:
        self._by, self._scanner, self._note = by, scanner, note
        self._result = Result(result) if result else None
        self._skipped, self._name = skipped or 0, naming.show(name.name)
        self._path = name

    def report_of(self, scan: Scan) -> bytes:
        """Return the report that lies beside a carried record.

        Raises:
            RequestError: It is not there, or not the one that the record binds.
        """
        path = self._path.with_suffix(".txt")
        data = read_file(path, limit=kept.REPORT_LIMIT, error=RequestError)
        if sha256(data) != scan.report:
            problem = f"{naming.show(path.name)} is not the report of {self._name}"
            raise RequestError(problem, hint="copy both from the medium again")
        return data

    def scan(self, data: bytes, *, unseen: int = 0) -> Scan:
        """Return the scan of nothing yet that the report *data* is of.

        Args:
            data: The report.
            unseen: How many files ClamAV says OK of without opening them.

        Raises:
            RequestError: Something is not stated, or the report says otherwise.
            FormatError: It claims to be ClamAV's and cannot be read.
        """
        if not self._by:
            problem = "who scanned is not stated"
            raise RequestError(problem, hint="add --by NAME")
        told = self._told(data, unseen)
        verdict = scans.verdict(found=told.found, skipped=told.skipped)
        if self._result and self._result is not verdict:
            problem = (
                f"--result says {self._result}, {self._name} says {verdict}:"
                f" {told.found} found, {told.skipped} skipped"
            )
            raise RequestError(problem, hint="state what the report says")
        name, version = self._scanner or ("ClamAV", told.version)
        return Scan(
            site="x",
            dispatch=sha256(b""),
            releases=(),
            report=sha256(data),
            report_size=len(data),
            by=self._by,
            scanner=name,
            version=version,
            result=verdict,
            scanned=told.scanned,
            found=told.found,
            skipped=told.skipped,
            at=config.now(),
            note=self._note,
        )

    def _told(self, data: bytes, unseen: int) -> clamav.Report:
        if clamav.is_report(data):
            found = clamav.read(data, name=self._name)
            # A person may know of more that was skipped, never of less.
            skipped = max(found.skipped, self._skipped, unseen)
            return replace(found, skipped=skipped)
        if not self._result or not self._scanner:
            problem = f"{self._name} is no report of ClamAV's, which says it by itself"
            hint = "add --scanner NAME VERSION and --result clean, found or skipped"
            raise RequestError(problem, hint=hint)
        least = self._result is Result.SKIPPED
        return clamav.Report(
            version=self._scanner[1],
            scanned=0,
            found=int(self._result is Result.FOUND),
            skipped=max(self._skipped, int(least)),
        )


def _arrived(
    home: Path,
    data: bytes,
    stated: _Stated,
    named: tuple[int | None, tuple[str, ...]],
) -> tuple[Scan, bool]:
    registry = Registry.open(home)
    site = registry.trust_state().site
    deliveries = {one.sequence: one.id for one in registry.deliveries()}
    carried = data.startswith(b"{")
    if carried:
        scan = scans.decode(data)
        if scan.site != site or scan.dispatch not in deliveries.values():
            problem = "the record is of no delivery that this site has imported"
            raise RequestError(problem, hint="import the delivery first")
        kept.keep(home, stated.report_of(scan))
    elif named[1]:
        ids = tuple(sorted(one.id for one in moving.find(registry, named[1])))
        scan = replace(stated.scan(data), site=site, dispatch=None, releases=ids)
    else:
        sequence = named[0] or max(deliveries, default=0)
        if sequence not in deliveries:
            problem = f"this site has imported no delivery {sequence}"
            raise RequestError(problem, hint="see `airlift list --history`")
        scan = replace(stated.scan(data), site=site, dispatch=deliveries[sequence])
    kept.keep(home, data)
    told = kept.event(
        _checked(scan), carried=carried, actor=config.actor(), now=config.now()
    )
    registry.log(told)
    return scan, carried


def _checked(scan: Scan) -> Scan:
    """Return *scan* if it reads back; what is typed may not fit a record."""
    return scans.decode(scans.encode(scan), name="what is stated")
