"""Imports in processes of their own, forked from one that has everything loaded.

Reads a line ``HOME<tab>MEDIUM<tab>KILL_AT<tab>TORN``, forks a child, prints the child's
process id, and, when the child has ended, its exit status. The child waits for one more
byte of input, by then under whatever was attached to it, and imports once; where MEDIUM
is the file of a key, its holder cosigns the log instead. With the shim
(``shim.c``) it dies at the change of the disk that KILL_AT numbers; where that is 0 it
leaves a letter for each of them in ``HOME.changes``, ``w`` for a write.
"""

import ctypes
import os
import sys
from pathlib import Path

from airlift.errors import AirliftError
from airlift.inbound import landing, media
from airlift.inbound.arrival import Gate
from airlift.registry.logbook import Logbook
from airlift.registry.registry import Registry
from airlift.store.blobs import BlobStore
from airlift.trust import keys
from airlift.trust.keys import SUFFIX
from crossing import NOW, Desk

PHRASE = "correct horse"


def land(home: Path, medium: Path) -> int:
    """Import what lies on *medium* into *home*; return the exit code."""
    try:
        gate = Gate(
            store=BlobStore(home / "store"),
            registry=Registry.open(home),
            incoming=home / "incoming",
        )
        ((_, candidates),) = media.group(media.find([medium]).candidates)
        landing.land(candidates, gate, Desk(), now=NOW)
    except AirliftError as error:
        return error.exit_code
    return 0


def cosign(home: Path, key: Path) -> int:
    """Let the holder of *key* cosign the log in *home*; return the exit code."""
    try:
        who = keys.decode(key.read_bytes(), name="key").unlock(PHRASE)
        registry = Registry.open(home)
        with registry.exclusive("log cosign"):
            registry.log(Logbook(home).cosign(who, at=NOW, actor="bob"))
    except AirliftError as error:
        return error.exit_code
    return 0


def main() -> None:
    """Serve requests until the input ends."""
    shim = ctypes.CDLL(None) if "LD_PRELOAD" in os.environ else None
    for line in sys.stdin:
        home, medium, kill_at, torn = line.rstrip("\n").split("\t")
        child = os.fork()
        if child == 0:
            os.read(0, 1)
            code = 99
            try:
                if shim:
                    shim.shim_arm(int(kill_at), int(torn))
                act = cosign if medium.endswith(SUFFIX) else land
                code = act(Path(home), Path(medium))
                if shim and not int(kill_at):
                    kinds = ctypes.c_char.in_dll(shim, "shim_kinds")
                    told = ctypes.string_at(ctypes.addressof(kinds), shim.shim_count())
                    Path(f"{home}.changes").write_bytes(told)
            finally:
                os._exit(code)
        print(child, flush=True)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


main()
