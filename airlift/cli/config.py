"""Settings: the one place that reads the clock, the environment and passphrases."""

import getpass
import os
import socket
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import click
import platformdirs

from airlift import naming
from airlift.errors import RequestError

F = TypeVar("F", bound=Callable[..., object])


def home_option(command: F) -> F:
    """Add ``--home`` to a command."""
    return click.option(
        "--home",
        type=click.Path(path_type=Path, file_okay=False),
        envvar="AIRLIFT_HOME",
        default=lambda: Path(platformdirs.user_data_dir("airlift")),
        help="Folder of airlift's store, keys and registry  [env: AIRLIFT_HOME].",
    )(command)


def json_option(command: F) -> F:
    """Add ``--json`` to a command."""
    return click.option(
        "--json", "as_json", is_flag=True, help="Print the result as JSON."
    )(command)


def passphrase_options(command: F) -> F:
    """Add the two ways to give a passphrase without a terminal."""
    from_fd = click.option(
        "--passphrase-fd",
        type=int,
        metavar="N",
        help="Read the key's passphrase from this file descriptor.",
    )
    from_file = click.option(
        "--passphrase-file",
        type=click.Path(path_type=Path, dir_okay=False),
        help="Read the key's passphrase from the first line of this file.",
    )
    return from_fd(from_file(command))


def passphrase(
    fd: int | None, file: Path | None, *, what: str, confirm: bool = False
) -> str:
    """Return a passphrase from a descriptor, a file or the terminal.

    Raises:
        RequestError: None was given and there is no terminal to ask at.
    """
    if fd is not None:
        with os.fdopen(fd, encoding="utf-8", closefd=False) as stream:
            return stream.readline().rstrip("\n")
    if file is not None:
        try:
            return file.read_text(encoding="utf-8").split("\n", 1)[0]
        except OSError as error:
            problem = f"cannot read the passphrase file {file}: {error.strerror}"
            raise RequestError(problem) from error
    if not sys.stdin.isatty():
        problem = f"a passphrase is needed for {what}, and there is no terminal"
        raise RequestError(problem, hint="use --passphrase-file or --passphrase-fd")
    answer = click.prompt(
        f"passphrase for {what}", hide_input=True, confirmation_prompt=confirm, err=True
    )
    return str(answer)


def now() -> str:
    """Return the time in airlift's one spelling, ``YYYY-MM-DDThh:mm:ssZ``."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def actor() -> str:
    """Return who runs this, for the log: ``user@host``."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"


def hf_cache() -> Path:
    """Return where huggingface_hub keeps its cache by its own settings.

    Source: huggingface_hub, "Environment variables".
    """
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        if stated := os.environ.get(name):
            return Path(stated).expanduser()
    usual = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "huggingface"
    return Path(os.environ.get("HF_HOME") or usual).expanduser() / "hub"


def ollama_models() -> Path:
    """Return where Ollama keeps its models by its own settings.

    The service that Ollama's installer sets up has a user of its own; where this
    user has no models and that one has, that one's are meant.
    """
    if stated := os.environ.get("OLLAMA_MODELS"):
        return Path(stated).expanduser()
    own = Path("~/.ollama/models").expanduser()
    service = Path("/usr/share/ollama/.ollama/models")
    return service if service.is_dir() and not own.is_dir() else own


def environment() -> Path | None:
    """Return the Python environment that is active; None where none is.

    Source: PEP 405's activation scripts and conda.
    """
    stated = os.environ.get("VIRTUAL_ENV") or os.environ.get("CONDA_PREFIX")
    return Path(stated) if stated else None


def text(path: Path, *, limit: int, hint: str) -> str:
    """Return what the file *path*, which a person wrote or chose, says.

    Args:
        path: The file.
        limit: Bytes that are read of it at most.
        hint: What to do where it cannot be read.

    Raises:
        RequestError: It cannot be read, or is no text.
    """
    try:
        with path.open("rb") as stream:
            return stream.read(limit).decode()
    except UnicodeDecodeError as error:
        problem = f"{naming.show(str(path))} is not UTF-8 text"
        raise RequestError(problem, hint=hint) from error
    except OSError as error:
        problem = f"cannot read {naming.show(str(path))}: {error.strerror}"
        raise RequestError(problem, hint=hint) from error
