"""A catalogue on its way: upstream moves on, and a site without a network learns of it."""

import csv
import gzip
import io
import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hubs.faults import Fault
from hubs.hub import Hub
from hubs.repository import Repo
from hubs.wheelhouse import Wheelhouse
from integration.sides import SITE, Side

MANIFEST = """
manifest = 1

[[model]]
repo = "org/tiny"

[[model]]
repo = "org/second"

[[wheels]]
name = "tools"
requirements = ["demo", "extra<2"]
python = ["3.12"]
platform = ["x86_64-manylinux_2_28"]
"""

ADVISORY = {
    "id": "GHSA-aaaa-bbbb-cccc",
    "modified": "2025-03-04T05:06:07.123Z",
    "published": "2025-03-01T00:00:00Z",
    "aliases": ["CVE-2025-1000"],
    "summary": "demo reads past its end",
    "details": "long " * 1000,
    "severity": [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N"}],
    "affected": [
        {
            "package": {"ecosystem": "PyPI", "name": "Demo"},
            "ranges": [
                {
                    "type": "ECOSYSTEM",
                    "events": [{"introduced": "0"}, {"fixed": "1.1"}],
                }
            ],
            "versions": ["1.0"],
        }
    ],
}
OTHER = {
    "id": "PYSEC-2025-9",
    "modified": "2025-03-05T00:00:00Z",
    "affected": [{"package": {"ecosystem": "PyPI", "name": "elsewhere"}}],
}


@dataclass
class World:
    """Upstream, both sides, and a stick between them."""

    folder: Path
    hub: Hub
    index: Wheelhouse
    tiny: Repo
    second: Repo
    connected: Side
    isolated: Side

    @property
    def manifest(self) -> str:
        """The manifest's file."""
        return str(self.folder / "weekly.toml")

    def build(self, *more: str) -> "subprocess.CompletedProcess[str]":
        """Build the next catalogue onto the stick."""
        return self.connected.run(
            *("catalogue", "build", "--to", str(self.stick), self.manifest, *more),
            *("--passphrase-file", str(self.folder / "weekly-phrase")),
        )

    @property
    def stick(self) -> Path:
        """The file that is carried."""
        return self.folder / "catalogue"

    def carry(self, *more: str) -> dict[str, Any]:
        """Build one, carry it over, take it in; return what it means there."""
        done = self.build(*more)
        assert done.returncode == 0, done.stderr
        self.isolated.ok("catalogue", "import", str(self.stick))
        return self.show()

    def exploited(self) -> tuple[str, ...]:
        """Return options that name lists of what is exploited, as published."""
        kev, epss = self.folder / "kev.json", self.folder / "epss.csv.gz"
        row = {"cveID": "CVE-2025-1000", "dateAdded": "2025-03-06"}
        listed = {"dateReleased": "2025-03-07T00:00:00.5Z", "vulnerabilities": [row]}
        kev.write_text(json.dumps(listed))
        scores = (
            "#model_version:v2025.03.14,score_date:2025-03-07T00:00:00+0000\n"
            "cve,epss,percentile\nCVE-2025-1000,0.5,0.9\n"
        )
        epss.write_bytes(gzip.compress(scores.encode()))
        return ("--kev", str(kev), "--epss", str(epss))

    def show(self, *more: str) -> dict[str, Any]:
        """Return what the isolated side says."""
        found: dict[str, Any] = self.isolated.json("catalogue", "show", *more)
        return found

    def advisories(self) -> str:
        """Return a folder with two advisories."""
        folder = self.folder / "osv"
        folder.mkdir(exist_ok=True)
        for one in (ADVISORY, OTHER):
            (folder / f"{one['id']}.json").write_text(json.dumps(one))
        return str(folder)


def by_name(shown: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the findings by what they are about."""
    return {one["name"]: one for one in shown["findings"]}


@pytest.fixture(name="world")
def _world(tmp_path: Path) -> Iterator[World]:
    folder = tmp_path
    tiny, second = Repo("org/tiny", card={"license": "mit"}), Repo("org/second")
    tiny.commit({"config.json": b"{}", "model.safetensors": b"first"})
    second.commit({"config.json": b"{}"})
    with Hub(tiny, second) as hub, Wheelhouse() as index:
        index.add("demo", "1.0")
        index.add("extra", "1.5")
        connected = Side.connected(
            folder, HF_ENDPOINT=hub.url, UV_DEFAULT_INDEX=index.url, no_proxy="*"
        )
        (folder / "weekly.toml").write_text(MANIFEST)
        (folder / "weekly-phrase").write_text("another phrase\n")
        connected.ok(
            *("catalogue", "key", "--passphrase-file", str(connected.phrase)),
            *("--new-passphrase-file", str(folder / "weekly-phrase")),
            *("--kdf", "low-memory"),
        )
        connected.ok(
            *("export", str(folder / "weekly.toml"), "--to", str(folder / "media")),
            *("--site", SITE),
        )
        isolated = connected.isolated(folder)
        isolated.ok("import", str(folder / "media"), "--yes")
        yield World(folder, hub, index, tiny, second, connected, isolated)


def move_on(world: World) -> tuple[str, str]:
    """Let upstream change in every way; return tiny's old and new commit."""
    held = world.tiny.branches["main"]
    newest = world.tiny.commit({"config.json": b"{}", "model.safetensors": b"second!"})
    world.second.gated = True
    world.index.add("demo", "1.1")
    world.index.shelved["demo-1.0-py3-none-any.whl"].said["yanked"] = "broken on 3.12"
    world.index.statuses["extra"] = {"status": "quarantined", "reason": "malware"}
    return held, newest


def test_upstream_moves_on_and_the_site_learns_of_it(world: World) -> None:
    """What is newer, yanked, quarantined, gated and advised against, without contact."""
    nothing_is_known_before_the_first(world)
    what_was_just_carried_is_current(world)
    held, newest = move_on(world)
    shown = world.carry("--osv", world.advisories(), *world.exploited())
    found = by_name(shown)
    tiny = found["org/tiny"]
    assert (tiny["news"], tiny["held"], tiny["newest"]) == ("newer", held, newest)
    assert (tiny["behind"], tiny["bytes"]) == (1, len(b"second!"))
    second = found["org/second"]
    assert (second["news"], second["newest"]) == ("unknown", "")
    assert [one["what"] for one in second["withdrawn"]] == ["gated"]
    demo = found["demo"]
    assert (demo["news"], demo["held"], demo["newest"]) == ("newer", "1.0", "1.1")
    assert [(one["what"], one["reason"]) for one in demo["withdrawn"]] == [
        ("yanked", "broken on 3.12")
    ]
    assert demo["advisories"] == [
        {
            "id": "GHSA-aaaa-bbbb-cccc",
            "summary": "demo reads past its end",
            "fixed_in": "1.1",
        }
    ]
    assert demo["advised"] == "2025-03-05T00:00:00Z"
    assert [(one["what"], one["reason"]) for one in found["extra"]["withdrawn"]] == [
        ("quarantined", "malware")
    ]
    assert shown["advisories"]["records"] == 2
    assert shown["advisories"]["age"] == "stale"
    people_read_the_same(world)
    an_audit_knows_what_is_exploited(world)
    changes_are_told(world)
    an_older_one_is_refused(world)
    a_silent_source_is_said_to_be(world)
    the_key_of_catalogues_lies_apart(world)


def people_read_the_same(world: World) -> None:
    """Nobody decides from JSON."""
    lines = world.isolated.ok("catalogue", "show").splitlines()
    assert lines[0].startswith("catalogue 2 of 20")
    rows = [line for line in lines if "yanked" in line]
    assert len(rows) == 1
    for word in ("package", "demo", "newer", "1.0", "1.1", "broken on 3.12"):
        assert word in rows[0]
    assert "GHSA-aaaa-bbbb-cccc, fixed in 1.1" in rows[0]
    details = world.isolated.ok("catalogue", "show", "org/tiny").splitlines()
    assert f"model org/tiny at {world.tiny.branches['main']}" in details
    assert "  model.safetensors  7 B" in details


def an_audit_knows_what_is_exploited(world: World) -> None:
    """From the files as published to the row that is read first."""
    told = world.isolated.run("audit", "vulns", "--csv")
    # The feed is of 2025: what it does not say, nobody knows.
    assert (told.returncode, told.stderr) == (8, "")
    row, *_ = csv.DictReader(io.StringIO(told.stdout))
    columns = ("id", "package", "installed", "severity", "fixed_in", "kev", "epss")
    assert [row[one] for one in columns] == [
        *("CVE-2025-1000", "demo", "1.0", "high", "1.1", "2025-03-06", "0.5"),
    ]
    assert row["risk"].startswith("1")
    assert "kev 1000 + high 200 + epss 50 + withdrawn 300" in row["risk"]


def changes_are_told(world: World) -> None:
    """The weekly reading of whoever decides what to ask for."""
    found = world.isolated.json("catalogue", "diff")
    said = {(one["name"], one["what"]) for one in found["changes"]}
    assert (found["older"], found["newer"]) == (1, 2)
    assert said >= {
        ("org/tiny", "revision"),
        ("org/second", "standing"),
        ("demo", "newest"),
        ("demo", "yanked"),
        ("extra", "status"),
        ("GHSA-aaaa-bbbb-cccc", "published"),
    }


def nothing_is_known_before_the_first(world: World) -> None:
    """Silence must not pass for "all is well"."""
    assert world.isolated.fails(8, "catalogue", "show") == [
        "airlift: error: this site holds no catalogue: nothing is known of upstream",
        "airlift: hint: `airlift catalogue import FILE` takes one",
    ]


def what_was_just_carried_is_current(world: World) -> None:
    """The first catalogue finds what was just carried."""
    shown = world.carry()
    world.stick.rename(world.stick.with_name("first"))
    assert {name: one["news"] for name, one in by_name(shown).items()} == {
        "org/tiny": "current",
        "org/second": "current",
        "tools": "current",
        "demo": "current",
        "extra": "current",
    }
    assert shown["catalogue"]["sequence"] == 1
    assert {one["source"]: one["age"] for one in shown["sources"]} == {
        world.hub.url: "fresh",
        world.index.url: "fresh",
    }
    assert shown["advisories"]["problem"] == "no advisories were given"


def an_older_one_is_refused(world: World) -> None:
    """Whoever offers it again would hide what was told since."""
    first = str(world.stick.with_name("first"))
    problem = "`first` is catalogue 1, this site holds 2"
    said = world.isolated.fails(5, "catalogue", "import", first)
    assert said[0] == f"airlift: error: {problem}"
    events = world.isolated.json("list", "--history")["events"]
    refused = [one for one in events if one["outcome"] == "refused"]
    assert [one["detail"]["problem"] for one in refused] == [problem]


def a_silent_source_is_said_to_be(world: World) -> None:
    """The weekly job must not end well when it learned nothing."""
    world.hub.api.refusals["/api/models/org/tiny/revision/main"] = Fault(status=400)
    done = world.build()
    assert done.returncode == 3, done.stderr
    assert "warning: org/tiny known as of" in done.stderr
    assert "catalogue 3" in done.stdout


def the_key_of_catalogues_lies_apart(world: World) -> None:
    """It opens nothing but catalogues, and is not among those that do more."""
    keys = sorted(path.name for path in (world.connected.home / "keys").iterdir())
    assert keys == ["alice.key", "alice.pub"]
    secret = world.connected.home / "catalogues" / "catalogue.key"
    assert secret.stat().st_mode & 0o77 == 0
