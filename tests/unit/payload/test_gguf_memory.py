"""The memory a GGUF model needs, from what its header says."""

import pytest

from airlift.errors import FormatError
from airlift.payload import gguf_memory
from airlift.payload.gguf import Array, Header, Value


def header(**metadata: Value) -> Header:
    """Return a header with *metadata* of an architecture ``a``."""
    keys = {f"a.{key.replace('__', '.')}": value for key, value in metadata.items()}
    named: dict[str, Value] = {"general.architecture": "a", **keys}
    return Header(version=3, metadata=named, tensors=(), data=0, size=0)


def test_a_model_that_states_each_layer_is_added_up() -> None:
    """Hybrid models attend in some layers only, and keys may be wide."""
    need = gguf_memory.estimate(
        header(
            block_count=4,
            embedding_length=1000,
            attention__head_count=(0, 10, 10, 0),
            attention__head_count_kv=(0, 2, 3, 0),
            attention__key_length=192,
            attention__value_length=128,
        ),
        weights=7,
        context=100,
        projector=5,
    )
    cache = (2 + 3) * (192 + 128) * 2 * 100
    assert need.facts() == {
        "bytes": 7 + cache + gguf_memory.FIXED + 5,
        "weights": 7,
        "cache": cache,
        "overhead": gguf_memory.FIXED,
        "projector": 5,
        "context": 100,
    }


def test_what_is_not_stated_follows_from_the_width() -> None:
    """Old files have neither KV heads nor key lengths."""
    need = gguf_memory.estimate(
        header(block_count=4, embedding_length=1000, attention__head_count=10),
        weights=0,
        context=1,
    )
    assert need.cache == 4 * 10 * (100 + 100) * 2


def test_large_vocabularies_cost_logits() -> None:
    """A quarter million tokens take half a gigabyte in one batch."""
    large = header(block_count=1, embedding_length=8)
    metadata = {
        **large.metadata,
        "tokenizer.ggml.tokens": Array(type=8, count=262_144),
    }
    known = Header(version=3, metadata=metadata, tensors=(), data=0, size=0)
    need = gguf_memory.estimate(known, weights=0, context=1)
    assert need.overhead == gguf_memory.FIXED + 512 * 262_144 * 4


def test_a_header_that_does_not_say_how_large_it_is_cannot_be_reckoned() -> None:
    """An estimate without a ground would be believed."""
    with pytest.raises(FormatError) as caught:
        gguf_memory.estimate(header(block_count=4), weights=0, context=1)
    assert str(caught.value) == (
        "its header does not say how many layers it has, or how wide"
    )
