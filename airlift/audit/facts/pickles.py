"""Pickles are looked into by two scanners that others keep, never by code of ours.

Each runs in a process of its own for each file: without the caller's environment, bounded
in time and memory, and unable to write, connect or unpickle. Both must find nothing, all
that is imported must be on a short list, and whatever goes wrong is a finding.
"""

import importlib.metadata
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from typing import Any, Final

from airlift import naming
from airlift.audit.facts.allowed import is_allowed
from airlift.payload.file_facts import FileFacts, Scanned
from airlift.payload.signs import Rule, Sign, sign
from airlift.store.span import Span

SCANNERS: Final = ("picklescan", "modelaudit-picklescan")
"""Their names on the package index; both are in the extra ``scan``."""
WAIT_S: Final = 300
"""Seconds after which a scanner is ended; it stops itself after 120 of work."""
_ANSWER: Final = 1 << 20
_PROGRAM: Final = "airlift.audit.facts.pickle_program"
_ENDINGS: Final = {"torch": ".bin", "npy": ".npy"}
"""Endings by which picklescan chooses how to read, by the format that we saw."""
_ENVIRONMENT: Final = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"} | {
    # On a host of many processors it would take all the memory there is for threads.
    "OPENBLAS_NUM_THREADS": "1"
}
_SHOWN: Final = 50


def versions() -> Mapping[str, str]:
    """Return the version of each scanner; empty where it is not installed."""
    return {name: _version(name) for name in SCANNERS}


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""


def scan(span: Span, form: str) -> tuple[tuple[Scanned, ...], tuple[str, ...]]:
    """Return what each scanner says of a pickle, and what the pickle imports.

    Args:
        span: Where its bytes lie.
        form: Its format, as ``sniff`` calls it.
    """
    known = versions()
    running = {
        name: _start(name, span, _ENDINGS.get(form, "")) if known[name] else None
        for name in SCANNERS
    }
    scanned: list[Scanned] = []
    imported: set[str] = set()
    for name, process in running.items():
        verdict, found, notes = _end(process) if process else ("absent", (), ())
        imported.update(found)
        one = Scanned(name=name, version=known[name], verdict=verdict, notes=notes)
        scanned.append(one)
    return tuple(scanned), tuple(sorted(imported))


def _start(name: str, span: Span, ending: str) -> "subprocess.Popen[bytes]":
    where = (str(span.path.absolute()), str(span.offset), str(span.length), ending)
    # -I: neither the caller's environment nor its folder says what is imported. -B: it
    # may write nothing, compiled modules neither.
    command = (sys.executable, "-I", "-B", "-m", _PROGRAM, name, *where)
    return subprocess.Popen(  # noqa: S603 - a program of ours; the path is one argument
        command,
        cwd="/",
        env=_ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


_Told = tuple[str, tuple[str, ...], tuple[str, ...]]


def _end(process: "subprocess.Popen[bytes]") -> _Told:
    try:
        out, err = process.communicate(timeout=WAIT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return "unclear", (), (f"it did not end within {WAIT_S} seconds",)
    if process.returncode:
        last = err.decode("utf-8", "replace").strip().splitlines()[-1:]
        how = f"exit code {process.returncode}"
        if process.returncode < 0:
            how = f"signal {-process.returncode}"
        return "unclear", (), (naming.show(f"it ended with {how}: {''.join(last)}"),)
    return _told(out)


def _told(out: bytes) -> _Told:
    """Return what a scanner's process printed; it may have been taken over."""
    try:
        value = json.loads(out[:_ANSWER])
        verdict, found, notes = value["verdict"], value["globals"], value["notes"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return "unclear", (), ("its answer cannot be read",)
    known = verdict in ("clean", "suspicious", "malicious", "unclear")
    if not known or not _texts(found) or not _texts(notes):
        return "unclear", (), ("its answer cannot be read",)
    return verdict, tuple(map(naming.show, found)), tuple(map(naming.show, notes))


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def signs(facts: FileFacts) -> Iterator[Sign]:
    """Yield the signs of a pickle that was scanned."""
    strange = [one for one in facts.globals if not is_allowed(one)]
    for name in strange[:_SHOWN]:
        yield sign(Rule.PICKLE_GLOBAL, name)
    for one in facts.scanned:
        told = "; ".join(one.notes) or one.verdict
        if one.verdict == "absent":
            yield sign(Rule.PICKLE_UNSCANNED, f"{one.name} is not installed")
        elif one.verdict == "malicious":
            yield sign(Rule.PICKLE_MALICIOUS, f"{one.name}: {told}")
        elif one.verdict != "clean":
            yield sign(Rule.PICKLE_UNCLEAR, f"{one.name}: {told}")
    if not strange and all(one.verdict == "clean" for one in facts.scanned):
        named = " and ".join(one.name for one in facts.scanned)
        yield sign(Rule.PICKLE, f"{named} found nothing in it")
