"""Pages as JSON: for whoever watches a site by program."""

import json
from typing import Any

import pytest

from airlift.artifact import Kind
from airlift.serve.access.scope import parse_all
from airlift.serve.access.scoped_shelf import ScopedShelf
from airlift.serve.dialect import Answer, Caller
from airlift.serve.page.answers import PLAIN
from page_world import DATA, GGUF, LLM, WHEEL, WHEELS, World, document

PAGES = sorted(PLAIN - {"audit"})


def told(answer: Answer) -> Any:
    """Return what an answer says as JSON."""
    assert answer.status == 200, answer
    assert dict(answer.headers)["Content-Type"] == "application/json"
    assert isinstance(answer.body, bytes)
    return json.loads(answer.body)


@pytest.mark.parametrize("name", PAGES)
def test_each_page_says_what_it_is_and_how_far_it_reaches(
    site: World, name: str
) -> None:
    """A figure without its date is read as today's."""
    found = told(site.get(f"/-/{name}.json"))
    newest = site.records.deliveries()[0]
    assert (found["schema"], found["page"], found["site"]) == (
        *("airlift.page/1", name),
        site.records.site(),
    )
    assert found["as_of"] == {"delivery": 3, "signed": newest.issued}


@pytest.mark.parametrize("name", PAGES)
def test_each_page_leads_to_its_json(site: World, name: str) -> None:
    """Nobody has to guess an address."""
    page = site.read("/" if name == "overview" else f"/-/{name}")
    assert f"/-/{name}.json" in page.links


def test_what_is_held_is_listed_whole(site: World) -> None:
    """Every release, in whatever state, with what tells it from others."""
    listed = told(site.get("/-/models.json"))["releases"]
    assert {one["id"] for one in listed} == set(site.ids.values())
    (one,) = (one for one in listed if one["id"] == site.ids[DATA])
    held = next(each for each in site.records.releases() if each.id == one["id"])
    assert one == {
        "id": site.ids[DATA],
        "kind": "dataset",
        "name": DATA,
        "revision": held.release.revision,
        "refs": ["main"],
        "state": "live",
        "denied": "",
        "pinned": "",
        "licence": "",
        "base_models": [],
        "files": 1,
        "bytes": 4,
        "delivery": 1,
        "imported": held.imported,
    }


def test_a_release_is_told_with_its_files(site: World) -> None:
    """With digests, so that what was fetched can be compared."""
    release = site.ids["org/waits"]
    found = told(site.get(f"/-/releases/{release}.json"))
    assert (found["state"], found["name"]) == ("quarantine", "org/waits")
    assert found["contents"] == [
        {"path": one.path, "bytes": one.size, "sha256": one.sha256}
        for one in site.records.files(site.ids["org/waits"])
    ]
    assert f"/-/releases/{release}.json" in site.read(site.release("org/waits")).links


def test_projects_deliveries_and_room_are_told(site: World) -> None:
    """What the tables of their pages show."""
    (foo,) = told(site.get("/-/wheels.json"))["projects"]
    assert foo["name"] == "foo-bar"
    first = foo["files"][0]
    assert (first["path"], first["version"], first["release"]) == (
        *(WHEEL, "1.0"),
        site.ids[WHEELS],
    )
    imports = told(site.get("/-/imports.json"))
    assert [one["sequence"] for one in imports["deliveries"]] == [3, 2, 1]
    assert imports["deliveries"][1]["releases"] == [site.ids[f"{LLM} 2"]]
    assert imports["events"][0]["action"] == "import"
    room = told(site.get("/-/storage.json"))
    assert room["exact"] is True
    assert room["bytes"] == sum(one["bytes"] for one in room["by_kind"])
    attention = told(site.get("/-/overview.json"))["needs_attention"]
    assert "1 release waits in quarantine." in attention


def test_nobody_reads_more_than_on_the_page(site: World) -> None:
    """Another spelling of a page must not be another door."""
    shelf = ScopedShelf(site.shelf, parse_all([f"models:{LLM}"]))
    caller = Caller(name="team")
    for name in PAGES:
        answer = site.get(f"/-/{name}.json", caller=caller, shelf=shelf)
        text = json.dumps(told(answer))
        assert [one for one in (GGUF, DATA, "org/waits") if one in text] == [], name
        assert "events" not in told(answer)
    hidden = site.get(f"/-/releases/{site.ids[DATA]}.json", caller=caller, shelf=shelf)
    assert hidden.status == 404
    audit = site.get("/-/audit.json", caller=caller, shelf=shelf)
    assert audit.status == 403


@pytest.mark.parametrize(
    "target",
    ["/-/nothing.json", "/-/audit.json", "/-/releases/x.json", "/-/.json"],
)
def test_what_there_is_not_is_not_made_up(site: World, target: str) -> None:
    """An empty document would say that there is nothing."""
    assert site.get(target).status == 404


def test_a_name_from_outside_cannot_act_on_a_terminal(own: World) -> None:
    """Whoever reads with curl reads on a terminal."""
    own.bring(document(Kind.DATASET, "org/odd", {}, licence="\x1b[2J\u202e"))
    answer = own.get("/-/models.json")
    assert isinstance(answer.body, bytes)
    assert answer.body.isascii()
    assert "\x1b[2J\u202e" in {one["licence"] for one in told(answer)["releases"]}
