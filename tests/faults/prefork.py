"""Commands in processes of their own, forked from one that has everything loaded.

Reads a line of JSON: ``argv``, ``rules`` for the shim (``shim.c``), ``out`` and ``err``,
the files that what is printed goes to. Forks a child, prints its process id, and when
the child has ended its exit status. A fresh interpreter for each command would take ten
times as long as what these tests look at.
"""

import ctypes
import importlib
import json
import os
import signal
import sys
from typing import Any

from airlift.cli import main

COMMANDS = ("import", "export", "check", "list", "show", "verify", "repair")


def obey(told: dict[str, Any]) -> int:
    """Run a command in this process; return its exit code."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for fd, name in ((0, os.devnull), (1, told["out"]), (2, told["err"])):
        os.dup2(os.open(name, os.O_RDWR | os.O_CREAT), fd)
    ctypes.CDLL(None).shim_rules(told["rules"].encode())
    code = main.run(told["argv"])
    sys.stdout.flush()
    sys.stderr.flush()
    return code


def serve() -> None:
    """Serve requests until the input ends."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # ends with who started it
    for name in COMMANDS:
        importlib.import_module(f"airlift.cli.cmd_{name}")
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            code = 99
            try:
                code = obey(json.loads(line))
            finally:
                os._exit(code)
        print(child, flush=True)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    serve()
