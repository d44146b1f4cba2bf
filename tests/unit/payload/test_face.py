"""What a file says of itself: bounded, whatever its author wrote."""

import json
import struct
from collections.abc import Mapping

import pytest
from gguf import GGMLQuantizationType

from airlift.artifact import ContentClass, Json
from airlift.digest import sha256
from airlift.payload import face, settings
from airlift.payload.face import Role, Tensor, is_readable, look, role_of
from hubs import gguf_file
from moving import tensors


class Bytes:
    """A file in memory that counts what is read of it."""

    def __init__(self, data: bytes) -> None:
        self.data, self.asked = data, 0

    def __call__(self, start: int, stop: int) -> bytes:
        """Return a range of it."""
        assert 0 <= start <= stop <= len(self.data)
        self.asked += stop - start
        return self.data[start:stop]


def seen(path: str, data: bytes) -> face.Face:
    """Return the face of a file."""
    return look(path, len(data), Bytes(data), role_of(path, {}))


@pytest.mark.parametrize(
    ("path", "facts", "role"),
    [
        ("model.safetensors", {}, Role.WEIGHTS),
        ("sub/M.GGUF", {}, Role.WEIGHTS),
        ("tokenizer_config.json", {}, Role.SETTINGS),
        ("chat_template.jinja", {}, Role.TEMPLATE),
        ("LICENSE", {}, Role.LICENCE),
        ("licence.txt", {}, Role.LICENCE),
        ("USE_POLICY.md", {}, Role.LICENCE),
        ("README.md", {}, Role.CARD),
        ("pytorch_model.bin", {}, Role.OTHER),
        ("modeling_x.py", {}, Role.OTHER),
        (
            "blobs/sha256-0",
            {"media-type": "application/vnd.ollama.image.template"},
            Role.TEMPLATE,
        ),
        (
            "blobs/sha256-0",
            {"media-type": "application/vnd.ollama.image.new"},
            Role.OTHER,
        ),
    ],
)
def test_names_say_what_a_file_is_for(
    path: str, facts: Mapping[str, Json], role: Role
) -> None:
    """What is taken for prose is not read: a template must never be."""
    assert role_of(path, facts) is role


def test_of_weights_only_the_header_is_read() -> None:
    """A file of 5 GB upstream costs a range of some kilobytes."""
    data = tensors({"a": ("F32", (1000, 1000)), "b": ("BF16", (3,))})
    file = Bytes(data)
    found = look("m.safetensors", len(data), file, Role.WEIGHTS)
    assert found.tensors == {
        "a": Tensor("F32", (1000, 1000)),
        "b": Tensor("BF16", (3,)),
    }
    assert file.asked <= 1 << 16


def test_a_long_header_is_read_to_its_end() -> None:
    """Models of experts have 100,000 tensors and a header of megabytes."""
    data = tensors({f"experts.{n}": ("F32", (1,)) for n in range(5000)})
    found = seen("m.safetensors", data)
    assert found.tensors is not None
    assert len(found.tensors) == 5000


def test_every_type_of_ggml_has_its_name() -> None:
    """A number says nothing to whoever decides about a quantisation."""
    for kind in GGMLQuantizationType:
        assert face.GGML[kind.value] == kind.name


def test_a_gguf_tells_templates_and_settings() -> None:
    """Its template lies in its metadata, under more than one name."""
    made = gguf_file.Gguf(
        keys=[
            gguf_file.string("general.architecture", "llama"),
            gguf_file.string("tokenizer.chat_template", "plain"),
            gguf_file.string("tokenizer.chat_template.tools", "with tools"),
            gguf_file.array("tokens", gguf_file.U8, [b"\1"] * 2000),
        ],
        tensors=[gguf_file.tensor("w", [32], kind=8)],
    )
    found = seen("m.gguf", made.whole(bytes(34)))
    assert found.templates == {"default": "plain", "tools": "with tools"}
    assert found.settings == {
        "general.architecture": '"llama"',
        "tokens": '"2000 values of type 0"',
    }
    assert found.tensors == {"w": Tensor("Q8_0", (32,))}


def test_named_templates_of_a_tokenizer_are_told_apart() -> None:
    """A list of named ones is as good to transformers as one text."""
    listed = [{"name": "default", "template": "a"}, {"name": "rag", "template": "b"}]
    data = json.dumps({"chat_template": listed, "eos": "</s>"}).encode()
    found = seen("tokenizer_config.json", data)
    assert found.templates == {"default": "a", "rag": "b"}
    assert found.settings == {"eos": '"</s>"'}


@pytest.mark.parametrize(
    ("path", "data"),
    [
        ("m.safetensors", b"\x08\0\0\0\0\0\0\0{not json"),
        ("m.safetensors", struct.pack("<Q", 1 << 20) + b"{" + bytes(100)),
        ("m.gguf", b"GGUF\x03\0\0\0" + b"\xff" * 16),
        ("m.gguf", b"GGUF"),
        ("config.json", b'{"a": '),
        ("config.json", b"[" * 100_000),
    ],
)
def test_what_cannot_be_read_says_so(path: str, data: bytes) -> None:
    """It is named as unread; the rest of the artifact is compared all the same."""
    found = seen(path, data)
    assert found.problem
    assert (found.tensors, found.settings, found.templates) == (None, {}, {})


def test_a_pickle_under_any_name_is_one() -> None:
    """A name chosen upstream must not hide what the bytes can do."""
    data = b"\x80\x04\x95\x0b\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x94."
    for path in ("weights.bin", "config.json", "m.safetensors", "chat.jinja"):
        assert seen(path, data).content_class is ContentClass.PICKLE


def test_large_texts_are_left_alone() -> None:
    """A text of a gigabyte is no setting; a tokenizer of 17 MB is one."""
    assert is_readable("config.json", face.TEXT_LIMIT, Role.SETTINGS)
    assert not is_readable("config.json", face.TEXT_LIMIT + 1, Role.SETTINGS)
    assert is_readable("a/tokenizer.json", 17_000_000, Role.SETTINGS)
    assert not is_readable("tokenizer.json", face.TOKENIZER_LIMIT + 1, Role.SETTINGS)
    assert is_readable("m.safetensors", 1 << 40, Role.WEIGHTS)
    assert not is_readable("README.md", 10, Role.CARD)
    assert not is_readable("config.json", None, Role.SETTINGS)


def test_a_vocabulary_is_one_value_with_a_digest() -> None:
    """Thousands of tokens are no settings, and still no change of them is unseen."""
    vocabulary = {f"t{n}": n for n in range(1000)}
    flat = settings.flat({"model": {"type": "BPE", "vocab": vocabulary}})
    text = json.dumps(vocabulary, sort_keys=True).encode()
    assert flat == {
        "model.type": '"BPE"',
        "model.vocab": f"(1000 entries, sha256 {sha256(text)[:16]})",
    }
    vocabulary["t7"] = 8
    assert settings.flat({"model": {"vocab": vocabulary}}) != flat


def test_values_are_bounded_and_kept_apart() -> None:
    """A value of a megabyte must not fill a screen, nor pass for another one."""
    long = [settings.flat({"a": "x" * 1000 + end})["a"] for end in "yz"]
    assert long[0] != long[1]
    assert all(len(one) < settings.LINE for one in long)
    assert settings.flat({}) == {}
    assert settings.flat([1, 2]) == {"": "[1, 2]"}
    assert settings.flat({"a": "\ud800" * 200})["a"].startswith("(long text, sha256 ")
