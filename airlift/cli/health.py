"""Findings of ``airlift doctor``, and the checks of any host."""

import os
import platform
import ssl
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from importlib import metadata
from pathlib import Path

from cryptography.hazmat.backends.openssl import backend

from airlift import __version__, naming
from airlift.cli import output
from airlift.errors import AirliftError, RequestError, StoreError
from airlift.registry.engine import refuse_network
from airlift.store.durable import free_bytes, names

SCARCE = 5_000_000_000
"""Bytes free below which a delivery of one model of 7e9 weights may not fit."""
TOO_LITTLE = 64 << 20
"""Bytes free below which an import refuses anything."""

_SHARED = 0o022
_READABLE = 0o077
_PRIVATE = ("registry.db", "records", "store/partial", "incoming", "keys")
_OPEN = ("", "store", "store/blobs/sha256", "store/packs", "trust", "ledger")
_LIBRARIES = (
    *("aiohttp", "alembic", "blake3", "click", "cryptography", "numpy", "packaging"),
    *("securesystemslib", "sqlalchemy", "tqdm", "tuf", "zstandard"),
)


class Verdict(StrEnum):
    """What a check found."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one check found.

    Attributes:
        check: Its name, a few words.
        verdict: Whether somebody must act.
        text: What was found, safe to show.
        hint: The next step; empty where none is needed.
        branch: The error that a problem amounts to; gives the exit code.
    """

    check: str
    verdict: Verdict
    text: str
    hint: str = ""
    branch: type[AirliftError] = StoreError


def ok(check: str, text: str) -> Finding:
    """Return a finding that asks for nothing."""
    return Finding(check=check, verdict=Verdict.OK, text=text)


def warning(check: str, text: str, hint: str = "") -> Finding:
    """Return a finding that somebody should look at in time."""
    return Finding(check=check, verdict=Verdict.WARNING, text=text, hint=hint)


def problem(
    check: str, text: str, hint: str = "", branch: type[AirliftError] = StoreError
) -> Finding:
    """Return a finding that somebody must act on."""
    return Finding(
        check=check, verdict=Verdict.PROBLEM, text=text, hint=hint, branch=branch
    )


def failed(check: str, error: AirliftError) -> Finding:
    """Return the problem that *error* is."""
    return problem(check, error.problem, error.hint, type(error))


def host(home: Path) -> Iterator[Finding]:
    """Yield the findings that hold for both sides."""
    yield _versions()
    yield _libraries()
    yield _home(home)
    if home.is_dir():
        yield _space(home)
        yield _modes(home)


def _versions() -> Finding:
    python = platform.python_version()
    # The wheel of cryptography brings an OpenSSL of its own, a distribution's package
    # uses the system's: only the running one says which, and nothing here is claimed of
    # validation (FIPS 140) beyond what it says of itself.
    crypto = f"cryptography {version('cryptography')}, {backend.openssl_version_text()}"
    mode = " in FIPS mode" if getattr(backend, "_fips_enabled", False) else ""
    kernel = f"{platform.system()} {platform.release()}"
    text = (
        f"airlift {__version__}, Python {python}, {kernel}; signatures: {crypto}{mode}"
    )
    return ok("versions", f"{text}; TLS: {ssl.OPENSSL_VERSION}")


def _libraries() -> Finding:
    found = {name: version(name) for name in _LIBRARIES}
    absent = [name for name in _LIBRARIES if not found[name]]
    if absent:
        text = f"not installed: {', '.join(absent)}"
        hint = "install airlift again from its kit"
        return problem("libraries", text, hint, RequestError)
    return ok("libraries", ", ".join(f"{name} {found[name]}" for name in _LIBRARIES))


def version(name: str) -> str:
    """Return the installed version of a distribution; empty where there is none."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def _home(home: Path) -> Finding:
    shown = naming.show(str(home))
    if not home.is_dir():
        hint = "`airlift trust init` begins one; `--home` names another"
        return problem("home", f"{shown} is not there", hint, RequestError)
    if not os.access(home, os.R_OK | os.W_OK | os.X_OK):
        hint = "run as the user who owns it"
        return problem("home", f"{shown} is not writable by this user", hint)
    try:
        refuse_network(home)
    except AirliftError as error:
        return failed("home", error)
    return ok("home", f"{shown}, writable, on a local file system")


def _space(home: Path) -> Finding:
    folder = home / "store" if (home / "store").is_dir() else home
    free = free_bytes(folder)
    text = f"{output.size(free)} free for the store"
    hint = "make room: `airlift gc --dry-run` shows what can go"
    if free < TOO_LITTLE:
        return problem("space", text, hint)
    return warning("space", text, hint) if free < SCARCE else ok("space", text)


def _modes(home: Path) -> Finding:
    """Find what others of this host could change or read and should not."""
    bad = [_odd(home / name, _READABLE, "open to others") for name in _PRIVATE]
    bad += [_odd(home / name, _SHARED, "writable by others") for name in _OPEN]
    keys = home / "keys"
    if keys.is_dir() and os.access(keys, os.R_OK | os.X_OK):
        secret = [name for name in names(keys) if name.endswith(".key")]
        bad += [_odd(keys / name, _READABLE, "open to others") for name in secret]
    odd = [one for one in bad if one]
    if odd:
        hint = "take these rights away with chmod, and ask who gave them"
        return problem("modes", "; ".join(odd), hint)
    return ok("modes", "nobody else can write here, or read what is private")


def _odd(path: Path, forbidden: int, what: str) -> str:
    try:
        status = path.lstat()
    except OSError:
        return ""  # not there on this side, or below a folder that is closed to us
    if stat.S_ISLNK(status.st_mode):
        return f"{naming.show(str(path))} is a link"
    mode = stat.S_IMODE(status.st_mode)
    if mode & forbidden:
        return f"{naming.show(str(path))} is {what} (mode {mode:04o})"
    return ""
