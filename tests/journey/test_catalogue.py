"""Building catalogues against upstreams that move, fall silent and take things back."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest

from airlift.artifact import Json, Kind, Pinned, PinnedFile, Wish
from airlift.digest import sha256
from airlift.errors import RequestError
from airlift.fetch import Settings
from airlift.format import catalogue, rule
from airlift.format.catalogue import Catalogue
from airlift.format.catalogue_entries import Item, KnownFile, Package, Seen, Standing
from airlift.outbound import cataloguing, rules
from airlift.outbound.catalogues import Last, Shelf
from airlift.outbound.cataloguing import Order, Upstreams
from airlift.progress import Silent
from airlift.sources import connect
from airlift.sources.wheels import Wheels
from airlift.trust import catalogue as trusted
from airlift.trust.quorum import quorum
from authority import key
from hubs.faults import Fault
from hubs.hub import Hub
from hubs.repository import Repo
from hubs.wheelhouse import Wheelhouse

MONDAYS = ("2026-03-02T06:00:00Z", "2026-03-09T06:00:00Z", "2026-03-16T06:00:00Z")
TINY = Wish(kind=Kind.MODEL, name="org/tiny", options={"revision": "main"})
INFO = "/api/models/org/tiny/revision/main"


@dataclass
class World:
    """Upstreams, and what was shipped from them."""

    hub: Hub
    index: Wheelhouse
    tiny: Repo
    shipped: list[Pinned] = field(default_factory=list)
    stated: list[Wish] = field(default_factory=lambda: [TINY])

    def build(
        self,
        week: int = 0,
        last: Catalogue | None = None,
        osv: Path | None = None,
        **more: Any,
    ) -> Catalogue:
        """Build the catalogue of a week; *more* is what else is ordered."""
        ends = {"huggingface": self.hub.url, "wheels": self.index.url}
        settings = Settings(endpoints=ends, token="")
        order = Order(
            stated=self.stated,
            shipped=self.shipped,
            osv=osv,
            now=MONDAYS[week],
            **more,
        )
        upstreams = Upstreams(
            sources=lambda kind: connect(kind, settings),
            project=Wheels(settings).project,
            pause=lambda _: None,
            progress=Silent(),
        )
        before = None
        if last is not None:
            digest = catalogue.identify(catalogue.encode(last))
            before = Last(catalogue=last, id=digest)
        made = cataloguing.build(order, upstreams, before)
        # Every one must be such that a site reads it.
        return catalogue.decode(catalogue.encode(made))

    def ship(self, *wheels: str, **upstream: Json) -> None:
        """Let *wheels* be what a site was sent."""
        files = tuple(PinnedFile(path=path, size=1) for path in sorted(wheels))
        self.shipped.append(
            Pinned(
                kind=Kind.WHEELS,
                name="tools",
                revision=sha256(b"tools"),
                files=files,
                upstream={
                    "requested": ("demo",),
                    "targets": ("python 3.12 on x86_64-manylinux_2_28",),
                    "endpoint": self.index.url,
                    **upstream,
                },
            )
        )


@pytest.fixture(name="world")
def _world() -> Iterator[World]:
    tiny = Repo("org/tiny", card={"license": "mit"})
    tiny.commit({"config.json": b"{}", "model.safetensors": b"first"})
    with Hub(tiny) as hub, Wheelhouse() as index:
        yield World(hub, index, tiny)


def item(made: Catalogue) -> Item:
    """Return the only item of *made*."""
    (found,) = made.items
    return found


def package(made: Catalogue, name: str = "demo") -> Package:
    """Return a package of *made*."""
    (found,) = (one for one in made.packages if one.name == name)
    return found


# --- artifacts --------------------------------------------------------------------


def test_an_answer_is_everything_upstream_says(world: World) -> None:
    """A site must be able to judge whether the newest is worth a medium."""
    made = world.build()
    found = item(made)
    assert (made.sequence, made.previous, made.issued) == (1, None, MONDAYS[0])
    assert (made.next_expected, made.valid_until) == (
        *(MONDAYS[1], "2026-05-01T06:00:00Z"),
    )
    commit = world.tiny.branches["main"]
    blobs = world.tiny.commits[commit]
    assert replace(found, facts={}, modified="") == Item(
        kind=Kind.MODEL,
        name="org/tiny",
        asked="org/tiny",
        options={"revision": "main"},
        source=world.hub.url,
        as_of=MONDAYS[0],
        revision=commit,
        refs=("main",),
        licence="mit",
        files=(
            KnownFile(path="config.json", size=2, git_oid=blobs["config.json"].oid),
            KnownFile(path="model.safetensors", size=5, sha256=sha256(b"first")),
        ),
    )


def test_steps_upstream_are_remembered(world: World) -> None:
    """So that a site can be told how far it is behind, and not only that it is."""
    commits = [world.tiny.branches["main"]]
    made = world.build(0)
    for week in (1, 2):
        commits.append(world.tiny.commit({"config.json": str(week).encode()}))
        made = world.build(week, made)
    assert item(made).revision == commits[2]
    assert item(made).earlier == (
        Seen(revision=commits[1], as_of=MONDAYS[1]),
        Seen(revision=commits[0], as_of=MONDAYS[0]),
    )


@pytest.mark.parametrize("status", [400, 503])
def test_silence_keeps_the_old_date_and_says_why(world: World, status: int) -> None:
    """One dead source must not look fresh because the catalogue is."""
    first = world.build(0)
    world.tiny.commit({"config.json": b"newer, and nobody can know"})
    world.hub.api.refusals[INFO] = Fault(status=status)
    second = world.build(1, first)
    assert item(second).problem
    assert replace(item(second), problem="") == item(first)
    assert cataloguing.unasked(second) == second.items
    assert (second.sequence, second.issued) == (2, MONDAYS[1])
    assert second.previous == catalogue.identify(catalogue.encode(first))


def test_what_never_answered_is_unknown(world: World) -> None:
    """Not "available": nobody has ever seen it."""
    world.hub.api.refusals[INFO] = Fault(status=400)
    found = item(world.build())
    assert (found.standing, found.as_of, found.revision) == (Standing.UNKNOWN, "", "")
    assert found.problem


@pytest.mark.parametrize(
    ("change", "standing", "reason"),
    [
        (
            {"gated": True},
            Standing.GATED,
            "model `org/tiny` is gated: its terms must be accepted",
        ),
        (
            {"private": True},
            Standing.GONE,
            "model `org/tiny` is not at {}, or is private",
        ),
        ({"disabled": True}, Standing.GONE, "model `org/tiny` was switched off by {}"),
    ],
)
def test_that_it_is_gone_is_an_answer(
    world: World, change: dict[str, bool], standing: Standing, reason: str
) -> None:
    """With today's date, and without a revision that would pass for the newest."""
    first = world.build(0)
    for name, value in change.items():
        setattr(world.tiny, name, value)
    second = item(world.build(1, first))
    assert (second.standing, second.reason) == (standing, reason.format(world.hub.url))
    assert (second.as_of, second.problem) == (MONDAYS[1], "")
    assert (second.revision, second.files, second.refs) == ("", (), ())
    assert [one.revision for one in second.earlier] == [item(first).revision]


def test_a_new_name_is_told(world: World) -> None:
    """A site that asks for the old one will get nothing some day."""
    world.hub._repos["models", "org/tiny"] = replace(world.tiny, name="org/grown")
    found = item(world.build())
    assert (found.name, found.moved_to) == ("org/tiny", "org/grown")


def test_what_was_only_shipped_is_watched_too(world: World) -> None:
    """Nobody should have to keep a list of what sites hold."""
    world.shipped.append(
        Pinned(
            kind=Kind.MODEL,
            name="org/tiny",
            revision="0" * 40,
            files=(),
            upstream={"requested": "0" * 40, "repository": "org/tiny"},
        )
    )
    world.stated.clear()
    found = item(world.build())
    assert found.options == {"revision": "main"}
    assert found.revision == world.tiny.branches["main"]


def test_nothing_to_watch_is_an_error(world: World) -> None:
    """An empty catalogue would say that all is well with everything."""
    world.stated.clear()
    with pytest.raises(RequestError) as caught:
        world.build()
    assert caught.value.problem == (
        "nothing is watched: nothing was shipped, and no manifest is given"
    )


def test_a_clock_behind_the_last_catalogue_is_found_out(world: World) -> None:
    """A site would refuse what is issued before the one it holds."""
    first = world.build(1)
    with pytest.raises(RequestError) as caught:
        world.build(0, first)
    assert caught.value.problem == (
        f"this host's clock says {MONDAYS[0]}, and catalogue 1 was made at {MONDAYS[1]}"
    )


# --- packages ---------------------------------------------------------------------


def test_the_newest_and_the_shipped_versions_are_told(world: World) -> None:
    """With the newest of the line that was shipped: a small step may be enough."""
    for number in ("1.0.0", "1.0.2", "1.1.0", "2.0.0", "3.0.0rc1"):
        world.index.add("demo", number)
    world.ship("demo-1.0.0-py3-none-any.whl")
    found = package(world.build())
    assert (found.source, found.as_of, found.newest) == (
        *(world.index.url, MONDAYS[0], "2.0.0"),
    )
    assert [one.version for one in found.versions] == ["2.0.0", "1.0.2", "1.0.0"]
    (file,) = found.versions[0].files
    data = world.index.shelved["demo-2.0.0-py3-none-any.whl"].data
    assert file == KnownFile(
        path="demo-2.0.0-py3-none-any.whl", size=len(data), sha256=sha256(data)
    )


def test_yanked_versions_are_not_the_newest(world: World) -> None:
    """And one that was shipped says why it should not be used."""
    for number in ("1.0", "1.1"):
        world.index.add("demo", number)
    for number, why in (("1.0", "broken"), ("1.1", True)):
        world.index.shelved[f"demo-{number}-py3-none-any.whl"].said["yanked"] = why
    world.index.add("demo", "0.9")
    world.ship("demo-1.0-py3-none-any.whl", "demo-1.1-py3-none-any.whl")
    found = package(world.build())
    assert found.newest == "0.9"
    told = {one.path: one.yanked for each in found.versions for one in each.files}
    assert told == {
        "demo-0.9-py3-none-any.whl": None,
        "demo-1.0-py3-none-any.whl": "broken",
        "demo-1.1-py3-none-any.whl": "",
    }


def test_the_status_of_a_project_is_told(world: World) -> None:
    """Quarantined on suspicion of malware is what a site must hear first."""
    world.index.add("demo", "1.0")
    world.index.statuses["demo"] = {"status": "quarantined", "reason": "malware"}
    world.ship("demo-1.0-py3-none-any.whl")
    found = package(world.build())
    assert (found.status, found.reason) == ("quarantined", "malware")


def test_a_shipped_file_that_left_its_index_is_missing(world: World) -> None:
    """Removed, not yanked: upstream may have had a reason that it does not tell."""
    world.index.add("demo", "1.1")
    world.ship("demo-1.0-py3-none-any.whl")
    found = package(world.build())
    assert [(one.version, len(one.files)) for one in found.versions] == [
        *(("1.1", 1), ("1.0", 0)),
    ]


def test_a_project_that_no_index_has_is_gone(world: World) -> None:
    """An answer, not silence."""
    world.ship("demo-1.0-py3-none-any.whl")
    found = package(world.build())
    assert (found.standing, found.reason) == (Standing.GONE, "no index has it")
    assert (found.as_of, found.newest) == (MONDAYS[0], "")


def test_an_index_that_is_silent_keeps_the_old_date(world: World) -> None:
    """As for every source."""
    world.index.add("demo", "1.0")
    world.ship("demo-1.0-py3-none-any.whl")
    first = world.build(0)
    world.index.add("demo", "1.1")
    world.index.api.refusals["/simple/demo/"] = Fault(status=400)
    second = package(world.build(1, first))
    assert second.problem
    assert replace(second, problem="") == package(first)


@pytest.mark.parametrize(
    ("tags", "wanted"),
    [
        ("py3-none-any", True),
        ("py2.py3-none-any", True),
        ("py2-none-any", False),
        ("cp312-cp312-manylinux_2_17_x86_64.manylinux2014_x86_64", True),
        ("cp39-abi3-manylinux_2_28_x86_64", True),
        ("cp313-abi3-manylinux_2_28_x86_64", False),
        ("cp313-cp313-manylinux_2_28_x86_64", False),
        ("cp312-cp312-manylinux_2_28_aarch64", False),
        ("cp312-cp312-musllinux_1_2_x86_64", False),
        ("cp312-cp312-win_amd64", False),
        ("cp312-cp312-macosx_11_0_arm64", False),
        ("pp310-pypy310_pp73-manylinux_2_28_x86_64", False),
    ],
)
def test_only_what_the_targets_can_use_is_new(
    world: World, tags: str, *, wanted: bool
) -> None:
    """A newest version for another machine is none for this site."""
    world.index.add("demo", "1.0")
    world.index.add("demo", "2.0", tags=tags)
    world.ship("demo-1.0-py3-none-any.whl")
    world.stated = [TINY]
    found = package(world.build())
    assert found.newest == ("2.0" if wanted else "1.0")


def test_a_version_for_a_newer_python_is_not_new(world: World) -> None:
    """An installer on the site would pass over it."""
    world.index.add("demo", "1.0")
    world.index.add("demo", "2.0", python=">=3.13")
    world.ship("demo-1.0-py3-none-any.whl")
    assert package(world.build()).newest == "1.0"


# --- advisories -------------------------------------------------------------------


def record(name: str = "GHSA-1", **changes: Any) -> dict[str, Any]:
    """Return an advisory about every version of demo before 1.5."""
    events = [{"introduced": "0"}, {"fixed": "1.5"}]
    package = {"ecosystem": "PyPI", "name": "Demo"}
    return {
        "id": name,
        "modified": "2026-02-28T01:02:03.456Z",
        "summary": "it breaks",
        "affected": [
            {
                "package": package,
                "ranges": [{"type": "ECOSYSTEM", "events": events}],
                "versions": ["1.0", "1.4", "2.0"],
            }
        ],
        **changes,
    }


def feed(folder: Path, *records: object) -> Path:
    """Put *records* into a folder."""
    folder.mkdir()
    for number, one in enumerate(records):
        text = one if isinstance(one, str) else json.dumps(one)
        (folder / f"{number}.json").write_text(text)
    return folder


@pytest.fixture(name="packaged")
def _packaged(world: World) -> World:
    world.index.add("demo", "1.0")
    world.ship("demo-1.0-py3-none-any.whl")
    return world


def test_advisories_are_dated_by_the_newest_change_in_them(
    packaged: World, tmp_path: Path
) -> None:
    """Old records copied today know nothing of yesterday."""
    elsewhere = record("GHSA-2", modified="2026-03-01T00:00:00Z")
    elsewhere["affected"][0]["package"]["name"] = "another"
    future = record("GHSA-3", modified="2027-01-01T00:00:00Z", affected=[])
    made = packaged.build(osv=feed(tmp_path / "osv", record(), elsewhere, future))
    assert (made.feed.as_of, made.feed.records, made.feed.problem) == (
        *("2026-03-01T00:00:00Z", 3, ""),
    )
    assert [one.id for one in made.advisories] == ["GHSA-1"]
    assert package(made).advised == "2026-03-01T00:00:00Z"
    # What the range covers is not listed a second time.
    (affected,) = json.loads(json.dumps(made.advisories[0].record["affected"]))
    assert affected["versions"] == ["2.0"]


def test_a_zip_says_the_same_as_a_folder(packaged: World, tmp_path: Path) -> None:
    """Feeds are published as one; the digest is that of the records, not of the zip."""
    folder = feed(tmp_path / "osv", record())
    with ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.write(folder / "0.json", "deep/0.json")
    from_zip = packaged.build(osv=tmp_path / "all.zip")
    from_folder = packaged.build(osv=folder)
    assert (from_zip.feed, from_zip.advisories) == (
        *(from_folder.feed, from_folder.advisories),
    )


def test_a_record_that_cannot_be_read_is_named(packaged: World, tmp_path: Path) -> None:
    """One lost record may be the one that matters: nothing is complete then."""
    bad = record("GHSA-2")
    bad["affected"][0]["versions"] = 7
    made = packaged.build(osv=feed(tmp_path / "osv", record(), bad, "{"))
    assert made.feed.problem == (
        "2 records cannot be read, first `1.json`: `affected[0].versions` is integer,"
        " expected array"
    )
    assert package(made).advised == ""
    assert [one.id for one in made.advisories] == ["GHSA-1"]


def test_advisories_not_given_again_keep_their_date(
    packaged: World, tmp_path: Path
) -> None:
    """And packages watched since then have none: nobody looked."""
    first = packaged.build(0, osv=feed(tmp_path / "osv", record()))
    packaged.index.add("extra", "1.0")
    packaged.ship("extra-1.0-py3-none-any.whl")
    second = packaged.build(1, first)
    assert second.advisories == first.advisories
    assert second.feed == replace(first.feed, problem="no advisories were given")
    assert package(second).advised == package(first).advised != ""
    assert package(second, "extra").advised == ""


def test_a_place_without_records_is_refused(packaged: World, tmp_path: Path) -> None:
    """A wrong path must not read as "no advisories"."""
    for text in ("", "{}"):
        place = feed(tmp_path / f"osv{len(text)}", *([text] if text else []))
        with pytest.raises(RequestError) as caught:
            packaged.build(osv=place)
        assert caught.value.problem == (f"{place} holds no OSV record that can be read")


def test_a_feed_without_githubs_records_is_not_complete(
    packaged: World, tmp_path: Path
) -> None:
    """PyPA's own know next to nothing of what runs models: no clean bill by them."""
    made = packaged.build(osv=feed(tmp_path / "osv", record("PYSEC-2026-1")))
    assert made.feed.problem == (
        "none of the 1 records is GitHub's (`GHSA-`): this is not all that OSV publishes"
        " for PyPI"
    )
    assert package(made).advised == ""
    assert [one.id for one in made.advisories] == ["PYSEC-2026-1"]


def test_what_is_exploited_is_carried_and_keeps_its_date(
    packaged: World, tmp_path: Path
) -> None:
    """A week without the list must not look like a week in which nobody was hit."""
    entry = {"cveID": "CVE-2026-1000", "dateAdded": "2026-02-02"}
    listed = {"dateReleased": "2026-02-20T00:00:00Z", "vulnerabilities": [entry]}
    (tmp_path / "kev.json").write_text(json.dumps(listed))
    osv = feed(tmp_path / "osv", record(aliases=["CVE-2026-1000"]))
    first = packaged.build(0, osv=osv, kev=tmp_path / "kev.json")
    second = packaged.build(1, first, osv=osv)
    third = packaged.build(2, second)
    for made in (first, second, third):
        assert made.advisories[0].record["database_specific"] == {
            "kev": {"as_of": "2026-02-20T00:00:00Z", "added": "2026-02-02"}
        }


def test_rules_travel_with_every_catalogue(packaged: World, tmp_path: Path) -> None:
    """Those given this time, and no others, beside the advisories."""
    osv = feed(tmp_path / "osv", record())
    first = packaged.build(0, osv=osv, rules=rules.shipped())
    assert rule.stated(first) == rules.shipped()
    second = packaged.build(1, first, rules=rules.shipped()[:1])
    assert [one.id for one in second.advisories] == ["AIRLIFT-2026-0001", "GHSA-1"]
    third = packaged.build(2, second)
    assert [one.id for one in third.advisories] == ["GHSA-1"]


def test_a_runtime_that_was_never_shipped_can_be_watched(
    packaged: World, tmp_path: Path
) -> None:
    """A site's containers hold packages that no delivery brought."""
    packaged.index.add("engine", "2.0")
    about = record(name="GHSA-2")
    about["affected"][0]["package"]["name"] = "Engine"
    made = packaged.build(
        osv=feed(tmp_path / "osv", about), packages=("ENGINE", "demo")
    )
    assert [one.name for one in made.packages] == ["demo", "engine"]
    assert package(made, "engine").advised != ""
    assert [one.id for one in made.advisories] == ["GHSA-2"]


# --- the shelf --------------------------------------------------------------------


def test_catalogues_are_kept_and_found_by_their_id(
    world: World, tmp_path: Path
) -> None:
    """A request names one by its id, months later."""
    cat = key("cat")
    shelf = Shelf(tmp_path / "catalogues")
    assert shelf.last() is None
    made = [world.build(0)]
    made.append(world.build(1, made[0]))
    for one in made:
        shelf.keep(one.sequence, trusted.sign(one, quorum([cat.public], 1), [cat]))
    last = shelf.last()
    assert last is not None
    assert (last.catalogue, last.id) == (made[1], _id(made[1]))
    assert shelf.find(_id(made[0])) == shelf.find(_id(made[0])[:16]) == made[0]
    assert shelf.find(sha256(b"another")) is None
    with pytest.raises(RequestError) as caught:
        shelf.keep(2, b"")
    assert caught.value.problem == ("catalogue 2 was made meanwhile by another airlift")


def _id(one: Catalogue) -> Any:
    return catalogue.identify(catalogue.encode(one))
