"""What JSON files of model repositories name."""

import json

import pytest

from airlift.errors import FormatError
from airlift.payload import json_facts
from airlift.payload.json_facts import JsonFacts
from airlift.payload.signs import Rule, Sign


def read(value: object, name: str = "config.json") -> JsonFacts:
    """Return the facts of *value* as JSON."""
    return json_facts.read(json.dumps(value).encode(), name=name)


def test_code_is_found_at_any_depth() -> None:
    """Loaders of sub-models read nested settings too."""
    told = {"vision": {"auto_map": {"AutoModel": "modeling_x.X", "AutoConfig": "c.C"}}}
    assert read(told).auto_map == ("c.C", "modeling_x.X")
    assert read({"auto_map": ["tokenization_x.T", None]}).auto_map == (
        "tokenization_x.T",
    )


def test_escapes_hide_no_key() -> None:
    """JSON has more than one spelling of a name."""
    data = b'{"\\u0061uto_map": {"AutoModel": "other/repo--m.M"}}'
    assert json_facts.read(data, name="config.json").auto_map == ("other/repo--m.M",)


def test_a_word_of_a_vocabulary_is_no_code() -> None:
    """Vocabularies hold every word there is."""
    assert read({"vocab": {"auto_map": 17, "chat_template": 4}}) == JsonFacts()


def test_pipelines_are_found_in_both_spellings() -> None:
    """One is that of transformers, the other that of diffusers."""
    told = {"custom_pipelines": {"pair": {"impl": "pair.PairPipeline", "pt": ["Auto"]}}}
    assert read(told).pipelines == ("Auto", "pair.PairPipeline")
    assert read({"_class_name": ["my_pipeline", "Mine"]}).pipelines == (
        "my_pipeline.Mine",
    )
    assert read({"_class_name": "StableDiffusionPipeline"}).pipelines == ()


def test_every_template_is_kept_even_under_one_name() -> None:
    """The second of one name would hide the first."""
    listed = [
        {"name": "default", "template": "a"},
        {"name": "default", "template": "b"},
    ]
    assert read({"chat_template": listed}).templates == (
        ("default", "a"),
        ("default", "b"),
    )
    assert read({"chat_template": "c"}).templates == (("default", "c"),)


def test_shards_are_read_of_an_index_alone() -> None:
    """Another file's `weight_map` is its own affair."""
    told = {
        "weight_map": {
            "a": "x-1.safetensors",
            "b": "x-2.safetensors",
            "c": "x-1.safetensors",
        }
    }
    assert read(told, "model.safetensors.index.json").shards == (
        "x-1.safetensors",
        "x-2.safetensors",
    )
    assert read(told, "config.json").shards == ()


def test_a_key_that_is_there_twice_is_a_sign() -> None:
    """Readers differ in which of the two they take: one is for the scanner."""
    found = json_facts.read(b'{"a": 1, "b": {"x": 1, "x": 2}}', name="config.json")
    assert found.signs == (Sign(Rule.JSON_TWICE, "x"),)


@pytest.mark.parametrize(
    "data", [b"", b"{", b"\xff", b"[" * 100_000, b'{"a": ' + b"9" * 5000 + b"}"]
)
def test_what_is_not_json_is_refused(data: bytes) -> None:
    """Whoever asked names the file as not read."""
    with pytest.raises(FormatError) as caught:
        json_facts.read(data, name="config.json")
    assert str(caught.value).startswith("config.json is not JSON: ")
