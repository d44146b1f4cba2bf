"""What the files of models can do (Q6), and that it is looked for once."""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

import hostile_pickles
from airlift.artifact import Json, Kind
from airlift.audit import models
from airlift.audit.answer import Answer, Options
from airlift.audit.facts import gathering, record, releases
from airlift.audit.facts.model_facts import ModelFacts
from airlift.audit.facts.rules import RULES
from airlift.audit.finding import Severity, Verdict
from airlift.digest import Sha256, sha256
from airlift.payload import file_facts
from airlift.payload.face import role_of
from airlift.payload.file_look import look
from airlift.progress import Advance, Silent
from airlift.registry.blob_facts import BlobFacts
from airlift.store.blobs import BlobStore
from airlift.store.span import Span
from audited import TODAY, World, model, rows, wheels
from hubs import gguf_file
from moving import tensors

WEIGHTS = tensors({"a": ("BF16", (2, 3)), "b": ("F32", (5,))})
NAME, PICKLE = hostile_pickles.HOSTILE["os.system in a torch zip"]
REMOTE = json.dumps({"auto_map": {"AutoModel": "modeling_x.X"}}).encode()


@pytest.fixture(name="world")
def _world(tmp_path: Path) -> World:
    return World(tmp_path)


def facts(world: World, name: str = "org/model") -> ModelFacts:
    """Return the facts of the newest release of *name*."""
    with world.site() as site:
        held = next(one for one in site.releases if one.release.name == name)
        return releases.facts_of(site, held)


def told(answer: Answer) -> list[tuple[str, str]]:
    """Return rule and severity of each finding, sorted."""
    return sorted((one.rule, one.severity.value) for one in answer.findings)


def test_a_sound_model_passes_and_says_what_it_is(world: World) -> None:
    """A row of nothing seen is a row: the auditor sees that it was looked at."""
    world.bring(model(files={"config.json": b"{}", "model.safetensors": WEIGHTS}))
    found = world.ask("models")
    assert (found.verdict, found.findings) == (Verdict.PASS, ())
    assert rows(found, "model", "state", "check", "evidence") == [
        (
            *("org/model", "live", "nothing seen"),
            "json, safetensors; parameters: 6 BF16, 5 F32",
        )
    ]
    assert found.counts == {"models": 1, "files": 2, "looked_into_now": 2, "pickles": 0}
    assert found.as_of == f"{file_facts.EDITION}T00:00:00Z"
    assert [one["name"] for one in found.scanners] == [
        *("airlift", "picklescan", "modelaudit-picklescan")
    ]


def test_a_hostile_pickle_is_critical_and_its_evidence_names_it(world: World) -> None:
    """What was found, by whom, in which file, from which delivery."""
    world.bring(model(files={NAME: PICKLE}))
    found = world.ask("models")
    assert told(found) == [("pickle-global", "high"), ("pickle-malicious", "critical")]
    (one,) = (each for each in found.findings if each.rule == "pickle-global")
    assert one.subject.digest == sha256(PICKLE)
    assert one.title == (
        f"org/model@aaaaaaaaaaaa: {NAME}: a pickle that imports more than weights need"
        " (posix.system)"
    )
    assert one.evidence["details"] == ("posix.system",)
    assert [each["verdict"] for each in one.evidence["scanned"]] == ["malicious"] * 2  # type: ignore[index, union-attr, call-overload]
    assert one.arrived_in == "2"


def test_the_same_bytes_are_one_finding(world: World) -> None:
    """Whoever waives it has looked at these bytes, wherever they lie."""
    first = model("org/one", {NAME: PICKLE})
    second = model("org/two", {NAME: PICKLE}, revision="b" * 40)
    world.bring(first)
    world.bring(second)
    found = world.ask("models")
    assert (len(found.rows), len(found.findings)) == (6, 2)
    assert found.findings[0].evidence["files"] == (
        f"org/one@aaaaaaaaaaaa: {NAME}",
        f"org/two@bbbbbbbbbbbb: {NAME}",
    )


def test_files_are_looked_into_once(world: World) -> None:
    """A weekly audit of the same weights must cost nothing."""
    world.bring(model(files={"config.json": REMOTE, NAME: PICKLE}))
    first, second = world.ask("models"), world.ask("models")
    assert first.counts["looked_into_now"] == 2
    assert second.counts["looked_into_now"] == 0
    assert (second.rows, second.findings) == (first.rows, first.findings)


def test_another_scanner_looks_at_pickles_again_and_at_nothing_else(
    world: World,
) -> None:
    """What an older one said of a pickle is not what a newer one says."""
    world.bring(model(files={"config.json": b"{}", NAME: PICKLE}))
    world.ask("models")
    with BlobFacts(world.home) as kept:
        wanted = [sha256(b"{}"), sha256(PICKLE)]
        plain = kept.known(wanted, [f"airlift {file_facts.EDITION}"], dict)
        assert set(plain) == {(sha256(b"{}"), "config.json")}
        assert kept.known(wanted, ["airlift 1999-01-01"], dict) == {}


def test_facts_are_told_while_somebody_imports(world: World) -> None:
    """An audit waits for nobody; it only cannot keep what it found."""
    world.bring(model())
    with world.registry() as registry, registry.exclusive("import"):
        assert world.ask("models").counts["looked_into_now"] == 1
    assert world.ask("models").counts["looked_into_now"] == 1
    assert world.ask("models").counts["looked_into_now"] == 0


class Moving(BlobStore):
    """A store whose packs a collection wrote again since it was asked where blobs lie."""

    def spans(self, wanted: Iterable[Sha256]) -> dict[Sha256, Span]:
        """Return where they were."""
        return {
            blob: replace(span, path=span.path.with_name("gone.pack"))
            for blob, span in super().spans(wanted).items()
        }


def test_a_file_that_was_moved_meanwhile_is_looked_for_again(world: World) -> None:
    """A collection beside an audit must not make files unknown."""
    world.bring(model(files={"config.json": REMOTE}))
    with world.site() as site:
        site.store = Moving(world.home / "store", readonly=True)
        found = models.ask(site, Options())
    assert (found.unknown, told(found)) == ((), [("auto-map", "medium")])


def test_two_questions_look_into_a_release_once(world: World) -> None:
    """What one found is what the other rests on, also where nothing can be kept."""
    world.bring(model(files={"config.json": REMOTE}))
    with world.site() as site:
        first = releases.facts_of_all(site, site.releases)
        again = releases.facts_of_all(site, site.releases)
    assert (first.looked, again.looked) == (1, 0)
    (held,) = site.releases
    assert again.models[held.id] is first.models[held.id]


def test_facts_are_kept_before_all_is_looked_into(world: World) -> None:
    """An audit that is broken off after hours of pickles has not worked in vain."""
    files = {f"{n:03d}-{NAME}": PICKLE + bytes(n) for n in range(3)}
    lot = 2 * gathering.SCANNED

    class Broken(Silent):
        """Somebody presses Ctrl-C when the third file was looked into."""

        @contextmanager
        def task(
            self, label: str, total: int | None, *, unit: str = "B"
        ) -> Iterator[Advance]:
            """Count files."""
            done: list[int] = []

            def advance(count: int) -> None:
                done.append(count)
                if len(done) == 3:
                    raise KeyboardInterrupt

            yield advance

    world.bring(model(files=files))
    with world.site() as site:
        (held,) = site.releases
        wanted = gathering.wanted(held, site.files(held)).values()
        with pytest.raises(KeyboardInterrupt):
            gathering.gather(site, wanted, Broken(), lot=lot)
    assert world.ask("models").counts["looked_into_now"] == 1


def test_a_file_the_store_lost_is_unknown(world: World) -> None:
    """Not looked at is not harmless."""
    world.bring(model(files={"model.safetensors": WEIGHTS}))
    world.store.remove([sha256(WEIGHTS)])
    found = world.ask("models")
    assert found.verdict is Verdict.UNKNOWN
    assert found.unknown == ("org/model: model.safetensors: it is not in the store",)


def test_items_narrow_it_and_a_wrong_name_is_unknown(world: World) -> None:
    """A typing error must not read as harmless."""
    world.bring(model("org/one"))
    world.bring(model("org/two", revision="b" * 40))
    assert rows(world.ask("models", "org/two"), "model") == [("org/two",)]
    assert world.ask("models", "org/tow").unknown == (
        "org/tow: nothing of that name is held",
    )


def test_a_denied_release_is_shown_and_is_no_finding(world: World) -> None:
    """Nobody can be served it."""
    world.bring(model(files={NAME: PICKLE}))
    with world.registry() as registry:
        (held,) = registry.releases()
        registry.deny([held.id], why="bad", now=TODAY, actor="bob")
    found = world.ask("models")
    assert (found.verdict, found.findings) == (Verdict.PASS, ())
    assert {state for (state,) in rows(found, "state")} == {"denied"}


def test_a_shard_that_an_index_names_must_be_there(world: World) -> None:
    """A model that was cut short loads nowhere, or with random weights."""
    index = {
        "weight_map": {"a": "m-00001-of-00002.safetensors", "b": "gone.safetensors"}
    }
    files = {
        "sub/m.safetensors.index.json": json.dumps(index).encode(),
        "sub/m-00001-of-00002.safetensors": WEIGHTS,
    }
    world.bring(model(files=files))
    found = world.ask("models")
    assert rows(found, "file", "check", "evidence") == [
        (
            "sub/m.safetensors.index.json",
            "missing-shard",
            "gone.safetensors is named and not here",
        ),
        (
            "sub/m-00001-of-00002.safetensors",
            "missing-shard",
            "part 2 of 2 of sub/m.safetensors is not here",
        ),
    ]
    (one,) = found.findings
    assert one.subject.purl == f"pkg:huggingface/org/model@{'a' * 40}"


def test_what_upstream_said_is_evidence_and_no_verdict(world: World) -> None:
    """Its scanners are others' opinion on the day it was fetched."""
    made, contents = model(files={"config.json": b"{}", NAME: PICKLE})
    flagged = tuple(
        replace(one, facts={"security": "unsafe" if one.path == NAME else "safe"})
        for one in made.files
    )
    world.bring((replace(made, files=flagged), contents))
    found = world.ask("models")
    assert ("upstream-flagged", "high") in told(found)
    assert {upstream for (upstream,) in rows(found, "upstream")} == {"unsafe"}
    assert {one.evidence.get("upstream_said") for one in found.findings} == {"unsafe"}


def test_wheel_sets_are_not_models(world: World) -> None:
    """They are programs by purpose; other questions are about them."""
    world.bring(wheels("demo-1.0-py3-none-any.whl"))
    assert world.ask("models").rows == ()


# --- what other questions ask ---------------------------------------------------


def test_the_predicates_of_rules_are_answered(world: World) -> None:
    """A rule of the catalogue joins them with versions of runtimes."""
    evil = b'{"chat_template": "{{ x.__class__ }}"}'
    files = {
        "config.json": REMOTE,
        "tokenizer_config.json": evil,
        "model.gguf": gguf_file.model(1 << 10),
        "extra.pkl": hostile_pickles.PLAIN,
    }
    world.bring(model(files=files))
    world.bring(model("org/plain", revision="b" * 40))
    found, plain = facts(world), facts(world, "org/plain")
    assert (found.has_auto_map, plain.has_auto_map) == (True, False)
    assert (found.has_pickle_weights, plain.has_pickle_weights) == (True, False)
    assert (found.template_rule, plain.template_rule) == (Severity.HIGH, None)
    assert found.formats == {"json", "gguf", "pickle"}
    assert found.quantisations == {"unknown"}
    assert found.is_complete


def test_layers_of_ollama_are_told_by_what_their_registry_says(world: World) -> None:
    """Their paths are digests; the same bytes may have another purpose elsewhere."""
    made, contents = model(
        "library/tiny",
        {
            "blobs/sha256-0": gguf_file.model(1 << 10),
            "blobs/sha256-1": b"{{ .Prompt }}",
        },
        kind=Kind.OLLAMA,
    )
    kinds = ("model", "template")
    layers = tuple(
        replace(one, facts={"media-type": f"application/vnd.ollama.image.{kind}"})
        for one, kind in zip(made.files, kinds, strict=True)
    )
    world.bring((replace(made, files=layers), contents))
    found = facts(world, "library/tiny")
    assert found.signs == ()
    assert found.files["blobs/sha256-0"].architecture == "llama"
    assert found.files["blobs/sha256-1"].templates == {
        "default": sha256(b"{{ .Prompt }}")
    }


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("config.json", REMOTE),
        ("model.gguf", gguf_file.model(1 << 10)),
        ("model.safetensors", WEIGHTS),
        ("chat_template.jinja", b"{{ x.__class__ }}"),
    ],
)
def test_facts_survive_being_kept(name: str, data: bytes) -> None:
    """The second audit must say what the first said."""
    found = look(
        name, len(data), lambda start, stop: data[start:stop], role_of(name, {})
    )
    assert record.from_table(json.loads(json.dumps(record.table(found)))) == found


def test_facts_of_a_later_airlift_are_looked_for_again(world: World) -> None:
    """A rule it does not know must not end the audit."""
    world.bring(model())
    key = (sha256(b"{}"), "config.json")
    sign: Json = {"rule": "new", "detail": ""}
    later: dict[str, Json] = {"format": "json", "class": "data", "signs": [sign]}
    with BlobFacts(world.home) as kept:
        kept.keep({key: (f"airlift {file_facts.EDITION}", later)}, now=TODAY)
    assert world.ask("models").counts["looked_into_now"] == 1
    assert world.ask("models").counts["looked_into_now"] == 0


def test_the_question_is_asked_like_others(world: World) -> None:
    """A report holds it as it holds all."""
    world.bring(model())
    with world.site() as site:
        assert models.ask(site, Options()).question == "Q6"
        assert gathering.wanted(site.releases[0], site.files(site.releases[0]))


def test_every_rule_is_in_the_document_with_its_severity() -> None:
    """Who reads a finding looks its rule up there."""
    page = Path(__file__).parent.parent.parent.parent / "docs" / "model-files.md"
    listed: dict[str, str] = {}
    for line in page.read_text().splitlines():
        if line.startswith("| `"):
            names, severities, _ = line.strip("| ").split(" | ")
            each = severities.split(", ")
            for at, name in enumerate(names.split(", ")):
                listed[name.strip("`")] = each[min(at, len(each) - 1)]
    assert listed == {rule.value: told[0].value for rule, told in RULES.items()}
