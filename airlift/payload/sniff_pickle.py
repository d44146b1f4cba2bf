"""Tell pickles from other bytes by walking their opcodes; nothing is unpickled.

``pickletools`` of the standard library knows every opcode's argument and effect on
the stack and executes none. Pickles of protocols 0 and 1 have no magic, and ordinary
text may begin with something that parses (``N.B.`` is ``None`` and more text), so a
stream without the protocol opcode must also call something, or be all of the file.
"""

import ast
import io
import pickletools
import re
import sys
from dataclasses import dataclass
from typing import Final

from airlift.payload import sniff_text

_TORCH_MAGIC: Final = b"\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19"
"""0x1950a86a20f9469cfc6c: the number that torch's files before 1.6 begin with."""
_CALLS: Final = frozenset(["REDUCE", "INST", "OBJ", "BUILD", "NEWOBJ", "NEWOBJ_EX"])
_OPCODES: Final = {opcode.code: opcode for opcode in pickletools.opcodes}
_LINES: Final = {"STRING": 1, "PERSID": 1, "GLOBAL": 2, "INST": 2}
"""Opcodes whose lines are read here: the library's readers warn of odd escapes in
them, which any text may have."""
_IMPORTS: Final = frozenset(["GLOBAL", "STACK_GLOBAL", "EXT1", "EXT2", "EXT4"])
"""Those of extensions fetch only what the loading program itself registered by a number,
and calling it takes one of the above. They take nothing from the stack: counted as calls,
they made pickles of 1.2 % of all random bytes."""
_LARGEST: Final = 1 << 40
"""Bytes; no file has more. A pickle that begins by claiming more is refused by whoever
loads it before anything acts; believed, such claims made pickles of 0.6 % of random
bytes."""
_SOME: Final = 4
"""So many opcodes in a row that also fit the stack are not chance."""
_PLAIN_TYPE = re.compile(r"[|<>=]?[?bBiufcSaUVmM]\d{0,9}(\[[0-9A-Za-z]+\])?", re.ASCII)


@dataclass(slots=True)
class _Walk:
    """What the opcodes at the beginning of some bytes say."""

    count: int = 0
    protocol: bool = False
    calls: bool = False
    imports: bool = False
    stop: int = -1  # position of the STOP opcode
    exhausted: bool = False


class _Prefix(io.BytesIO):
    """Bytes that remember whether somebody wanted to read past their end.

    Attributes:
        exhausted: Whether somebody did, of a length that there may be.
        most: The greatest such length.
    """

    exhausted = False
    most = _LARGEST

    def read(self, size: int | None = -1, /) -> bytes:
        found = super().read(size)
        self.exhausted |= size is not None and len(found) < size <= self.most
        return found

    def readline(self, size: int | None = -1, /) -> bytes:
        found = super().readline(size)
        self.exhausted |= not found.endswith(b"\n")
        return found


def is_pickle(head: bytes, *, whole: bool) -> bool:
    """Say whether a file that begins with *head* is a pickle.

    True also where other bytes follow it, as in torch's older files, or where it
    breaks off in nonsense after a call, which has been made by then.

    Args:
        head: The first bytes.
        whole: Whether they are all of the file.
    """
    walk = _walk(head)
    if walk.protocol:
        return walk.stop >= 0 or walk.count >= _SOME
    cut = walk.exhausted and not whole
    return (
        walk.calls
        or (walk.imports and walk.stop >= 0)
        or (whole and walk.count > 1 and walk.stop == len(head) - 1)
        or (cut and walk.count >= _SOME)
    )


def may_be_pickle(head: bytes, *, whole: bool) -> bool:
    """Say whether a pickle cannot be ruled out in bytes of no known format.

    A first opcode may claim an argument that reaches beyond *head* and hide what
    follows; in text that is only a letter.
    """
    if sniff_text.is_text(head):
        return False
    walk = _walk(head)
    return walk.count >= _SOME or (walk.exhausted and not whole and bool(head))


def flavour(head: bytes) -> str:
    """Return ``torch`` for torch's older files, else ``pickle``."""
    return "torch" if _TORCH_MAGIC in head[:64] else "pickle"


def npy_is_plain(head: bytes) -> bool:
    """Say whether an ``.npy`` file's header shows an array of plain numbers or text.

    False for arrays of objects, whose data is a pickle, and for a header that is not
    wholly in *head* or not understood.

    Source: NumPy Enhancement Proposal 1, "Format Specification".
    """
    wide = head[6:7] > b"\x01"
    start = 12 if wide else 10
    length = int.from_bytes(head[8:start], "little")
    text = head[start : start + length]
    if len(text) < length:
        return False
    try:
        header = ast.literal_eval(text.decode("latin-1").strip())
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return False
    return isinstance(header, dict) and _plain(header.get("descr"))


def _plain(descr: object) -> bool:
    if isinstance(descr, str):
        return _PLAIN_TYPE.fullmatch(descr) is not None
    if not isinstance(descr, list):
        return False
    return all(
        isinstance(part, tuple) and len(part) > 1 and _plain(part[1]) for part in descr
    )


def _walk(head: bytes) -> _Walk:
    walk, stack = _Walk(), list[int]()
    prefix = _Prefix(head)
    try:
        while walk.stop < 0 and (opcode := _next(prefix)) and _fits(opcode, stack):
            walk.count += 1
            prefix.most = sys.maxsize  # by now something may have been imported
            walk.protocol |= opcode.name == "PROTO" and walk.count == 1
            walk.calls |= opcode.name in _CALLS
            walk.imports |= opcode.name in _IMPORTS
            if opcode.name == "STOP":
                walk.stop = prefix.tell() - 1
    except (ValueError, OverflowError, RecursionError):
        pass
    walk.exhausted = walk.stop < 0 and prefix.exhausted
    return walk


def _next(prefix: _Prefix) -> pickletools.OpcodeInfo | None:
    """Return the next opcode, its argument taken too; None where there is none."""
    opcode = _OPCODES.get(prefix.read(1).decode("latin-1"))
    if opcode is None:
        return None
    if count := _LINES.get(opcode.name, 0):
        lines = [prefix.readline() for _ in range(count)]
        # Not so with control characters: every ZIP begins like a PERSID.
        if not all(line.endswith(b"\n") and sniff_text.is_text(line) for line in lines):
            return None
        return opcode if opcode.name != "STRING" or _quoted(lines[0].strip()) else None
    if opcode.arg is not None:
        opcode.arg.reader(prefix)
    return opcode


def _quoted(line: bytes) -> bool:
    return len(line) > 1 and line[:1] in (b"'", b'"') and line[:1] == line[-1:]


def _fits(opcode: pickletools.OpcodeInfo, stack: list[int]) -> bool:
    """Apply *opcode* to *stack*; say whether the stack had what it takes.

    The stack holds for each object how many marks lie up to and with it, so that
    looking for the last mark never costs a walk over all of a hostile stack.
    """
    needs = len(opcode.stack_before)
    if pickletools.markobject in opcode.stack_before:
        marks = stack[-1] if stack else 0
        if not marks:
            return False
        while stack and stack[-1] == marks:
            stack.pop()
        needs = opcode.stack_before.index(pickletools.markobject)
    if len(stack) < needs:
        return False
    del stack[len(stack) - needs :]
    for what in opcode.stack_after:
        marks = stack[-1] if stack else 0
        stack.append(marks + (what is pickletools.markobject))
    return True
