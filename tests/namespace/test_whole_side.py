"""Every command of the isolated side, seen by the kernel: none asks for a network.

A command that is new must be put into one of the lists below, or this fails: what runs
on the isolated side is run here, on real input, in one process under strace where there
is no network.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from airlift.cli.main import app
from crossing import noise
from integration.sides import Side
from namespace.sealed import SEALED, internet, marks, traced
from namespace.test_no_network_calls import trace_of

pytestmark = [
    *marks,
    pytest.mark.skipif(not shutil.which("strace"), reason="needs strace"),
    pytest.mark.timeout(600),
]

CONNECTED = {
    *("plan", "lock", "update", "export", "send", "resend", "slip", "check", "reissue"),
    *("hand-over", "media list", "media lost", "media test", "bootstrap", "policy set"),
    *("catalogue build", "catalogue key", "receipt read", "request read", "demo"),
    *("request lock", "site add", "site enrol", "site list", "site show"),
    *("trust add", "trust deny", "trust discard", "trust keygen", "trust merge"),
    *("trust pending", "trust renew", "trust revoke", "trust root", "trust rotate"),
    *("trust show", "trust sign", "trust token"),
}
"""Commands of the other side; they may reach a network, or need a key of a person."""
EXCEPTED = {
    "serve": "listens, and is watched by test_serving_answers_and_never_asks",
}

JOURNEY = (
    "trust init --root ROOT --site plant7 --yes",
    "trust check ROOT",
    "trust site-key KEY",
    "trust encryption-key SECRECY",
    "trust mark MARK",
    "inspect MEDIUM",
    "import MEDIUM --dry-run",
    "watch MEDIUM --once --settle 0",
    "import MEDIUM --yes",
    "trust denied",
    "state",
    "receipt export",
    "list",
    "show acme/m",
    "install acme/m --to PLAIN",
    "verify-client acme/m --dir PLAIN",
    "verify",
    "pin acme/m --why audit",
    "policy show",
    "approve acme/m --by nobody",
    "approve --expired MEDIUM",
    "scan attach REPORT --by ann --scanner clamav 1.4",
    "repair MEDIUM",
    "client-env",
    "systemd",
    "tls init --name here.example --passphrase-file PHRASE",
    "tls server --name here.example --passphrase-file PHRASE",
    "tls client ann CLIENT --passphrase-file PHRASE",
    "token create vllm --allow models:*",
    "token add-key vllm2 KEY --allow models:*",
    "token add-certificate vllm3 CN=ann --allow models:*",
    "token anyone --allow models:*",
    "token list",
    "token revoke vllm",
    "request add model:org/other --by-name",
    "request show",
    "request export",
    "request remove model:org/other",
    "catalogue import ROOT",
    "catalogue show",
    "catalogue diff",
    "observe --host gpu-1 --to SEEN",
    "audit run",
    "audit bundles",
    "audit changes REPORT",
    "audit controls",
    "audit cross",
    "audit denied",
    "audit diff acme/m acme/m",
    "audit export --out PACK --record",
    "audit check PACK --key KEY",
    "audit models",
    "audit freshness",
    "audit hosts",
    "audit inventory",
    "audit keys",
    "audit licences",
    "audit log",
    "audit outdated",
    "audit schema",
    "audit trace acme/m",
    "audit verify",
    "audit vulns",
    "audit waive x --until 2099-01-01 --reason none",
    "audit waivers",
    "audit withdrawn",
    "log show",
    "log verify",
    "log prove 1 --to PROOFS",
    "log export LOGS",
    "log cosign --key ALICE --to COSIGNED --passphrase-file PHRASE",
    "remove acme/m",
    "activate acme/m",
    "rollback",
    "gc --yes",
    "rebuild",
    "doctor",
)
PROGRAM = """
import contextlib, io, json, sys
from airlift.cli.main import run
codes = {}
for line in json.loads(sys.argv[1]):
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        try:
            homeless = line[0] in ("repair", "client-env") or line[1:2] == ["schema"]
            homeless = homeless or line[:2] == ["audit", "check"]
            code = run([*line, *([] if homeless else ["--home", sys.argv[2]])])
        except SystemExit as error:
            code = error.code
    codes[" ".join(line)] = [code, said.getvalue()[-400:]]
print(json.dumps(codes))
"""


def walk(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[str]:
    """Yield every command below *command* by the words that call it."""
    if not isinstance(command, click.Group):
        yield " ".join(path)
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        below = command.get_command(context, name)
        assert below
        yield from walk(below, (*path, name))


def test_every_command_is_watched_or_stands_in_a_list() -> None:
    """A command that somebody adds is run here, or said to be none of this side."""
    known = set(walk(app))
    named = {
        command
        for line in JOURNEY
        for command in known
        if line == command or line.startswith(f"{command} ")
    }
    assert known == named | CONNECTED | EXCEPTED.keys()
    assert not named & CONNECTED


def test_no_command_of_the_isolated_side_makes_a_network_call(tmp_path: Path) -> None:
    """In one process and one trace: not a name looked up, not a packet sent.

    Whether a command has what it needs matters less here than that it is run, but
    most of them must do what they are for.
    """
    connected = Side.connected(tmp_path)
    (connected.home / "model").mkdir()
    (connected.home / "model" / "noise.bin").write_bytes(noise(90_000))
    text = 'manifest = 1\n\n[[folder]]\nname = "acme/m"\npath = "model"\n'
    (connected.home / "m.toml").write_text(text)
    medium = tmp_path / "medium"
    connected.ok("export", str(connected.home / "m.toml"), "--to", str(medium))
    for name in ("elsewhere", "proofs"):
        (tmp_path / name).mkdir()
    (tmp_path / "report.txt").write_text("nothing\n")
    places = {
        "ROOT": connected.home / "root.json",
        "KEY": tmp_path / "site-key.json",
        "SECRECY": tmp_path / "encryption-key.json",
        "MARK": tmp_path / "elsewhere" / "mark",
        "MEDIUM": medium,
        "PLAIN": tmp_path / "plain",
        "REPORT": tmp_path / "report.txt",
        "CLIENT": tmp_path / "client",
        "PHRASE": connected.phrase,
        "PACK": tmp_path / "evidence.tar",
        "SEEN": tmp_path / "seen.json",
        "PROOFS": tmp_path / "proofs",
        "LOGS": tmp_path / "logs",
        "ALICE": connected.home / "keys" / "alice.key",
        "COSIGNED": tmp_path / "cosigned",
    }
    lines = [[str(places.get(word, word)) for word in line.split()] for line in JOURNEY]
    trace = tmp_path / "trace"
    done = subprocess.run(
        [
            *(*SEALED, *traced(str(trace)), sys.executable, "-c", PROGRAM),
            *(json.dumps(lines), str(tmp_path / "isolated")),
        ],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    codes = json.loads(done.stdout)
    assert len(codes) == len(JOURNEY)
    crashed = {line: said for line, (code, said) in codes.items() if code in (1, None)}
    assert crashed == {}
    worked = [line for line, (code, _) in codes.items() if code in DONE]
    refused = {line: told for line, told in codes.items() if told[0] not in DONE}
    assert len(worked) >= WORKED, "\n".join(map(str, refused.items()))
    assert internet(trace_of(trace)) == []


DONE = (0, 8)
"""Done, or said that what is known here does not suffice for an answer."""
WORKED = len(JOURNEY) - 12
"""Commands of the journey that do what they are for; the others are refused."""
