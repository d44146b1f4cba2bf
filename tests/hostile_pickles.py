"""Pickles that would act when loaded, and two that would not; written byte by byte.

Nothing here pickles or unpickles: opcodes are joined by hand, so that no test can run
what it is about. Source of the opcodes: the table in Python's ``pickletools``.
"""

import io
import struct
import zipfile
from collections.abc import Mapping
from typing import Final

PROTO_2: Final = b"\x80\x02"
PROTO_4: Final = b"\x80\x04"
STOP: Final = b"."
REDUCE: Final = b"R"
TUPLE_1: Final = b"\x85"


def text(value: str) -> bytes:
    """Return the opcode that pushes a text."""
    data = value.encode()
    return b"X" + struct.pack("<I", len(data)) + data


def imported(module: str, name: str) -> bytes:
    """Return the opcode that pushes what *module* calls *name*."""
    return f"c{module}\n{name}\n".encode()


def calling(module: str, name: str, argument: str, *, proto: bytes = PROTO_2) -> bytes:
    """Return a pickle that calls *name* of *module* with one text when loaded."""
    return proto + imported(module, name) + text(argument) + TUPLE_1 + REDUCE + STOP


def torch_zip(pickled: bytes, *, storage: bytes = b"\0" * 16) -> bytes:
    """Return what ``torch.save`` writes, around *pickled*."""
    out = io.BytesIO()
    members = (
        ("data.pkl", pickled),
        (".format_version", b"1"),
        ("byteorder", b"little"),
        ("data/0", storage),
        ("version", b"3\n"),
    )
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name, data in members:
            archive.writestr(zipfile.ZipInfo(f"archive/{name}"), data)
    return out.getvalue()


def with_wrong_crc(archive: bytes) -> bytes:
    """Return *archive* with another CRC for its first member, in both places."""
    changed = bytearray(archive)
    changed[14:18] = b"\xde\xad\xbe\xef"
    directory = changed.index(b"PK\x01\x02")
    changed[directory + 16 : directory + 20] = b"\xde\xad\xbe\xef"
    return bytes(changed)


def state_dict() -> bytes:
    """Return the pickle of a state dict with one tensor of four floats, as torch's."""
    storage = (
        b"("
        + text("storage")
        + imported("torch", "FloatStorage")
        + text("0")
        + text("cpu")
        + b"K\x04tQ"
    )
    tensor = (
        imported("torch._utils", "_rebuild_tensor_v2")
        + b"("
        + storage
        + b"K\x00K\x04\x85K\x01\x85\x89"
        + imported("collections", "OrderedDict")
        + b")RtR"
    )
    return (
        PROTO_2
        + imported("collections", "OrderedDict")
        + b")R("
        + text("weight")
        + tensor
        + b"u"
        + STOP
    )


def legacy(*, behind: bytes = b"") -> bytes:
    """Return weights as torch before 1.6 wrote them: pickles, then bare storages.

    Source: ``torch.serialization``, ``_legacy_save``.
    """
    magic = PROTO_2 + b"\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19" + STOP
    protocol = PROTO_2 + b"M\xe9\x03" + STOP
    system = PROTO_2 + b"}" + STOP
    keys = PROTO_2 + b"]" + text("0") + b"a" + STOP
    storage = struct.pack("<q4f", 4, 0.1, 0.2, 0.3, 0.4)
    return magic + protocol + system + state_dict() + keys + storage + behind


PLAIN: Final = PROTO_4 + b"}" + b"(" + text("epoch") + b"K\x03" + b"u" + STOP
"""A dict of one number."""
SYSTEM: Final = calling("posix", "system", "true")

HOSTILE: Final[Mapping[str, tuple[str, bytes]]] = {
    "os.system": ("pytorch_model.pkl", SYSTEM),
    "os.system in a torch zip": ("pytorch_model.bin", torch_zip(SYSTEM)),
    "a torch zip with a wrong CRC": (
        "pytorch_model.bin",
        with_wrong_crc(torch_zip(SYSTEM)),
    ),
    "eval in a raw file": (
        "pytorch_model.bin",
        calling("__builtin__", "eval", "1 + 1"),
    ),
    "importlib": ("model.pkl", calling("importlib", "import_module", "antigravity")),
    "broken after the payload": ("model.pkl", SYSTEM[:-1] + b"\xff\xff\xff"),
    "behind a harmless one": ("model.pkl", PLAIN + SYSTEM),
    "behind the storages of an older file": (
        "pytorch_model.bin",
        legacy(behind=SYSTEM),
    ),
    "by way of a module": ("model.pkl", calling("local_helper", "run", "true")),
}
"""File name and bytes of each, by what it is."""

BENIGN: Final[Mapping[str, tuple[str, bytes]]] = {
    "a state dict": ("pytorch_model.bin", torch_zip(state_dict())),
    "a dict of numbers": ("extra.pkl", PLAIN),
}
