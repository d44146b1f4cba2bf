"""One scanner looks at one pickle, in a process that can do nothing else.

Started by ``airlift.audit.facts.pickles`` as ``python -I -m``, in ``/`` and without an
environment. The law: before a scanner is loaded, this process has given up memory, time,
files to write and, by an audit hook (PEP 578), the network, other programs and every
unpickling. A scanner that was fooled ends the process, and that is a finding.

What it prints is one JSON object. Nothing is caught: an error of a scanner ends the
process too.
"""

import json
import logging
import os
import resource
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Final

from airlift.audit.facts.allowed import is_allowed

MEMORY: Final = 2 << 30
"""Bytes of address space: what picklescan keeps of a million opcodes is 300 MB."""
SECONDS: Final = 120
"""Of processor time. A state dict of 1,000 tensors takes 0.1."""
FORBIDDEN_EXIT: Final = 71
"""Exit code of a process that tried what it may not."""
_LISTED: Final = 500
_CHARACTERS: Final = 300
_FORBIDDEN: Final = (
    *("socket.", "subprocess.", "os.system", "os.exec", "os.fork", "os.posix_spawn"),
    *("os.spawn", "os.startfile", "pickle.", "ctypes.dlopen", "pty.", "shutil."),
    *("os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.link", "os.symlink"),
    *("os.chmod", "os.chown", "os.truncate", "webbrowser.", "urllib."),
)
"""Beginnings of names of audit events."""


@dataclass(slots=True)
class Said:
    """What a scanner said."""

    verdict: str
    globals: set[str] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)


def confine() -> None:
    """Give up what no scanner needs, for good."""
    for what, most in (
        (resource.RLIMIT_AS, MEMORY),
        (resource.RLIMIT_CPU, SECONDS),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(what, (most, most))
    sys.addaudithook(_refuse)


def _refuse(event: str, arguments: tuple[object, ...]) -> None:
    writes = event == "open" and _writes(arguments)
    if writes or event.startswith(_FORBIDDEN):
        # Not an exception, which the scanner might catch.
        os.write(2, f"tried {event}\n".encode())
        os._exit(FORBIDDEN_EXIT)


def _writes(arguments: tuple[object, ...]) -> bool:
    flags = arguments[2] if len(arguments) > 2 else 0
    return isinstance(flags, int) and bool(flags & (os.O_WRONLY | os.O_RDWR))


def picklescan(stream: BinaryIO, ending: str) -> Said:
    """Let picklescan look at *stream*, named so that it ends in *ending*."""
    # Only after `confine`; it has no types.
    from picklescan import scanner  # type: ignore[import-untyped]  # noqa: PLC0415

    warned = _Warned()
    logging.getLogger("picklescan").addHandler(warned)
    found = scanner.scan_bytes(stream, "file", ending or None)
    said = Said("clean", {f"{one.module}.{one.name}" for one in found.globals})
    levels = {one.safety for one in found.globals if not _good(one)}
    if scanner.SafetyLevel.Dangerous in levels:
        said.verdict = "malicious"
    elif levels:
        said.verdict = "suspicious"
    # It gives up on some files with a warning alone, and calls them clean.
    elif found.scan_err or not found.scanned_files or warned.told:
        said.verdict = "unclear"
    said.notes = warned.told or ([] if found.scanned_files else ["nothing was scanned"])
    return said


def _good(one: Any) -> bool:
    return is_allowed(f"{one.module}.{one.name}")


class _Warned(logging.Handler):
    """Keeps the warnings of a scanner."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.told: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one."""
        self.told.append(record.getMessage())


def modelaudit(path: Path) -> Said:
    """Let modelaudit-picklescan look at the file *path*."""
    import modelaudit_picklescan as audit  # noqa: PLC0415 - only after `confine`

    scanner = audit.PickleScanner(options=audit.ScanOptions(timeout_s=float(SECONDS)))
    # Without the call graph, which reads the source of whatever is installed here: the
    # verdict must not depend on the host.
    report = scanner.scan_file(path, enrich_call_graph=False)
    said = Said("clean")
    bad = [one for one in report.findings if not _cleared(one, said)]
    if any(one.severity is audit.Severity.CRITICAL for one in bad):
        said.verdict = "malicious"
    elif report.status is not audit.ScanStatus.COMPLETE:
        said.verdict = "unclear"
    elif bad:
        said.verdict = "suspicious"
    said.notes = [f"{one.rule_code}: {one.message}" for one in bad]
    if said.verdict == "unclear":
        said.notes += [f"{one.code}: {one.message}" for one in report.notices]
        said.notes += [f"{one.category}: {one.message}" for one in report.errors]
    return said


def _cleared(one: Any, said: Said) -> bool:
    """Say whether all that *one* found is an import that the short list has.

    It asks for proof that importing torch does nothing, which only torch's source gives.
    """
    name = f"{one.details.get('module')}.{one.details.get('name')}"
    if one.rule_code != "NON_ALLOWLISTED_GLOBAL":
        return False
    said.globals.add(name)
    return is_allowed(name)


def alone(path: Path, start: int, count: int) -> Path:
    """Return a path of *count* bytes of the file *path* from *start*, and of no others.

    Small blobs lie together in packs, and a scanner sees one alone: in memory, as if it
    were a file.
    """
    with path.open("rb") as file:
        if start == 0 and os.fstat(file.fileno()).st_size == count:
            return path
        file.seek(start)
        memory = os.memfd_create("blob")
        with open(memory, "wb", closefd=False) as copy:
            copy.write(file.read(count))
    return Path(f"/proc/self/fd/{memory}")


def main(arguments: list[str]) -> None:
    """Scan what *arguments* name: scanner, path, offset, length, ending."""
    scanner, path, offset, length, ending = arguments
    place = alone(Path(path), int(offset), int(length))
    confine()
    if scanner == "picklescan":
        with place.open("rb") as stream:
            said = picklescan(stream, ending)
    else:
        said = modelaudit(place)
    notes = [one.replace(str(place), "file") for one in said.notes]
    told = {
        "verdict": said.verdict,
        "globals": list(_bounded(sorted(said.globals))),
        "notes": list(_bounded(notes)),
    }
    sys.stdout.write(json.dumps(told))


def _bounded(texts: list[str]) -> Iterator[str]:
    yield from (one[:_CHARACTERS] for one in texts[:_LISTED])


if __name__ == "__main__":
    main(sys.argv[1:])
