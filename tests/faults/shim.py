"""The shim of ``shim.c``: faults between a program and its C library, no root needed."""

import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

SOURCE = Path(__file__).with_suffix(".c")
COMPILER = shutil.which("cc") or shutil.which("gcc")
needs_shim = pytest.mark.skipif(
    COMPILER is None or sys.platform != "linux",
    reason="needs a C compiler for the shim, on Linux",
)


@cache
def library(folder: Path) -> Path:
    """Return the shim, compiled in *folder* with this system's compiler."""
    assert COMPILER
    made = folder / "shim.so"
    words = [COMPILER, "-O1", "-Wall", "-Werror", "-shared", "-fPIC"]
    run = [*words, "-o", str(made), str(SOURCE), "-ldl"]
    subprocess.run(run, check=True, capture_output=True)
    return made


def rule(action: str, call: str, path: Path | str, a: int = 0, b: int = 0) -> str:
    """Return one rule, as the top of ``shim.c`` explains them."""
    assert " " not in str(path)
    return f"{action} {call} {path} {a} {b}"
