"""What upstream has newer, and what it took back (Q4a and Q9)."""

from dataclasses import replace
from pathlib import Path

import pytest

import advised
import catalogues
from airlift.artifact import Json
from airlift.audit.finding import Fix, Verdict
from airlift.format.catalogue import Advisory, Catalogue, Feed
from airlift.format.catalogue_entries import Item, KnownFile, Package, Seen, Standing
from audited import World, model, rows, told, wheels

WEEK, NEXT = "2026-03-02T06:00:00Z", "2026-03-09T06:00:00Z"
LATER = "2026-03-12T06:00:00Z"
DEMO = "demo-1.0-py3-none-any.whl"


@pytest.fixture(name="world")
def _world(tmp_path: Path) -> World:
    return World(tmp_path)


def item(**changes: object) -> Item:
    """Return what upstream has of ``org/model``: the revision held, but for *changes*."""
    config = model()[0].files[0]
    found = catalogues.item(
        as_of=WEEK,
        revision="a" * 40,
        licence="mit",
        files=(KnownFile(path="config.json", size=2, sha256=config.sha256),),
    )
    return replace(found, **changes)  # type: ignore[arg-type]


NEWER = item(
    revision="b" * 40,
    earlier=(
        Seen(revision="c" * 40, as_of=WEEK),
        Seen(revision="a" * 40, as_of="2026-02-10T06:00:00Z"),
    ),
)


def package(**changes: object) -> Package:
    """Return what upstream has of ``demo``, of which 1.0 is held."""
    found = catalogues.package("demo", "1.2", "1.1", "1.0", as_of=WEEK, advised=WEEK)
    return replace(found, **changes)  # type: ignore[arg-type]


def catalogue(*items: Item, **changes: object) -> Catalogue:
    """Return the catalogue of ``WEEK``; the wheel set is watched and current."""
    tools, _ = wheels(DEMO)
    own = catalogues.item(
        "tools",
        kind=tools.kind,
        as_of=WEEK,
        revision=tools.revision,
        refs=(),
        files=(),
    )
    made = catalogues.of(
        *(items or (item(),)),
        own,
        packages=(
            package(newest="1.0", versions=(catalogues.version("demo", "1.0"),)),
        ),
        feed=Feed(as_of=WEEK, problem="", records=1),
        issued=WEEK,
        next_expected=NEXT,
        valid_until="2026-05-01T06:00:00Z",
    )
    return replace(made, **changes)  # type: ignore[arg-type]


@pytest.fixture(name="stocked")
def _stocked(world: World) -> World:
    world.bring(model(), wheels(DEMO))
    return world


# --- outdated ---------------------------------------------------------------------


def test_what_is_the_newest_passes(stocked: World) -> None:
    """Of every held thing the catalogue says that upstream has no newer one."""
    stocked.hear(catalogue())
    found = stocked.ask("outdated")
    assert (found.verdict, found.rows, found.why) == (Verdict.PASS, (), "")
    assert found.counts == {"looked at": 3, "behind": 0}


def test_how_far_behind_and_what_it_takes_is_told(stocked: World) -> None:
    """Steps, days, how far the change goes, bytes: what decides on a medium."""
    config = KnownFile(path="config.json", size=700, sha256=catalogues.digest("new"))
    stocked.hear(catalogue(replace(NEWER, files=(config, *item().files[1:]))))
    found = stocked.ask("outdated", now=LATER)
    columns = ("number", "name", "have", "newest", "behind", "days", "class")
    assert rows(found, *columns) == [
        (
            *(0, "org/model", "a" * 40, "b" * 40),
            *(2, 30, "behaviour without weights"),
        )
    ]
    assert rows(found, "full_bytes", "delta_bytes", "licence") == [(700, 700, "")]
    (one,) = found.findings
    assert (one.id, one.severity, one.arrived_in) == (one.id, "low", "2")
    assert one.title == ("org/model is 2 behind for 30 days: behaviour without weights")
    assert one.fix == Fix(to="b" * 40, delta_bytes=700, in_catalogue=True)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("README.md", "documentation only"),
        ("chat_template.jinja", "behaviour without weights"),
        ("model.safetensors", "weights"),
    ],
)
def test_the_class_is_told_by_the_files_that_differ(
    stocked: World, path: str, expected: str
) -> None:
    """A changed card and changed weights have different approval paths."""
    fresh = KnownFile(path=path, size=9, sha256=catalogues.digest("x"))
    files = tuple(sorted((*item().files, fresh), key=lambda one: one.path))
    stocked.hear(catalogue(replace(NEWER, files=files)))
    assert rows(stocked.ask("outdated"), "class") == [(expected,)]


@pytest.mark.parametrize(
    "uploaded",
    ["2026-02-20T07:08:09.123456Z", "2026-02-20T07:08:09+00:00", "", "at Easter"],
)
def test_a_time_as_an_index_spells_it_is_no_obstacle(
    stocked: World, uploaded: str
) -> None:
    """With fractions of a second, or none at all: the answer must not end there."""
    newest = replace(catalogues.version("demo", "1.2"), uploaded=uploaded)
    held = catalogues.version("demo", "1.0")
    stocked.hear(catalogue(packages=(package(versions=(newest, held)),)))
    found = stocked.ask("outdated")
    days = 12 if uploaded.startswith("2026") else None
    assert rows(found, "name", "newest", "days") == [("demo", "1.2", days)]
    assert found.verdict is Verdict.FINDING


def test_a_licence_that_changes_weighs_more(stocked: World) -> None:
    """Who fetches the newest takes it under other terms."""
    stocked.hear(catalogue(replace(NEWER, licence="gpl-3.0")))
    found = stocked.ask("outdated")
    assert rows(found, "licence") == [("mit -> gpl-3.0",)]
    assert [severity for _, severity, _ in told(found)] == ["medium"]


def test_advisories_that_the_newest_closes_are_named(stocked: World) -> None:
    """Most updates can wait; these cannot."""
    events: list[Json] = [{"introduced": "0"}, {"fixed": "1.1"}]
    affected: list[Json] = [
        {"package": "demo", "ranges": [{"events": events}], "versions": ()}
    ]
    advisory = Advisory(
        id="GHSA-1", record={"affected": affected}, sha256=catalogues.digest("a")
    )
    stocked.hear(catalogue(packages=(package(),), advisories=(advisory,)))
    found = stocked.ask("outdated")
    assert rows(found, "name", "have", "newest", "behind", "closes") == [
        ("demo", "1.0", "1.2", 2, ["GHSA-1"])
    ]
    assert told(found)[0][1:] == (
        "medium",
        "demo is 2 behind for 104 days: packages; the newest closes an advisory",
    )


def test_what_is_most_pressing_comes_first(stocked: World) -> None:
    """Whoever has room for three of thirty reads from the top; the parts are shown."""
    own: dict[str, Json] = {
        "kev": {"as_of": WEEK, "added": "2026-02-02"},
        "epss": {"as_of": WEEK, "score": "0.5", "percentile": "0.9"},
    }
    worst = advised.osv(
        "CVE-2026-1", fixed="1.1", severity=advised.scored(advised.V9_8)
    )
    # The newest has it too: moving there helps nobody.
    stays = advised.osv("CVE-2026-2", fixed="", severity=advised.scored(advised.V9_8))
    config = KnownFile(path="config.json", size=700, sha256=catalogues.digest("new"))
    stocked.hear(
        catalogue(
            replace(NEWER, files=(config,)),
            packages=(package(),),
            advisories=advised.listed(
                advised.carried(worst, own), advised.carried(stays)
            ),
        )
    )
    found = stocked.ask("outdated")
    assert rows(found, "name", "closes", "risk") == [
        ("demo", ["CVE-2026-1"], "1453 = kev 1000 + critical 400 + epss 50 + age 3"),
        ("org/model", [], "20 = behaviour 20"),
    ]
    assert found.findings[1].evidence["risk"] == {
        "kev": 0,
        "epss": 0,
        "withdrawn": 0,
        "behaviour": 20,
        "age": 0,
    }


def test_what_upstream_took_back_is_pressing(stocked: World) -> None:
    """What is yanked should be moved away from, however small the step."""
    stocked.hear(catalogue(packages=(yanked(),)))
    assert rows(stocked.ask("outdated"), "name", "risk") == [
        ("demo", "303 = withdrawn 300 + age 3")
    ]


def test_nothing_is_current_without_a_catalogue(stocked: World) -> None:
    """The oldest lie of offline tools."""
    found = stocked.ask("outdated")
    assert (found.verdict, found.findings) == (Verdict.UNKNOWN, ())
    assert found.why == "no catalogue was ever imported: nothing is known of upstream"


def test_an_old_catalogue_finds_and_says_nothing_of_the_rest(stocked: World) -> None:
    """What it knew to be newer is newer still."""
    stocked.hear(catalogue(NEWER))
    found = stocked.ask("outdated", now="2026-04-05T06:00:00Z")
    assert found.verdict is Verdict.UNKNOWN
    assert found.why == "catalogue 1 is 34 days old, more than 30"
    assert rows(found, "name") == [("org/model",)]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"as_of": "2026-01-01T06:00:00Z"}, "63 days ago"),
        (
            {
                "as_of": "",
                "standing": Standing.UNKNOWN,
                "revision": "",
                "files": (),
                "problem": "HTTP 503",
            },
            "never",
        ),
    ],
)
def test_a_source_that_is_silent_is_unknown_by_name(
    stocked: World, changes: dict[str, object], why: str
) -> None:
    """The other entries of the same catalogue are answered for."""
    stocked.hear(catalogue(item(**changes)))
    found = stocked.ask("outdated")
    (line,) = found.unknown
    assert line.startswith("org/model: its source ")
    assert why in line


def test_what_nobody_watches_is_unknown_by_name(stocked: World) -> None:
    """No record is no knowledge."""
    stocked.hear(catalogue(catalogues.item("org/another", as_of=WEEK)))
    assert stocked.ask("outdated").unknown == (
        "org/model: the catalogue does not watch it",
    )


def test_items_narrow_what_is_unknown_too(stocked: World) -> None:
    """Whoever asks about one thing gets an answer about that."""
    stocked.hear(catalogue(catalogues.item("org/another", as_of=WEEK)))
    assert stocked.ask("outdated", "demo").verdict is Verdict.PASS
    assert stocked.ask("outdated", "org/model").verdict is Verdict.UNKNOWN
    assert stocked.ask("outdated", "nosuch").unknown == (
        "nosuch: nothing of that name is held",
    )


# --- withdrawn --------------------------------------------------------------------


def yanked(why: str = "broken", **changes: object) -> Package:
    """Return ``demo`` with the version that is held yanked."""
    versions = (
        catalogues.version("demo", "1.1"),
        catalogues.version("demo", "1.0", yanked=why),
    )
    return package(newest="1.1", versions=versions, **changes)


def test_a_yanked_wheel_is_a_finding(stocked: World) -> None:
    """With its reason, and what to move to."""
    stocked.hear(catalogue(packages=(yanked(),)))
    found = stocked.ask("withdrawn")
    assert rows(found, "name", "have", "what", "reason", "replacement", "held") == [
        ("demo", "1.0", "yanked", "broken", "1.1", True)
    ]
    (one,) = found.findings
    assert (one.rule, one.severity) == (f"yanked/{DEMO}", "medium")
    assert one.title == "demo 1.0 is yanked upstream: broken"
    assert one.fix == Fix(to="1.1", in_catalogue=True)


def test_a_quarantined_project_is_critical(stocked: World) -> None:
    """The index holds it to be malicious (PEP 792)."""
    stocked.hear(catalogue(packages=(package(status="quarantined", newest="1.0"),)))
    assert told(stocked.ask("withdrawn")) == [
        ("quarantined", "critical", "demo 1.0 is quarantined upstream")
    ]


@pytest.mark.parametrize(
    ("standing", "severity"),
    [(Standing.GATED, "low"), (Standing.GONE, "medium"), (Standing.DISABLED, "high")],
)
def test_a_model_that_upstream_no_longer_gives_is_a_finding(
    stocked: World, standing: Standing, severity: str
) -> None:
    """It cannot be fetched again, and somebody had a reason."""
    stocked.hear(catalogue(item(standing=standing, revision="", files=(), reason="r")))
    found = stocked.ask("withdrawn")
    assert told(found) == [
        (
            *(f"{standing.value}/org/model", severity),
            f"org/model {'a' * 12} is {standing.value} upstream: r",
        )
    ]
    assert found.verdict is Verdict.FINDING


def test_a_new_name_is_told(stocked: World) -> None:
    """Whoever watches the old one hears nothing any more."""
    stocked.hear(catalogue(item(moved_to="org/renamed")))
    found = stocked.ask("withdrawn")
    assert told(found) == [
        ("renamed/org/model", "info", "org/model is called org/renamed upstream by now")
    ]
    assert rows(found, "replacement") == [("org/renamed",)]


def test_what_an_earlier_catalogue_withdrew_stays_a_finding(stocked: World) -> None:
    """A catalogue that leaves a package out takes nothing back."""
    first = catalogue(packages=(yanked(),))
    stocked.hear(first)
    before = stocked.ask("withdrawn")
    stocked.hear(catalogues.after(first, NEXT, packages=()))
    after = stocked.ask("withdrawn", now=LATER)
    assert [one.id for one in after.findings] == [one.id for one in before.findings]
    assert after.unknown == ("demo: the catalogue does not watch it",)


def test_what_is_withdrawn_and_not_held_is_listed_without_a_finding(
    stocked: World,
) -> None:
    """Nobody here is touched by it, and nobody should ask for it."""
    gone = catalogues.item(
        "org/other", as_of=WEEK, standing=Standing.GONE, revision="", files=()
    )
    stocked.hear(catalogue(item(), gone))
    found = stocked.ask("withdrawn")
    assert (found.verdict, found.findings) == (Verdict.PASS, ())
    assert rows(found, "name", "what", "held") == [("org/other", "gone", False)]
