"""Stock pip-audit, where there is no network: it finds what `airlift audit vulns` does."""

import csv
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import catalogues
import venvs
from advised import V8_8, V9_8, carried, listed, osv, scored
from airlift.cli import config
from airlift.format import advice
from airlift.format.catalogue import Catalogue, Feed
from airlift.trust import clock
from audited import World, wheels
from integration.sides import Side
from namespace.sealed import SEALED, marks

pytestmark = [*marks, pytest.mark.clients, pytest.mark.timeout(600)]

PIP_AUDIT = "pip-audit==2.10.1"
TESTS = Path(__file__).parent.parent
HELD = {
    "demo": "1.0",
    "engine": "2.1.0+cu128",
    "evil": "0.1",
    "quiet": "3.0",
    "unwatched": "1.0",
}


def made(now: str) -> Catalogue:
    """Return a catalogue of *now* that watches all but one of ``HELD``."""
    watched = [one for one in HELD if one != "unwatched"]
    records = (
        carried(osv("GHSA-demo", aliases=["CVE-2026-1"], severity=scored(V9_8))),
        carried(osv("PYSEC-2026-1", aliases=["CVE-2026-1"])),
        carried(osv("GHSA-engine", "engine", fixed="2.1.1", severity=scored(V8_8))),
        carried(osv("MAL-2026-1", "evil", fixed="")),
        carried(osv("GHSA-gone", "quiet", fixed="", withdrawn=now)),
        carried(osv("GHSA-later", "quiet", fixed="", introduced="3.1")),
    )
    return catalogues.of(
        packages=tuple(
            catalogues.package(one, HELD[one], as_of=now, advised=now)
            for one in watched
        ),
        feed=Feed(as_of=now, problem="", records=9_000),
        advisories=listed(*records),
        issued=now,
        next_expected=clock.after(now, days=7),
        valid_until=clock.after(now, days=60),
    )


def found_by_pip_audit(home: Path, folder: Path) -> dict[str, set[str]]:
    """Return every id, alias or not, that pip-audit finds by package."""
    bins = venvs.make(venvs.kept() or folder / "clients", PIP_AUDIT)
    requirements = folder / "requirements.txt"
    lines = [f"{name}=={version}\n" for name, version in HELD.items()]
    requirements.write_text("".join(lines))
    own = folder / "own"
    own.mkdir()
    words = [str(one) for one in (home, bins, requirements, own)]
    program = [sys.executable, "-m", "namespace.pip_audit_once"]
    done = subprocess.run(
        [*SEALED, *program, *words],
        cwd=TESTS,
        capture_output=True,
        text=True,
        check=False,
    )
    # 1: it has found something; nothing else is a word of its own for that.
    assert done.returncode == 1, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return {
        one["name"]: {
            each for vuln in one["vulns"] for each in (vuln["id"], *vuln["aliases"])
        }
        for one in told["dependencies"]
    }


def found_by_airlift(home: Path) -> dict[str, set[str]]:
    """Return every id, alias or not, that the audit finds by package."""
    side = Side(home, before=SEALED)
    done = side.run("audit", "vulns", "--csv")
    assert done.returncode == 8, done.stderr
    found: dict[str, set[str]] = {name: set() for name in HELD}
    for row in csv.DictReader(io.StringIO(done.stdout)):
        found[row["package"]] |= {row["id"], *row["aliases"].split()}
    return found


def test_pip_audit_finds_what_the_audit_finds(tmp_path: Path) -> None:
    """The same ids for every package, and the same word where nobody knows."""
    world, now = World(tmp_path), config.now()
    names = [f"{name}-{version}-py3-none-any.whl" for name, version in HELD.items()]
    world.bring(wheels(*names), now=now)
    world.hear(made(now))
    expected = {
        "demo": {"CVE-2026-1", "GHSA-demo", "PYSEC-2026-1"},
        "engine": {"GHSA-engine"},
        "evil": {"MAL-2026-1"},
        "quiet": set(),
        "unwatched": {advice.UNKNOWN},
    }
    assert found_by_pip_audit(world.home, tmp_path) == expected
    assert found_by_airlift(world.home) == expected
