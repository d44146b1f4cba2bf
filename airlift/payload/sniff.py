"""What a file is and whether it can make a program act: by content, then by name.

Nothing is executed, unpickled or extracted: opcodes are walked, names in archives
are read. Three rules (an attacker chooses every byte and every name):

1. A pickle is a pickle under any name: that test runs first and on every file.
2. Content decides before the name does; a name may only make a class stricter.
3. What could hide a pickle and cannot be seen into counts as one: an archive whose
   directory is out of sight, an array file whose header is.
"""

from collections.abc import Callable
from typing import Final, TypeAlias

from airlift.artifact import ContentClass
from airlift.payload import sniff_archive, sniff_pickle, sniff_text

HEAD: Final = 64 << 10
"""Bytes from each end that ``sniff`` wants to see."""

Finding: TypeAlias = tuple[str, ContentClass]

_DATA, _CODE = ContentClass.DATA, ContentClass.CODE
_PICKLE, _PACKAGE = ContentClass.PICKLE, ContentClass.PACKAGE

_SAFETENSORS_HEADER = 100_000_000
"""Most bytes of a safetensors header by its own format text."""

_MAGIC: Final[tuple[tuple[int, bytes, str, ContentClass], ...]] = (
    (0, b"GGUF", "gguf", _DATA),
    (0, b"\x89PNG\r\n\x1a\n", "png", _DATA),
    (0, b"\xff\xd8\xff", "jpeg", _DATA),
    (0, b"GIF8", "gif", _DATA),
    (8, b"WEBP", "webp", _DATA),
    (8, b"WAVE", "wav", _DATA),
    (0, b"fLaC", "flac", _DATA),
    (0, b"OggS", "ogg", _DATA),
    (0, b"ID3", "mp3", _DATA),
    (4, b"ftyp", "mp4", _DATA),
    (0, b"%PDF-", "pdf", _DATA),
    (0, b"PAR1", "parquet", _DATA),
    (0, b"ARROW1", "arrow", _DATA),
    (0, b"SQLite format 3\0", "sqlite", _DATA),
    (4, b"TFL3", "tflite", _DATA),
    # A llamafile is such a program with weights behind it.
    (0, b"\x7fELF", "program", _CODE),
    (0, b"MZ", "program", _CODE),
    (0, b"\xcf\xfa\xed\xfe", "program", _CODE),
    (0, b"\xca\xfe\xba\xbe", "program", _CODE),
    (0, b"\0asm", "program", _CODE),
)
"""Offset, bytes, format, class."""
_MAGICS: Final = tuple(
    (offset, tuple(magic for at, magic, _, _ in _MAGIC if at == offset))
    for offset in sorted({offset for offset, _, _, _ in _MAGIC})
)

_CODE_ENDINGS: Final = frozenset(
    [
        *(".py", ".pyc", ".ipynb", ".sh", ".bat", ".cmd", ".ps1", ".js", ".mjs"),
        *(".lua", ".pl", ".rb", ".so", ".dll", ".dylib", ".exe", ".cu"),
    ]
)
"""Endings by which interpreters, loaders and compilers choose what to run."""
_NAMES: Final[dict[str, Finding]] = {
    **dict.fromkeys(_CODE_ENDINGS, ("program", _CODE)),
    ".onnx": ("onnx", _DATA),
    ".pb": ("tensorflow", _CODE),  # a graph may read and write files
    ".whl": ("wheel", _PACKAGE),
    ".pkl": ("pickle", _PICKLE),
    ".pickle": ("pickle", _PICKLE),
    ".joblib": ("pickle", _PICKLE),
    ".dill": ("pickle", _PICKLE),
    ".pt": ("pickle", _PICKLE),
    ".pth": ("pickle", _PICKLE),
    ".ckpt": ("pickle", _PICKLE),
}
"""What a name means where the content says nothing."""


def sniff(path: str, head: bytes, tail: bytes) -> Finding:
    """Return the format of a file and whether it can make a program act.

    Args:
        path: Its path inside the artifact; only the last part and its ending count.
        head: Its first ``HEAD`` bytes, or all of it.
        tail: Its last ``HEAD`` bytes; may be empty where *head* is all of it.

    Returns:
        A short lower-case word (``safetensors``, ``torch``, ``json``, ``wheel``...;
        ``other`` where nothing is known) and the class.
    """
    name = path.rsplit("/", maxsplit=1)[-1].casefold()
    whole = not tail or len(head) < HEAD
    if sniff_pickle.is_pickle(head, whole=whole):
        return sniff_pickle.flavour(head), _PICKLE
    ending = name[name.rfind(".") :] if "." in name else ""
    for look in _LOOKS:
        if finding := look(name, head, b"" if whole else tail):
            # A program chosen by its name runs whatever a reader of bytes sees in it.
            strict = finding[1] is _DATA and ending in _CODE_ENDINGS
            return (finding[0], _CODE) if strict else finding
    if sniff_pickle.may_be_pickle(head, whole=whole):
        return "pickle", _PICKLE
    return _NAMES.get(ending, ("other", _DATA))


def _safetensors(_name: str, head: bytes, _tail: bytes) -> Finding | None:
    length = int.from_bytes(head[:8], "little")
    if 2 <= length <= _SAFETENSORS_HEADER and head[8:9] == b"{":
        return "safetensors", _DATA
    return None


def _numpy(_name: str, head: bytes, _tail: bytes) -> Finding | None:
    if not head.startswith(b"\x93NUMPY"):
        return None
    return "npy", _DATA if sniff_pickle.npy_is_plain(head) else _PICKLE


def _hdf5(name: str, head: bytes, tail: bytes) -> Finding | None:
    if not head.startswith(b"\x89HDF\r\n\x1a\n"):
        return None
    # A Keras model may hold the byte code of Lambda layers; its configuration can lie
    # anywhere in the file, so the names Keras uses are enough.
    keras = name.endswith((".h5", ".keras")) or b"model_config" in head + tail
    return ("keras", _CODE) if keras else ("hdf5", _DATA)


def _magic(_name: str, head: bytes, _tail: bytes) -> Finding | None:
    # Asked in three goes first: nearly every small file begins with none of them.
    if not any(head.startswith(magics, offset) for offset, magics in _MAGICS):
        return None
    for offset, magic, word, content_class in _MAGIC:
        if head.startswith(magic, offset):
            return word, content_class
    return None


def _onnx(name: str, head: bytes, _tail: bytes) -> Finding | None:
    # Protobuf field 1 (ir_version, a small number), then a field of ModelProto.
    plausible = head[:1] == b"\x08" and head[1:2] < b"\x40" and head[2:3] in _ONNX_NEXT
    return ("onnx", _DATA) if plausible and name.endswith(".onnx") else None


_ONNX_NEXT = (b"\x12", b"\x1a", b"\x22", b"\x28", b"\x32", b"\x3a", b"\x42")

_LOOKS: Final[tuple[Callable[[str, bytes, bytes], Finding | None], ...]] = (
    sniff_archive.archive,  # before all else: an archive may stand behind any head
    _safetensors,
    _numpy,
    _hdf5,
    _magic,
    _onnx,
    sniff_archive.compressed,
    sniff_text.text,
)
