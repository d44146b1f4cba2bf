"""Scan reports on the isolated side: attached, shown, kept, and never cleaner than so."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from airlift.digest import sha256
from airlift.errors import FormatError, RequestError
from airlift.format import scan
from airlift.format.scan import Result, Scan
from airlift.outbound.ledger import Ledger
from airlift.registry import scans
from airlift.registry.registry import Registry
from commands import Shell

VOLUME = "/media/stick/AIRLIFT-plant7-000003.0001-of-0001.tar"
CLEAN = f"""\
{VOLUME}: OK

----------- SCAN SUMMARY -----------
Engine version: 1.4.1
Scanned files: 1
Infected files: 0
""".encode()
LIMITED = CLEAN.replace(b": OK", b": Heuristics.Limits.Exceeded.MaxFileSize FOUND")


@pytest.fixture(name="report")
def _report(tmp_path: Path) -> Path:
    path = tmp_path / "report.txt"
    path.write_bytes(CLEAN)
    return path


def _shown(run: Shell) -> list[str]:
    told = run.good("show", "acme/risky", "--json").json["scans"]
    return [one["words"].split(" (")[0] for one in told]


def test_what_a_scanner_said_is_shown_with_what_it_looked_at(
    run: Shell, report: Path
) -> None:
    """It binds the delivery by digest, and no other delivery shows it."""
    done = run.good("scan", "attach", report, "--by", "bob", "--json").json
    assert done["scan"]["result"] == "clean"
    assert done["scan"]["scanner"] == "ClamAV"
    assert done["scan"]["version"] == "1.4.1"
    assert _shown(run) == ["clean"]
    assert run.good("show", "acme/m@main", "--json").json["scans"] == []
    (risky,) = run.good("list", "--state", "quarantine", "--json").json["releases"]
    listed = run.good("list", "--json").json["scans"]
    assert list(listed) == [risky["id"]]
    kept = run.home / "records" / "scans" / f"{done['scan']['report']['sha256']}.txt"
    assert kept.read_bytes() == CLEAN
    lines = run.good("show", "acme/risky").lines
    assert any(one.startswith("scan") and "clean (ClamAV" in one for one in lines)


def test_a_file_over_the_limit_is_shown_as_skipped(run: Shell, report: Path) -> None:
    """The scanner's word of it is OK or a limit; neither is clean."""
    report.write_bytes(LIMITED)
    run.good("scan", "attach", report, "--by", "bob")
    assert _shown(run) == ["skipped 1 file(s), nothing found in the rest"]
    report.write_bytes(CLEAN)
    run.good("scan", "attach", report, "--by", "bob", "--skipped", "2")
    assert _shown(run)[1] == "skipped 2 file(s), nothing found in the rest"


@pytest.mark.parametrize(
    ("content", "words", "expected"),
    [
        (
            LIMITED,
            ("--by", "bob", "--result", "clean"),
            (
                RequestError.exit_code,
                "--result says clean, report.txt says skipped: 0 found, 1 skipped",
            ),
        ),
        (
            CLEAN,
            ("--by", "bob", "--result", "clean", "--skipped", "1"),
            (
                RequestError.exit_code,
                "--result says clean, report.txt says skipped: 0 found, 1 skipped",
            ),
        ),
        (CLEAN, (), (RequestError.exit_code, "who scanned is not stated")),
        (
            b"all good",
            ("--by", "bob"),
            (
                RequestError.exit_code,
                "report.txt is no report of ClamAV's, which says it by itself",
            ),
        ),
        (
            CLEAN.replace(b": OK", b": FINE"),
            ("--by", "bob"),
            (
                FormatError.exit_code,
                f"report.txt has a line that is not known: `{VOLUME}: FINE`",
            ),
        ),
        (
            CLEAN,
            ("--by", "bob", "--delivery", "9"),
            (RequestError.exit_code, "this site has imported no delivery 9"),
        ),
        (
            CLEAN,
            ("--by", "bob", "--note", "x" * 300),
            (
                FormatError.exit_code,
                "what is stated: `note` is longer than 200 characters or not one line",
            ),
        ),
    ],
)
def test_what_is_stated_must_fit_the_report(
    run: Shell,
    report: Path,
    content: bytes,
    words: tuple[str, ...],
    expected: tuple[int, str],
) -> None:
    """Nobody attaches a better word than the scanner's own."""
    report.write_bytes(content)
    done = run("scan", "attach", report, *words)
    said = done.err.splitlines()[0].removeprefix("airlift: error: ")
    assert (done.code, said) == expected
    assert _shown(run) == []


def test_another_scanner_is_taken_at_its_users_word(run: Shell, report: Path) -> None:
    """Every site has its own; what it said is bound all the same."""
    report.write_bytes(b"Kiosk 7 report\n")
    statement = ("--scanner", "Kiosk 7", "4.2 rules 991", "--result", "found")
    run.good(
        "scan", "attach", report, "--by", "eve", *statement, "--release", "acme/m@main"
    )
    (told,) = run.good("show", "acme/m@main", "--json").json["scans"]
    assert told["words"].startswith("FOUND in 1 file(s) (Kiosk 7 4.2 rules 991, ")
    assert _shown(run) == []


def test_a_carried_record_is_shown_as_not_signed(run: Shell, report: Path) -> None:
    """Whoever can write a medium can write one; nobody may take it for more."""
    registry = Registry.open(run.home)
    newest = registry.deliveries()[0]
    registry.close()
    told = Scan(
        site="plant7",
        dispatch=newest.id,
        releases=(),
        report=sha256(CLEAN),
        report_size=len(CLEAN),
        by="station",
        scanner="ClamAV",
        version="1",
        result=Result.CLEAN,
        scanned=1,
        found=0,
        skipped=0,
        at="2026-11-23T12:00:00Z",
    )
    record = report.with_suffix(".json")
    record.write_bytes(scan.encode(told))
    assert run.good("scan", "attach", record, "--json").json["carried"] is True
    kept = run.home / "records" / "scans" / f"{told.report}.txt"
    assert kept.read_bytes() == CLEAN
    (shown,) = run.good("show", "acme/risky", "--json").json["scans"]
    assert shown["words"].endswith("by station); carried, not signed")
    report.write_bytes(LIMITED)
    done = run("scan", "attach", record)
    assert done.code == RequestError.exit_code
    assert "report.txt is not the report of report.json" in done.err
    record.write_bytes(scan.encode(replace(told, site="plant8")))
    done = run("scan", "attach", record)
    assert done.code == RequestError.exit_code
    assert "is of no delivery that this site has imported" in done.err


def test_scans_survive_a_rebuild(run: Shell, report: Path) -> None:
    """They are in the log, from which everything unsigned is made again."""
    run.good("scan", "attach", report, "--by", "bob")
    run.good("rebuild")
    assert _shown(run) == ["clean"]
    registry = Registry.open(run.home, readonly=True)
    assert len(scans.told_by(registry.events())) == 1
    registry.close()


def test_an_inspection_says_what_a_scanner_can_open(run: Shell, both: Path) -> None:
    """The station knows before it scans what its verdict will not cover."""
    medium = both / "media" / "1"
    (told,) = run.good("inspect", medium, "--json").json["deliveries"]
    seen = {one["path"]: one["sight"] for one in told["releases"][0]["file_list"]}
    assert seen == {"config.json": "open", "weights.bin": "open"}
    assert told["sight"]["counts"] == {"open": {"files": 2, "bytes": 90_008}}
    lines = run.good("inspect", medium, "--files").lines
    digests = [one["sha256"] for one in told["sight"]["files"]]
    assert [one.split()[0] for one in lines if one.split()[0] in digests] == digests


def test_a_volume_too_large_for_the_scanner_is_skipped_whatever_it_says(
    both: Path, tmp_path: Path, report: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """ClamAV says OK of files of 2 GiB and more without opening them."""
    home = Path(shutil.copytree(both / "connected", tmp_path / "connected"))
    ledger = Ledger(home / "ledger")
    entry = ledger.read("plant7", 3)
    assert entry
    large = replace(entry.volumes[0], size=2 << 30)
    ledger.write(replace(entry, volumes=(large,)))
    run, medium = Shell(home, capsys), tmp_path / "medium"
    medium.mkdir()
    words = ("scan", "attach", report, "--by", "bob", "--to", medium)
    told = run.good(*words, "--json").json["scan"]
    assert (told["result"], told["skipped"]) == ("skipped", 1)
    names = sorted(path.name for path in medium.iterdir())
    front = f"AIRLIFT-plant7-000003.scan-{told['report']['sha256'][:8]}"
    assert names == [f"{front}.json", f"{front}.txt"]
    carried = scan.decode((medium / names[0]).read_bytes())
    assert carried.result is Result.SKIPPED
    assert (medium / names[1]).read_bytes() == CLEAN
