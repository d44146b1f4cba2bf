"""What runtimes are told of a model, from its header; ``gguf`` itself as an oracle."""

import struct

import gguf as reference
import pytest

from airlift.errors import FormatError
from airlift.payload import gguf, gguf_facts
from airlift.payload.gguf_facts import Facts
from hubs import gguf_file
from hubs.gguf_file import Gguf, key, number, string, tensor


def facts(*keys: bytes, tensors: tuple[bytes, ...] = ()) -> Facts:
    """Return the facts of a file with these keys."""
    data = Gguf(keys=list(keys), tensors=list(tensors)).whole(bytes(4096))
    return gguf_facts.of(gguf.read(data, name="x"))


def test_a_header_says_all_that_ollama_shows() -> None:
    """Architecture, size and quantisation stand in `ollama show`."""
    found = facts(
        string("general.architecture", "llama"),
        string("general.type", "model"),
        number("general.file_type", 15),
        string("general.license", "apache-2.0"),
        string("general.license.link", "https://example.com/licence"),
        key("general.sampling.temp", gguf_file.F32, struct.pack("<f", 0.7)),
        number("general.sampling.top_k", 20),
        tensors=(
            tensor("a", [4, 8], offset=0),
            tensor("b", [2], offset=128),
        ),
    )
    assert found == Facts(
        kind="model",
        architecture="llama",
        parameters=34,
        file_type="Q4_K_M",
        sampling={"temperature": 0.7, "top_k": 20},
        licence="apache-2.0\nhttps://example.com/licence",
    )


def test_what_a_header_does_not_say_is_left_empty() -> None:
    """Nothing is made up."""
    assert facts() == Facts(
        kind="model",
        architecture="",
        parameters=0,
        file_type="unknown",
        sampling={},
        licence="",
    )


def test_a_guessed_type_is_shown_like_a_stated_one() -> None:
    """llama.cpp sets a flag in the number when it reckoned the type itself."""
    assert facts(number("general.file_type", 1024 + 7)).file_type == "Q8_0"
    assert facts(number("general.file_type", 999)).file_type == "unknown"


def test_numbers_that_json_cannot_hold_are_left_out() -> None:
    """A manifest with `NaN` in it would not load."""
    bad = key("general.sampling.temp", gguf_file.F32, struct.pack("<f", float("nan")))
    assert facts(bad).sampling == {}


def test_every_quantisation_has_the_name_that_llama_cpp_gives_it() -> None:
    """The reference package's list is the oracle."""
    theirs = {
        int(one): one.name.removeprefix("MOSTLY_").removeprefix("ALL_")
        for one in reference.LlamaFileType
        if one is not reference.LlamaFileType.GUESSED
    }
    assert theirs == gguf_facts.FILE_TYPES


def test_a_header_is_read_little_by_little() -> None:
    """A model has 100 GB, its header ten MB, and most of them one."""
    words = [gguf_file.text("w" * 100) for _ in range(30_000)]
    keys = [gguf_file.array("tokenizer.ggml.tokens", gguf_file.STRING, words)]
    data = Gguf(keys=keys, tensors=[tensor("a", [5_000_000])]).whole(bytes(20_000_000))
    looks: list[tuple[int, int]] = []

    def read(start: int, stop: int) -> bytes:
        looks.append((start, stop))
        return data[start : min(stop, start + 700_000)]  # a reader may give less

    header = gguf_facts.header(read, name="x", size=len(data))
    assert header == gguf.read(data, name="x", size=len(data))
    assert looks[-1][1] < 5 << 20
    assert all(start < stop for start, stop in looks)


def test_a_file_cut_short_is_refused() -> None:
    """It ends before its header does."""
    data = Gguf(keys=[string("general.architecture", "llama")]).header()
    with pytest.raises(FormatError) as caught:
        gguf_facts.header(lambda start, _: data[start:20], name="x", size=len(data))
    assert str(caught.value) == f"x ended at byte 20 of {len(data)}"
