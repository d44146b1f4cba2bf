"""What a runtime's host says it holds is one spelling of one thing, or refused."""

import json
from dataclasses import replace

import pytest

from airlift.digest import sha256
from airlift.errors import FormatError
from airlift.format import observation
from airlift.format.observation import (
    Environment,
    Observation,
    Place,
    Runtime,
    SeenFile,
    SeenModel,
    SeenPackage,
)

SEEN = Observation(
    host="gpu-1",
    time="2026-11-23T12:00:00Z",
    tool="airlift 0.1.0",
    looked=("hub", "vllm"),
    models=(
        SeenModel(
            place=Place.HUB,
            name="org/tiny",
            revision="c" * 40,
            files=(
                SeenFile(path="config.json", size=3, sha256=sha256(b"{}\n")),
                SeenFile(path="model.safetensors", size=0, sha256=None),
            ),
        ),
    ),
    environments=(
        Environment(
            label="vllm",
            python="3.11.7",
            packages=(
                SeenPackage(
                    name="torch",
                    version="2.9.0",
                    content=sha256(b"torch"),
                    files=12_000,
                    altered=("torch/__init__.py",),
                    altered_count=1,
                ),
                SeenPackage(name="vllm", version="0.11.0", content=None, files=0),
            ),
        ),
    ),
    runtimes=(Runtime(name="ollama", version="0.13.1"),),
    unread=("hub: org/other cannot be listed",),
)


def test_an_observation_comes_back_as_it_was_written() -> None:
    """What is compared with approvals is what the host saw, to the last file."""
    data = observation.encode(SEEN)
    assert observation.decode(data, name="it") == SEEN


def test_its_spelling_is_one() -> None:
    """Its digest is what the log vouches for: another spelling is another file."""
    data = observation.encode(SEEN)
    with pytest.raises(FormatError, match="not in canonical form"):
        observation.decode(json.dumps(json.loads(data)).encode(), name="it")


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"host": "GPU 1"}, "it: `host` is `GPU 1`, expected a-z, 0-9 and -"),
        ({"time": "yesterday"}, "it: `time` is not `YYYY-MM-DDThh:mm:ssZ`"),
        ({"tool": ""}, "it: `tool` is empty or longer than 1024 characters"),
        (
            {"looked": ("vllm", "hub")},
            "it: `looked` is not in order, or names something twice",
        ),
        (
            {"models": SEEN.models * 2},
            "it: `models` is not in order, or names something twice",
        ),
        (
            {"unread": ("x" * 1025,)},
            "it: `unread` has a line longer than 1024 characters",
        ),
    ],
)
def test_what_no_airlift_wrote_is_refused(
    changes: dict[str, object], problem: str
) -> None:
    """It comes from a host that nobody vouches for, on a stick."""
    data = observation.encode(replace(SEEN, **changes))  # type: ignore[arg-type]
    with pytest.raises(FormatError) as caught:
        observation.decode(data, name="it")
    assert str(caught.value) == problem


@pytest.mark.parametrize("key", sorted(json.loads(observation.encode(SEEN))))
def test_no_field_may_lack_or_be_of_another_kind(key: str) -> None:
    """Half a document must not pass for a host that holds little."""
    told = json.loads(observation.encode(SEEN))
    for value in (None, 7):
        broken = {**told, key: value}
        if value is None:
            del broken[key]
        data = json.dumps(
            broken, sort_keys=True, separators=(",", ":"), ensure_ascii=False
        ).encode()
        with pytest.raises(FormatError, match=key):
            observation.decode(data, name="it")


def test_more_altered_files_may_be_counted_than_named_and_not_fewer() -> None:
    """A count below the names would say that less was found than is shown."""
    told = json.loads(observation.encode(SEEN))
    told["environments"][0]["packages"][0]["altered_count"] = 0
    data = json.dumps(told, sort_keys=True, separators=(",", ":")).encode()
    with pytest.raises(FormatError, match="altered_count` is 0, expected at least 1"):
        observation.decode(data, name="it")
