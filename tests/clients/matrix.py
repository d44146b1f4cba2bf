"""The client matrix: what every client is asked to do, and the one world they do it in.

A client is an adapter around a real program. It pulls one thing into a folder and
returns the bytes it ended with; the test compares them, because most clients check
nothing but lengths. To add one, write its adapter in a file ``of_<name>.py`` and list
it in ``test_matrix.CLIENTS``.
"""

import os
import random
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

from airlift.artifact import Kind
from airlift.digest import sha256
from hubs.gguf_file import Gguf, number, string, tensor
from shelves import MemoryShelf, cargo
from wheelhouse import wheel


class Operation(StrEnum):
    """What each client is asked to do."""

    PULL = "pull"
    RESUME = "resume"
    AUTH = "auth"
    TLS = "tls"
    PREFIX = "prefix"


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where to pull from, and what to show there.

    Attributes:
        url: Scheme, host, port and path prefix, without a slash at the end.
        token: A credential; empty where none is wanted.
        authority: The certificate of the private authority behind ``https``.
    """

    url: str
    token: str = ""
    authority: Path | None = None

    @property
    def host(self) -> str:
        """Host and port."""
        return self.url.partition("://")[2].partition("/")[0]


class Failed(Exception):  # noqa: N818 - a client's refusal is an expected outcome
    """A client ended with an error; the text is what it printed."""


class Client(Protocol):
    """One real client.

    Attributes:
        name: With its version.
        holds: What a complete pull gives: bytes by path.
        cannot: Operations this client has no means for, and why.
        resumes: Whether it goes on by Range after a cut, instead of starting again.
    """

    @property
    def name(self) -> str: ...
    @property
    def holds(self) -> Mapping[str, bytes]: ...
    @property
    def cannot(self) -> Mapping[Operation, str]: ...
    @property
    def resumes(self) -> bool: ...

    def pull(self, place: Place, home: Path, environments: Path) -> Mapping[str, bytes]:
        """Pull into *home*, which may hold an earlier attempt; return what was got.

        Args:
            place: Where from.
            home: The client's home and cache.
            environments: Where clients are installed.

        Raises:
            Failed: The client ended with an error.
        """
        ...


def run(
    arguments: Sequence[str | Path], environment: Mapping[str, str], *, home: Path
) -> str:
    """Run a client with *environment* and nothing else of this machine.

    Raises:
        Failed: It ended with an error, or not at all in two minutes.
    """
    try:
        done = subprocess.run(
            [str(one) for one in arguments],
            env={"PATH": os.defpath, "HOME": str(home), **environment},
            cwd=home,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=120,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise Failed(str(error)) from error
    if done.returncode:
        raise Failed(done.stdout + done.stderr)
    return done.stdout


def files_below(folder: Path) -> dict[str, bytes]:
    """Return every file below *folder* by path, hidden ones left out."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.relative_to(folder).parts[0].startswith(".")
    }


# --- the world --------------------------------------------------------------------------

COMMIT = "a" * 40
BIG = random.Random(21).randbytes(24_000_001)
"""More than twice what any client keeps in memory of a transfer that is cut."""
MODEL: Mapping[str, bytes] = MappingProxyType(
    {
        "README.md": b"---\nlicense: mit\n---\n# Tiny\n",
        "config.json": b'{"model_type": "tiny"}\n',
        "model.safetensors": BIG,
        "tokenizer/tokenizer.json": random.Random(22).randbytes(70_000),
    }
)
WEIGHTS = random.Random(23).randbytes(24_000_000)
GGUF = Gguf(
    keys=[
        string("general.architecture", "llama"),
        string("general.name", "Tiny"),
        number("general.file_type", 7),
    ],
    tensors=[tensor("token_embd.weight", [6_000_000])],
).header()
GGUF_FILE = GGUF + b"\0" * (-len(GGUF) % 32) + WEIGHTS
GGUF_NAME = "tiny-Q8_0.gguf"
WHEEL = wheel("app", "1.0", ["lib"], payload=BIG)
LIBRARY = wheel("lib", "2.1+cpu", payload=b"library")


def shelf(folder: Path) -> MemoryShelf:
    """Return a model, a GGUF file, an Ollama model and wheels for every client."""
    wheels = {
        path: content
        for name, body, described in (WHEEL, LIBRARY)
        for path, content in ((name, body), (f"{name}.metadata", described))
    }
    facts = {
        name: {"upload-time": "2024-01-01T00:00:00.000000Z"}
        for name in (WHEEL[0], LIBRARY[0])
    }
    return MemoryShelf(
        folder,
        [
            cargo(Kind.MODEL, "Acme/Tiny", MODEL, revision=COMMIT, refs=["main"]),
            cargo(
                Kind.GGUF,
                "Acme/Tiny-GGUF",
                {GGUF_NAME: GGUF_FILE},
                revision="b" * 40,
                refs=["main"],
            ),
            cargo(Kind.WHEELS, "set", wheels, facts=facts),
        ],
    )


assert sha256(GGUF_FILE) != sha256(WEIGHTS)
