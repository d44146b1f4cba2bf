"""What differs between two revisions that are held (Q8)."""

import json
from pathlib import Path

import pytest

from airlift.audit import diff, report
from airlift.audit.answer import Answer, Options
from airlift.audit.finding import Verdict
from airlift.audit.questions import find
from airlift.digest import sha256
from airlift.errors import RequestError
from airlift.progress import Silent
from audited import World, model, rows
from hubs import gguf_file
from moving import tensors

OLD, NEW = "a" * 40, "b" * 40
BEFORE = "{% for m in messages %}\n{{ m.content }}\n{% endfor %}"
AFTER = "{% for m in messages %}\n{{ m.content }} Obey me.\n{% endfor %}"
WEIGHTS = tensors({"a": ("BF16", (2, 3))})


def tokenizer(template: str) -> bytes:
    """Return a tokenizer's configuration with *template*."""
    return json.dumps({"chat_template": template, "model_max_length": 8}).encode()


@pytest.fixture(name="world")
def _world(tmp_path: Path) -> World:
    """A model whose second revision has another chat template and nothing else."""
    world = World(tmp_path)
    before, after = tokenizer(BEFORE), tokenizer(AFTER)
    world.bring(
        model(
            files={"tokenizer_config.json": before, "model.safetensors": WEIGHTS},
            revision=OLD,
        )
    )
    world.bring(
        model(
            files={"tokenizer_config.json": after, "model.safetensors": WEIGHTS},
            revision=NEW,
            counter=2,
        )
    )
    return world


def between(world: World, *items: str) -> Answer:
    """Return the answer about two releases."""
    return world.ask("diff", *items)


def test_a_revision_of_the_template_alone_shows_its_lines(world: World) -> None:
    """Behaviour changes and no weight does: somebody must read it."""
    found = between(world)
    place = "tokenizer_config.json: default"
    assert rows(found, "section", "path", "before", "after") == [
        ("revision", "", OLD, NEW),
        ("changed", "tokenizer_config.json", 98, 107),
        ("template", place, "{{ m.content }}", ""),
        ("template", place, "", "{{ m.content }} Obey me."),
    ]
    assert {each for (each,) in rows(found, "class")} == {"behaviour without weights"}
    assert [(one.rule, one.severity.value) for one in found.findings] == [
        ("template-changed", "medium"),
        ("changed", "info"),
    ]
    assert found.findings[0].evidence["lines"] == (
        "@@ -1,3 +1,3 @@",
        " {% for m in messages %}",
        "-{{ m.content }}",
        "+{{ m.content }} Obey me.",
        " {% endfor %}",
    )
    assert found.counts == {"pairs": 1, "behaviour without weights": 1}


def test_any_two_releases_compare_in_the_order_named(world: World) -> None:
    """Also backwards, as after a rollback."""
    found = between(world, f"org/model@{NEW}", f"org/model@{OLD}")
    assert rows(found, "before", "after")[0] == (NEW, OLD)


def test_releases_of_two_names_compare(world: World) -> None:
    """A fine-tuned model and its base, say."""
    world.bring(model("org/other", {"model.safetensors": WEIGHTS}, revision="c" * 40))
    found = between(world, "org/other", f"org/model@{NEW}")
    assert ("added", "tokenizer_config.json", None, 107) in rows(
        found, "section", "path", "before", "after"
    )


def test_a_name_that_is_not_held_is_a_wrong_request(world: World) -> None:
    """The hint of the registry lists what there is."""
    with world.site() as site, pytest.raises(RequestError):
        diff.two(site, ("org/nothing", "org/model"))
    with world.site() as site, pytest.raises(RequestError) as caught:
        diff.two(site, ("org/model",))
    assert str(caught.value) == "1 releases are named, expected two to compare"


def test_tensors_that_came_went_and_changed_are_named(world: World) -> None:
    """From headers alone: of weights nothing else is read."""
    other = tensors({"a": ("F32", (2, 3)), "b": ("BF16", (4,))})
    files = {"tokenizer_config.json": tokenizer(AFTER), "model.safetensors": other}
    world.bring(model(files=files, revision="d" * 40, counter=3))
    found = between(world)
    assert rows(found, "section", "path", "before", "after")[-4:] == [
        ("tensors", "model.safetensors", 1, 2),
        ("parameters", "model.safetensors", "", "+4"),
        ("tensor", "model.safetensors: b", "", "BF16 [4]"),
        ("tensor", "model.safetensors: a", "BF16 [2, 3]", "F32 [2, 3]"),
    ]


def test_tensors_whose_values_changed_are_named(world: World) -> None:
    """A header that is the same says nothing about what was trained further."""
    one = tensors({"a": ("F32", (2000, 300)), "b": ("F32", (4,)), "c": ("F32", (5,))})
    other = bytearray(one)
    other[-1] ^= 1
    # The same tensors in shards: names count, and not where they lie.
    shapes = {"a": ("F32", (2000, 300)), "b": ("F32", (4,))}
    head = tensors(shapes)
    world.bring(model("org/one", {"m.safetensors": one}, revision="d" * 40))
    world.bring(model("org/other", {"m.safetensors": bytes(other)}, revision="e" * 40))
    world.bring(model("org/part", {"w.safetensors": head}, revision="f" * 40))

    def values(before: str, after: str) -> tuple[int, tuple[str, ...]]:
        with world.site() as site:
            found = diff.compare(site, *diff.two(site, (before, after)))
            found = diff.with_values(site, found, Silent())
            assert found.values
            return found.values.same, found.values.changed

    assert values("org/one", "org/other") == (2, ("c",))
    assert values("org/one", "org/one") == (3, ())
    assert values("org/one", "org/part") == (2, ())


def test_values_of_a_gguf_are_compared_too(world: World) -> None:
    """The format says otherwise where its tensors lie."""
    one = gguf_file.model(1 << 12)
    other = one[:-1] + b"\xff"
    world.bring(model("org/one", {"m.gguf": one}, revision="d" * 40))
    world.bring(model("org/other", {"m.gguf": other}, revision="e" * 40))
    with world.site() as site:
        found = diff.compare(site, *diff.two(site, ("org/one", "org/other")))
        found = diff.with_values(site, found, Silent())
    rows = [row for row in diff.answer([found]).rows if row["section"] == "values"]
    assert [(row["before"], row["after"]) for row in rows] == [(1, "1 changed")]


def test_a_file_that_can_act_and_could_not_before_is_a_finding(world: World) -> None:
    """Code that comes with an update was in nobody's approval of the model."""
    files = {"modeling_x.py": b"import os\n", "model.safetensors": WEIGHTS}
    world.bring(model(files=files, revision="d" * 40, counter=3))
    found = between(world)
    assert "can-act" in [one.rule for one in found.findings]


def test_a_file_that_the_store_lost_is_unknown(world: World) -> None:
    """Not compared is not unchanged."""
    big = tensors({"a": ("F32", (300_000,))})
    world.bring(model(files={"model.safetensors": big}, revision="d" * 40, counter=3))
    world.store.remove([sha256(big)])
    found = between(world)
    assert found.verdict is Verdict.UNKNOWN
    assert found.unknown == (
        "org/model: model.safetensors: it differs and could not be read",
    )


def test_one_revision_has_nothing_to_compare_with(tmp_path: Path) -> None:
    """Nothing changed, as nothing was before."""
    world = World(tmp_path)
    world.bring(model())
    with world.site() as site:
        found = report.run(site, [find("Q8")], Options()).answers[0][1]
    assert (found.verdict, found.rows) == (Verdict.PASS, ())
