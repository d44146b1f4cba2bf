"""Known vulnerabilities of what is here (Q5): found, or said to be unknown."""

from pathlib import Path
from typing import Any

import pytest

import catalogues
from advised import V8_8, V9_8, carried, listed, osv, scored
from airlift.audit.finding import Fix, Severity, Verdict
from airlift.format.catalogue import Catalogue, Feed
from airlift.format.observation import (
    Environment,
    Observation,
    Runtime,
    SeenPackage,
)
from airlift.registry.held import State
from audited import TODAY, World, rows, told, wheels
from observed import take

ISSUED = "2026-03-02T06:00:00Z"
ADVISED = "2026-03-01T00:00:00Z"
CVE = "CVE-2026-1000"
OLD, NEW = "demo-1.0-py3-none-any.whl", "demo-1.5-py3-none-any.whl"
DEMO = catalogues.package("demo", "1.5", "1.0", as_of=ISSUED, advised=ADVISED)


def made(*records: Any, **changes: Any) -> Catalogue:
    """Return a catalogue that watches demo and has *records*."""
    found: dict[str, Any] = {
        "packages": (DEMO,),
        "feed": Feed(as_of=ADVISED, problem="", records=9_000),
        "advisories": listed(*records),
        "issued": ISSUED,
        "next_expected": "2026-03-09T06:00:00Z",
        "valid_until": "2026-05-01T06:00:00Z",
    }
    return catalogues.of(**(found | changes))


@pytest.fixture(name="world")
def _world(tmp_path: Path) -> World:
    world = World(tmp_path)
    world.bring(wheels(OLD))
    return world


def test_what_is_known_against_a_held_wheel_is_found(world: World) -> None:
    """By its CVE, with what rests on what, and where the fix is."""
    own: Any = {
        "kev": {"as_of": ADVISED, "added": "2026-02-02"},
        "epss": {"as_of": ADVISED, "score": "0.94321", "percentile": "0.99"},
    }
    ghsa = osv("GHSA-1", aliases=[CVE], severity=scored(V9_8))
    world.hear(made(carried(ghsa, own), carried(osv("PYSEC-1", aliases=[CVE]))))
    found = world.ask("vulns")
    assert (found.verdict, found.as_of, found.unknown) == (Verdict.FINDING, ADVISED, ())
    (one,) = found.findings
    assert (one.kind, one.rule, one.severity) == (
        *("vulnerability", CVE, Severity.CRITICAL),
    )
    assert one.title == f"demo 1.0: {CVE}: demo breaks (fixed in 1.5)"
    assert (one.subject.purl, one.arrived_in) == ("pkg:pypi/demo@1.0", "2")
    size = DEMO.versions[0].files[0].size
    assert one.fix == Fix(to="1.5", delta_bytes=size, in_catalogue=True)
    assert one.evidence["aliases"] == ("GHSA-1", "PYSEC-1")
    assert one.evidence["risk"] == {
        "kev": 1000,
        "critical": 400,
        "epss": 94,
        "withdrawn": 0,
        "age": 1,
    }
    shown = rows(found, "id", "package", "installed", "severity", "fixed_in", "kev")
    assert shown == [(CVE, "demo", "1.0", "critical", "1.5", "2026-02-02")]
    assert rows(found, "in_catalogue", "epss", "state", "score", "risk") == [
        (
            *("1.5", "0.94321", "live", "9.8"),
            "1495 = kev 1000 + critical 400 + epss 94 + age 1",
        )
    ]


def test_a_watched_package_without_records_passes(world: World) -> None:
    """Only because somebody looked, and says when."""
    world.hear(made())
    found = world.ask("vulns")
    assert (found.verdict, found.rows, found.as_of) == (Verdict.PASS, (), ADVISED)
    assert found.counts == {"packages": 1, "vulnerabilities": 0, "unknown": 0}


def test_no_catalogue_is_unknown(world: World) -> None:
    """Nothing known is not nothing wrong."""
    found = world.ask("vulns")
    assert (found.verdict, found.rows, found.as_of) == (Verdict.UNKNOWN, (), "")
    assert found.why == "no catalogue was ever imported: nothing is known of upstream"


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"packages": ()}, "catalogue 1 does not watch it"),
        (
            {
                "packages": (catalogues.package("demo", as_of=ISSUED, advised=""),),
                "feed": Feed(),
            },
            "no advisories were looked through for it: no advisories were given",
        ),
        (
            {
                "packages": (
                    catalogues.package(
                        "demo", as_of=ISSUED, advised="2026-01-01T00:00:00Z"
                    ),
                )
            },
            "its advisories are 63 days old, more than 30",
        ),
    ],
)
def test_a_package_nobody_looked_through_is_unknown(
    world: World, changes: dict[str, Any], why: str
) -> None:
    """By name, with the reason; the empty table is no answer."""
    world.hear(made(**changes))
    found = world.ask("vulns")
    assert (found.verdict, found.unknown) == (Verdict.UNKNOWN, (f"demo 1.0: {why}",))
    assert rows(found, "id", "package", "severity", "summary") == [
        ("AIRLIFT-UNKNOWN", "demo", "unknown", why)
    ]


def test_old_knowledge_finds_but_does_not_clear(world: World) -> None:
    """What it found still counts; what it did not find is unknown."""
    world.hear(made(carried(osv("GHSA-1", severity=scored(V8_8)))))
    found = world.ask("vulns", now="2026-04-20T06:00:00Z")
    assert [rule for rule, _, _ in told(found)] == ["GHSA-1"]
    assert found.verdict is Verdict.UNKNOWN
    assert found.reason == "catalogue 1 is 49 days old, more than 30"


def test_what_cannot_be_ordered_is_unknown(world: World) -> None:
    """A bound that is no version may mean this one or not."""
    world.hear(made(carried(osv("GHSA-1", fixed="soon"))))
    found = world.ask("vulns")
    assert found.unknown == ("demo 1.0: nobody can tell whether it is meant by GHSA-1",)


def test_what_nobody_looked_up_is_not_called_unexploited(world: World) -> None:
    """Unknown, not listed, listed: three answers."""
    looked: Any = {"kev": {"as_of": ADVISED}, "epss": {"as_of": ADVISED}}
    world.hear(
        made(
            carried(osv("GHSA-1", aliases=["CVE-2026-1"])),
            carried(osv("GHSA-2", aliases=["CVE-2026-2"]), looked),
        )
    )
    found = world.ask("vulns")
    assert rows(found, "id", "kev", "epss") == [
        ("CVE-2026-1", "unknown", "unknown"),
        ("CVE-2026-2", "not listed", "no score"),
    ]


def test_an_unrated_one_counts_as_high_and_says_so(world: World) -> None:
    """It must not pass below the bound for want of a number."""
    world.hear(made(carried(osv("GHSA-1"))))
    found = world.ask("vulns")
    assert told(found)[0][:2] == ("GHSA-1", "high")
    assert rows(found, "score") == [("unrated",)]
    assert found.findings[0].evidence["rated_by"] == "nobody: counted as high"


def test_a_malicious_package_is_critical_and_nothing_fixes_it(world: World) -> None:
    """It is removed, not updated."""
    world.hear(made(carried(osv("MAL-2026-9", fixed="1.5"))))
    (one,) = world.ask("vulns").findings
    assert (one.kind, one.severity, one.fix) == (
        *("malicious-package", Severity.CRITICAL, None),
    )
    assert one.title == (
        "demo 1.0: MAL-2026-9: demo breaks (the package is an attack: remove it, and"
        " look at where it ran)"
    )


def test_a_fix_that_is_held_costs_nothing(world: World) -> None:
    """It only has to be installed."""
    world.bring(wheels(NEW, name="newer"))
    world.hear(made(carried(osv("GHSA-1"))))
    found = world.ask("vulns")
    assert [one.fix for one in found.findings] == [
        Fix(to="1.5", delta_bytes=0, in_catalogue=True)
    ]
    assert rows(found, "installed", "in_catalogue") == [("1.0", "1.5 is held")]


def test_a_fix_the_catalogue_has_not_is_named_all_the_same(world: World) -> None:
    """Somebody can ask for it."""
    record = osv("GHSA-1", fixed="2.0")
    world.hear(made(carried(record)))
    found = world.ask("vulns")
    assert [one.fix for one in found.findings] == [Fix(to="2.0")]
    assert rows(found, "fixed_in", "in_catalogue") == [("2.0", "no")]


def test_what_weighs_most_comes_first(world: World) -> None:
    """Exploited before critical; the parts of the sum are shown, not only the sum."""
    own: Any = {"kev": {"as_of": ADVISED, "added": "2026-02-02"}}
    world.hear(
        made(
            carried(osv("GHSA-bad", severity=scored(V9_8))),
            carried(osv("GHSA-used", severity=scored(V8_8), aliases=[CVE]), own),
        )
    )
    found = world.ask("vulns")
    assert rows(found, "id", "risk") == [
        (CVE, "1201 = kev 1000 + high 200 + age 1"),
        ("GHSA-bad", "401 = critical 400 + age 1"),
    ]


def test_what_waits_is_looked_at_and_what_was_retired_is_not(world: World) -> None:
    """What may go live tomorrow matters; what is served to nobody does not."""
    world.bring(wheels("other-1.0-py3-none-any.whl", name="waits"), live=False)
    with world.registry() as registry:
        live = [one.id for one in registry.releases(state=State.LIVE)]
        registry.deactivate(live, now=TODAY, actor="ann")
    other = catalogues.package("other", as_of=ISSUED, advised=ADVISED)
    record = carried(osv("GHSA-1", "other"))
    world.hear(made(record, carried(osv("GHSA-2")), packages=(DEMO, other)))
    found = world.ask("vulns")
    assert rows(found, "id", "package", "state") == [("GHSA-1", "other", "quarantine")]


def seen(host: str, *packages: SeenPackage, runtimes: Any = ()) -> Observation:
    """Return what a host holds, as it was seen there."""
    place = Environment(label="serving", python="3.12.1", packages=packages)
    return Observation(
        host=host,
        time=TODAY,
        tool="airlift test",
        looked=("serving",),
        environments=(place,),
        runtimes=tuple(Runtime(name=name, version=own) for name, own in runtimes),
    )


def package(name: str, version: str) -> SeenPackage:
    """Return an installed package."""
    return SeenPackage(name=name, version=version, content=None, files=1)


def test_what_runs_on_hosts_is_looked_at_too(world: World) -> None:
    """A container holds what no delivery brought; and old versions live on hosts."""
    engine = catalogues.package("engine", as_of=ISSUED, advised=ADVISED)
    record = carried(osv("GHSA-2", "engine", fixed="2.0"))
    world.hear(made(carried(osv("GHSA-1")), record, packages=(DEMO, engine)))
    take(world, seen("gpu-1", package("demo", "1.0"), package("engine", "1.9")))
    take(world, seen("gpu-2", package("demo", "1.0"), runtimes=[("Engine", "1.8")]))
    found = world.ask("vulns")
    columns = ("id", "kind", "package", "installed", "state", "hosts")
    assert rows(found, *columns) == [
        ("GHSA-1", "wheel", "demo", "1.0", "live", ("gpu-1", "gpu-2")),
        ("GHSA-2", "runtime", "engine", "1.8", "declared", ("gpu-2",)),
        ("GHSA-2", "runtime", "engine", "1.9", "observed", ("gpu-1",)),
    ]
    assert [one.subject.hosts for one in found.findings] == [
        *(("gpu-1", "gpu-2"), ("gpu-2",), ("gpu-1",)),
    ]
    assert found.unknown == ()
    narrowed = world.ask("vulns", "gpu-1")
    assert rows(narrowed, "package") == [("demo",), ("engine",)]


def test_a_version_on_a_host_that_cannot_be_ordered_is_unknown(world: World) -> None:
    """Somebody built it by hand: no advisory says anything of it."""
    world.hear(made())
    take(
        world, seen("gpu-1", package("demo", "from-git"), runtimes=[("ollama", "0.9")])
    )
    found = world.ask("vulns")
    assert found.unknown == (
        "demo from-git: `from-git` has no place in the order of versions",
        "ollama 0.9: catalogue 1 does not watch it",
    )


@pytest.mark.parametrize("item", ["demo", "demo==1.0", "demo@1.0", "tools", "other"])
def test_an_answer_can_be_narrowed(world: World, item: str) -> None:
    """To a package, a version or a set; a name that is not here is unknown."""
    world.hear(made(carried(osv("GHSA-1"))))
    found = world.ask("vulns", item)
    if item == "other":
        assert found.unknown == ("other: nothing of that name is held",)
    else:
        assert (len(found.findings), found.unknown) == (1, ())


def test_a_finding_keeps_its_id(world: World) -> None:
    """A waiver must hold when the record gets a better summary and a score."""
    world.hear(made(carried(osv("GHSA-1", aliases=[CVE]))))
    before = world.ask("vulns").findings[0].id
    better = osv("GHSA-1", aliases=[CVE], summary="it breaks", severity=scored(V9_8))
    again = made(carried(better), carried(osv("PYSEC-1", aliases=[CVE])))
    world.hear(catalogues.after(made(carried(osv("GHSA-1", aliases=[CVE]))), TODAY))
    world.hear(
        catalogues.after(
            catalogues.after(made(carried(osv("GHSA-1", aliases=[CVE]))), TODAY),
            "2026-03-06T06:00:00Z",
            advisories=again.advisories,
        )
    )
    (found,) = world.ask("vulns", now="2026-03-07T06:00:00Z").findings
    assert (found.id, found.severity) == (before, Severity.CRITICAL)
