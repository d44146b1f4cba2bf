"""What ``airlift update`` prints: enough to approve from, and nothing that misleads."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from airlift.cli import telling_news
from airlift.cli.telling_news import Told
from airlift.outbound import updating
from airlift.outbound.updating import Survey
from hubs.hub import Hub
from hubs.repository import Repo
from moving import Desk, model, tensors

FIRST = {
    "config.json": b'{"hidden_size": 8}',
    "model.safetensors": tensors({"a": ("F32", (64, 512))}),
}
SECOND = {
    "config.json": b'{"hidden_size": 8, "note": "\\u001b[2J"}',
    "model.safetensors": tensors({"a": ("F32", (64, 512))}, seed=2),
}
WEIGHTS = "weights, same architecture"
WISHES = (model(licences=("mit",)), model("org/other"))


class World:
    """A connected side with two sites, and what it follows.

    Attributes:
        lock: The lock that was written, as far as what is printed goes.
    """

    def __init__(self, folder: Path, capture: pytest.CaptureFixture[str]) -> None:
        self.repo, other = (
            Repo(name, card={"license": "mit"}) for name in ("org/tiny", "org/other")
        )
        self.first = self.repo.commit(dict(FIRST))[:12]
        self.other = other.commit({"config.json": b"{}"})[:12]
        self.hub = Hub(self.repo, other)
        sites = ("plant7", "plant8")
        self.desk = Desk(folder, {"huggingface": self.hub.url}, sites)
        self.lock: Path | None = None
        self._capture = capture

    def said(self, *sites: str, as_json: bool = False) -> str:
        """Return what is printed about *sites*."""
        office = self.desk.office()
        survey = Survey(updating.ask(WISHES, office), office)
        news = tuple(survey.of(site) for site in sites or ("plant7",))
        told = Told(manifest=Path("weekly.toml"), news=news, lock=self.lock)
        self._capture.readouterr()
        telling_news.show(told, as_json=as_json)
        return self._capture.readouterr().out


@pytest.fixture(name="world")
def _world(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[World]:
    world = World(tmp_path, capsys)
    with world.hub:
        yield world


def test_a_first_look_says_what_would_come(world: World) -> None:
    """Size, licence and parameters decide whether anybody wants it at all."""
    assert world.said().splitlines() == [
        f"new: model org/tiny  {world.first}  [plant7]",
        "  2 files, 131 kB",
        "  licence: (none) -> mit",
        "  tensors of model.safetensors: 1, 32768 parameters",
        f"new: model org/other  {world.other}  [plant7]",
        "  1 files, 2 B",
        "  licence: (none) -> mit",
        "",
        "plant7: 2 new; no delivery yet",
        "  in full: at most 131 kB",
        "  to fetch for org/tiny: config.json, model.safetensors",
        "  to fetch for org/other: config.json",
        "next: `airlift update weekly.toml --write-lock`",
    ]


def test_what_moved_is_shown_with_what_to_do_next(world: World) -> None:
    """The next command is the one that carries exactly what was read."""
    world.desk.send(*WISHES)
    second = world.repo.commit(dict(SECOND))[:12]
    world.lock = Path("weekly.lock")
    sent = "[plant7], last sent in delivery 1"
    assert world.said().splitlines() == [
        f"changed: model org/tiny  {world.first} -> {second}: {WEIGHTS}  {sent}",
        "  file changed: config.json  18 B -> 39 B",
        "  file changed: model.safetensors  131 kB -> 131 kB",
        "  tensors of model.safetensors: all 1 of the same name, type and shape",
        '  setting config.json: note: (none) -> "\\u001b[2J"',
        f"unchanged: model org/other  {world.other}  {sent}",
        "",
        "plant7: 1 changed, 1 unchanged; last delivery 1",
        "  in full: at most 131 kB",
        "  --build-on last: at most 131 kB, of which 131 kB are unknown until fetched",
        "  to fetch for org/tiny: config.json, model.safetensors",
        "wrote weekly.lock",
        "next: `airlift export weekly.lock --site plant7 --build-on last --to FOLDER`",
    ]


def test_what_fails_says_what_is_kept(world: World) -> None:
    """Nothing that was not answered may read as unchanged."""
    world.desk.send(*WISHES)
    world.repo.card["license"] = "other"
    world.hub.remove("org/other")
    world.lock = Path("weekly.lock")
    assert world.said().splitlines() == [
        "does not fit: model org/tiny  [plant7], last sent in delivery 1",
        "  `org/tiny` is under `other`; `licences` allows mit",
        "  hint: read the licence, then allow it in the manifest or keep what is held",
        f"  kept as it is: {world.first}",
        "gone upstream: model org/other  [plant7], last sent in delivery 1",
        f"  model `org/other` is not at {world.hub.url}, or is private",
        "  hint: check its spelling; for a private one, set HF_TOKEN",
        f"  kept as it is: {world.other}",
        "",
        "plant7: 1 gone upstream, 1 does not fit; last delivery 1",
        "wrote weekly.lock",
        "left out of it, and so kept as they are: org/tiny, org/other",
    ]


def test_sites_that_are_equally_far_are_told_once(world: World) -> None:
    """Ten sites with one change are one change to approve."""
    world.desk.send(*WISHES)
    world.desk.send(*WISHES, site="plant8")
    world.repo.commit({**FIRST, "config.json": b'{"hidden_size": 9}'})
    lines = world.said("plant7", "plant8").splitlines()
    heads = [line.partition("  [")[2] for line in lines if "  [" in line]
    assert heads == ["plant7, plant8], last sent in delivery 1"] * 2
    assert [line for line in lines if line.startswith("plant")] == [
        "plant7: 1 changed, 1 unchanged; last delivery 1",
        "plant8: 1 changed, 1 unchanged; last delivery 1",
    ]


def test_a_template_cannot_move_the_cursor(world: World) -> None:
    """Whoever approves must see the change, not what the change wants to be seen."""
    world.desk.send(*WISHES)
    world.repo.commit({**FIRST, "chat_template.jinja": b"a\x1b[2Jb\nc"})
    out = world.said()
    assert "\x1b" not in out
    assert [line for line in out.splitlines() if line.startswith("    ")] == [
        "    @@ -0,0 +1,2 @@",
        "    +a\\x1b[2Jb",
        "    +c",
    ]


def test_a_quantisation_is_one_line_and_another_shape_is_named(world: World) -> None:
    """Hundreds of tensors of another type are one fact; one of another shape is one too."""
    shapes = {f"w{n}": ("F32", (8, 8)) for n in range(40)}
    world.repo.commit({"model.safetensors": tensors(shapes | {"h": ("F32", (4, 8))})})
    world.desk.send(*WISHES)
    less = {name: ("BF16", shape) for name, (_, shape) in shapes.items()}
    world.repo.commit({"model.safetensors": tensors(less | {"h": ("F32", (5, 8))})})
    lines = world.said().splitlines()
    at = next(n for n, line in enumerate(lines) if line.startswith("  tensors"))
    said = "0 added, 0 removed, 41 of another type or shape, 0 as before; parameters +8"
    assert lines[at : at + 3] == [
        f"  tensors of model.safetensors: {said}",
        "    ~ F32 -> BF16: 40 of the same shape",
        "    ~ h  F32 [4, 8] -> F32 [5, 8]",
    ]


def test_many_lines_of_one_sort_are_cut_and_counted(world: World) -> None:
    """A repository of a thousand files must not scroll the licence away."""
    world.desk.send(*WISHES)
    more = {f"note-{n:02}.txt": b"x" for n in range(30)}
    world.repo.commit({**FIRST, **more})
    lines = world.said().splitlines()
    assert len([line for line in lines if "file added: note-" in line]) == 20
    assert "  ... and 10 more: see --json" in lines


def test_programs_are_told_all_of_it(world: World) -> None:
    """A page or a ticket is made of it; nothing is cut there."""
    world.desk.send(*WISHES)
    second = world.repo.commit(dict(SECOND))
    world.hub.remove("org/other")
    told = json.loads(world.said(as_json=True))
    (site,) = told["sites"]
    changed, gone = site["entries"]
    assert (told["manifest"], told["lock"]) == ("weekly.toml", None)
    assert (site["site"], site["complete"], site["news"]) == ("plant7", False, True)
    assert (changed["state"], changed["revision"]) == ("changed", second)
    assert changed["changes"]["extent"] == "weights, same architecture"
    assert changed["changes"]["tensors"][0]["kept"] == 1
    assert changed["before"]["delivery"] == 1
    assert (gone["state"], gone["revision"], gone["changes"]) == (
        *("gone upstream", None, None),
    )
    assert gone["problem"].startswith("model `org/other` is not at ")
    assert site["estimates"][0]["unknown"] == site["estimates"][0]["carried"]
    assert site["to_fetch"] == [
        {"entry": 0, "path": "config.json"},
        {"entry": 0, "path": "model.safetensors"},
    ]
