"""GGUF headers: read right, and refused before they cost anything."""

import struct
import time
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from airlift.errors import FormatError
from airlift.payload import gguf
from hubs.gguf_file import (
    ARRAY,
    BOOL,
    F32,
    I32,
    STRING,
    U8,
    U32,
    Gguf,
    array,
    key,
    number,
    string,
    tensor,
    text,
)

GOOD = Gguf(
    keys=[
        string("general.architecture", "llama"),
        number("llama.block_count", 2),
        key("llama.rope.scale", F32, struct.pack("<f", 0.5)),
        key("tokenizer.add_bos", BOOL, b"\1"),
        array("small", I32, [struct.pack("<i", n) for n in (-1, 2)]),
        array("nested", ARRAY, [struct.pack("<IQ", U8, 2) + b"\1\2"]),
        array("tokenizer.ggml.tokens", STRING, [text(f"<{n}>") for n in range(3000)]),
        array("tokenizer.ggml.scores", F32, [bytes(4)] * 3000),
    ],
    tensors=[
        tensor("token_embd.weight", [256, 3], kind=12, offset=0),
        tensor("output.weight", [32], kind=0, offset=448),
    ],
)
WHOLE = GOOD.whole(bytes(448 + 128))


def read(file: bytes) -> gguf.Header:
    """Read a file that is all there."""
    return gguf.read(file, name="`x.gguf`", size=len(file))


def test_a_good_header_is_read_whole() -> None:
    """What is shown and reckoned with comes from here."""
    header = read(WHOLE)
    assert header == gguf.Header(
        version=3,
        metadata={
            "general.architecture": "llama",
            "llama.block_count": 2,
            "llama.rope.scale": 0.5,
            "tokenizer.add_bos": True,
            "small": (-1, 2),
            "nested": ((1, 2),),
            "tokenizer.ggml.tokens": gguf.Array(type=STRING, count=3000),
            "tokenizer.ggml.scores": gguf.Array(type=F32, count=3000),
        },
        tensors=(
            gguf.Tensor(
                name="token_embd.weight", shape=(256, 3), type=12, offset=0, size=432
            ),
            gguf.Tensor(
                name="output.weight", shape=(32,), type=0, offset=448, size=128
            ),
        ),
        data=len(WHOLE) - 576,
        size=len(WHOLE),
    )
    assert header.number("llama.block_count") == 2
    assert header.number("tokenizer.add_bos") is None
    assert (header.text("general.architecture"), header.text("none")) == ("llama", "")


def test_the_start_of_a_file_is_enough() -> None:
    """A 40 GB file is judged by its first megabytes."""
    prefix = WHOLE[: len(GOOD.header())]
    assert gguf.read(prefix, name="x", size=len(WHOLE)) == read(WHOLE)


def missing(length: int) -> int:
    """Return how many bytes are asked for when there are *length*; 0 for enough."""
    try:
        gguf.read(WHOLE[:length], name="x", size=len(WHOLE))
    except gguf.ShortError as short:
        return short.needed
    return 0


def test_a_prefix_that_is_too_short_says_how_much_is_needed() -> None:
    """The reader of a remote file must know what to ask for next."""
    asked = [8]
    while (needed := missing(asked[-1])) > 0:
        assert asked[-1] < needed <= len(GOOD.header())
        asked.append(max(needed, 2 * asked[-1]))
    assert len(asked) < 16
    assert asked[-1] >= len(GOOD.header())


def test_a_file_that_ends_in_its_header_is_refused() -> None:
    """Cut short, it must not be waited for for ever."""
    for length in range(0, len(GOOD.header()), 97):
        with pytest.raises(FormatError) as caught:
            read(WHOLE[:length])
        assert not isinstance(caught.value, gguf.ShortError)


def test_it_agrees_with_the_reference_reader(tmp_path: Path) -> None:
    """Two readers of one format that differ are an attack waiting to happen."""
    reference = pytest.importorskip("gguf")
    path = tmp_path / "x.gguf"
    writer = reference.GGUFWriter(path, "llama")
    writer.add_block_count(3)
    writer.add_context_length(4096)
    writer.add_token_list([f"t{n}" for n in range(2000)])
    writer.add_token_types([1] * 2000)
    writer.add_bool("some.flag", True)
    writer.add_float32("some.float", 1.5)
    numpy = pytest.importorskip("numpy")
    writer.add_tensor("a.weight", numpy.ones((3, 64), dtype=numpy.float32))
    writer.add_tensor("b.weight", numpy.ones((5,), dtype=numpy.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    theirs, ours = reference.GGUFReader(path), read(path.read_bytes())
    assert [
        (one.name, one.shape, one.type, one.size, ours.data + one.offset)
        for one in ours.tensors
    ] == [
        (
            one.name,
            tuple(int(length) for length in one.shape),
            int(one.tensor_type),
            int(one.n_bytes),
            int(one.data_offset),
        )
        for one in theirs.tensors
    ]
    for name, value in ours.metadata.items():
        if isinstance(value, gguf.Array):
            assert value.count == len(theirs.get_field(name).data)
        else:
            assert value == theirs.get_field(name).contents()
    named = {name for name in theirs.fields if not name.startswith("GGUF.")}
    assert set(ours.metadata) == named


def test_the_table_of_types_agrees_with_the_reference() -> None:
    """A wrong block size lets a tensor reach past the end of its file."""
    reference = pytest.importorskip("gguf")
    sizes = reference.constants.GGML_QUANT_SIZES
    assert dict(gguf.TENSOR_TYPES) == {int(kind): size for kind, size in sizes.items()}


HUGE = 1 << 60
BAD = {
    "does not begin with `GGUF`": Gguf(magic=b"GGML"),
    "has version 1, expected 2 or 3": Gguf(version=1),
    "has version 50331648, expected 2 or 3": Gguf(version=0x03000000),
    f"claims {HUGE} tensors, more than the file can hold": Gguf(tensor_count=HUGE),
    f"claims {HUGE} keys, more than the file can hold": Gguf(key_count=HUGE),
    f"claims {HUGE} elements of `a`, more than the file can hold": Gguf(
        keys=[key("a", ARRAY, struct.pack("<IQ", U8, HUGE))]
    ),
    f"claims {HUGE + 1} elements of `a`, more than the file can hold": Gguf(
        keys=[key("a", ARRAY, struct.pack("<IQ", STRING, HUGE + 1))]
    ),
    f"has {HUGE} bytes of `a`, past the file's end": Gguf(
        keys=[key("a", STRING, struct.pack("<Q", HUGE))]
    ),
    f"has a name of {HUGE} bytes, at most 65536": Gguf(
        keys=[struct.pack("<Q", HUGE) + bytes(20)]
    ),
    "has a name of 0 bytes, at most 65536": Gguf(keys=[number("", 1)]),
    "has a name that is not UTF-8": Gguf(keys=[key(b"\xff", U32, bytes(4))]),
    "has the key `a` twice": Gguf(keys=[number("a", 1), number("a", 2)]),
    "key `a` has the unknown type 13": Gguf(keys=[key("a", 13, bytes(8))]),
    "key `a` is neither true nor false": Gguf(keys=[key("a", BOOL, b"\2")]),
    "key `a` has an array of type 13": Gguf(
        keys=[key("a", ARRAY, struct.pack("<IQ", 13, 0))]
    ),
    "key `deep` has an array of type 9": Gguf(
        keys=[key("deep", ARRAY, struct.pack("<IQ", ARRAY, 1) * 5 + bytes(40))]
    ),
    "key `a` has 2000 arrays": Gguf(
        keys=[array("a", ARRAY, [struct.pack("<IQ", U8, 0)] * 2000)]
    ),
    "has the alignment 0, expected a power of two": Gguf(
        keys=[number("general.alignment", 0)]
    ),
    "has the alignment 24, expected a power of two": Gguf(
        keys=[number("general.alignment", 24)]
    ),
    "has the alignment 'x', expected a power of two": Gguf(
        keys=[string("general.alignment", "x")]
    ),
    "tensor `t` has 5 dimensions, at most 4": Gguf(tensors=[tensor("t", [1] * 5)]),
    "tensor `t` has the unknown type 4": Gguf(tensors=[tensor("t", [32], kind=4)]),
    f"tensor `t` has the impossible shape ({HUGE}, {HUGE})": Gguf(
        tensors=[tensor("t", [HUGE, HUGE])]
    ),
    "tensor `t` has the impossible shape (0,)": Gguf(tensors=[tensor("t", [0])]),
    "tensor `t` has rows that are not whole blocks of 256": Gguf(
        tensors=[tensor("t", [255], kind=12)]
    ),
    "tensor `t` is not aligned to 32 bytes": Gguf(
        tensors=[tensor("t", [1], offset=33)]
    ),
    "tensor `t` ends at byte 1152921504606851072 of 4096": Gguf(
        tensors=[tensor("t", [(HUGE - 64) // 4 + 1023])]
    ),
    "tensor `b` lies over another one": Gguf(
        tensors=[tensor("a", [64]), tensor("b", [64], offset=32)]
    ),
    "has two tensors of one name": Gguf(
        tensors=[tensor("t", [8]), tensor("t", [8], offset=32)]
    ),
    "has a name of 64 bytes, at most 63": Gguf(tensors=[tensor("t" * 64, [1])]),
}


@pytest.mark.parametrize("problem", BAD)
def test_a_hostile_header_is_refused_by_name_and_at_once(problem: str) -> None:
    """Readers in C were driven past their buffers by each of these."""
    header = BAD[problem].header()
    file = header + bytes(max(4096, len(header) + 100) - len(header))
    began = time.perf_counter()
    with pytest.raises(FormatError) as caught:
        read(file)
    assert time.perf_counter() - began < 0.5
    if "ends at byte" in problem:
        assert " of 4096" in str(caught.value)
    else:
        assert str(caught.value) == f"`x.gguf`: GGUF header {problem}"


def test_an_unknown_size_does_not_lift_the_limits() -> None:
    """A stream without a length must not be read for ever."""
    bad = Gguf(keys=[key("a", ARRAY, struct.pack("<IQ", U8, gguf.HEADER_LIMIT))])
    with pytest.raises(FormatError) as caught:
        gguf.read(bad.header(), name="x")
    assert not isinstance(caught.value, gguf.ShortError)


def test_names_from_the_file_are_defused() -> None:
    """A tensor's name must not steer the operator's terminal."""
    bad = Gguf(tensors=[tensor("t\x1b[2J", [32], kind=4)])
    with pytest.raises(FormatError) as caught:
        read(bad.header() + bytes(64))
    assert "t\\x1b[2J" in str(caught.value)


@given(st.integers(0, len(GOOD.header()) - 1), st.integers(1, 255))
@example(8, 255)
def test_any_changed_byte_is_read_or_refused_but_nothing_else(at: int, by: int) -> None:
    """No input may raise anything but the one error, or take long."""
    file = bytearray(WHOLE)
    file[at] = (file[at] + by) % 256
    try:
        header = read(bytes(file))
    except FormatError:
        return
    assert header.size <= len(file)


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused_but_nothing_else(tail: bytes) -> None:
    """As above, for files that are nothing like one."""
    start = b"GGUF" + struct.pack("<IQQ", 3, 1, 2)
    with pytest.raises(FormatError):
        read(start + tail + b"\xff" * 8)
