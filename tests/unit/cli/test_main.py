"""The one door: errors, JSON, pipes, passphrases, and names that would act."""

import os
import re
import signal
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest

from airlift.cli import config
from airlift.errors import EXIT_CODES
from airlift.outbound import departure
from airlift.outbound.departure import Order
from airlift.progress import Silent
from commands import Shell, answering, line, process
from crossing import Crossing

ACTING = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]"
)
"""What makes a terminal act, or text run the other way: all but the line feed."""
EVIL = (
    "\x1b[2J\x1b]0;title\x07"  # clear the screen, set the title
    "\x1b]8;;http://evil.example\x07ann\x1b]8;;\x07"  # OSC 8: a link that lies
    "\x1b]52;c;ZXZpbA==\x07"  # OSC 52: writes the clipboard
    "\u202egnp.exe\u2066\u200f\x9b31m\r"  # bidi, an 8-bit CSI, a carriage return
)


def test_an_error_as_json_is_one_document(run: Shell) -> None:
    """A program reads kind and code; it never has to parse a sentence."""
    done = run("show", "nothing", "--json")
    assert done.code == 2
    assert done.json == {
        "error": {
            "kind": "request",
            "problem": "no release here is called `nothing`",
            "hint": "see `airlift list`",
            "exit_code": 2,
        }
    }
    assert done.err.startswith("airlift: error: no release here is called `nothing`\n")


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("nosuch",), "no such command 'nosuch'"),
        (("list", "--nosuch"), "no such option '--nosuch'"),
        (("list", "--kind", "car"), "invalid value for '--kind': 'car' is not one of"),
        (("show",), "missing argument 'REFERENCE'"),
    ],
)
def test_a_mistake_on_the_command_line_is_a_request(
    words: tuple[str, ...], problem: str
) -> None:
    """Exit code 2 and one line, in the same voice as every other error."""
    done = process(*words)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"airlift: error: {problem}")
    assert "Traceback" not in done.err


def test_help_lists_every_exit_code() -> None:
    """They are part of what the program promises."""
    text = process("--help").out
    assert [c for c, said in EXIT_CODES.items() if f"{c} {said}" not in text] == []


@pytest.mark.parametrize(
    "words", [("list", "--history", "--json"), ("verify",), ("doctor", "--json")]
)
def test_a_reader_that_goes_away_hears_no_verdict(
    run: Shell, words: tuple[str, ...]
) -> None:
    """``airlift verify | head -1`` ends quietly, and never as if all were well."""
    command = line(*words, "--home", run.home)
    ours, theirs = os.pipe()
    os.close(ours)
    try:
        done = subprocess.run(
            command, stdout=theirs, stderr=subprocess.PIPE, text=True, check=False
        )
    finally:
        os.close(theirs)
    assert (done.returncode, done.stderr) == (141, "")


def test_an_error_that_nobody_reads_is_an_error_all_the_same(run: Shell) -> None:
    """A script with ``pipefail`` must not see success where there was none."""
    command = line("show", "nothing", "--json", "--home", run.home)
    ours, theirs = os.pipe()
    os.close(ours)
    try:
        done = subprocess.run(
            command, stdout=theirs, stderr=subprocess.PIPE, text=True, check=False
        )
    finally:
        os.close(theirs)
    assert (done.returncode, "Traceback" in done.stderr) == (2, False)


def test_a_termination_is_an_interruption(run: Shell) -> None:
    """Exit code 130, no traceback; the next run goes on."""
    command = line("import", "-", "--yes", "--home", run.home)
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        lock = run.home / "registry.lock"
        ends = time.monotonic() + 60
        while f"process {running.pid}," not in lock.read_text():
            assert time.monotonic() < ends
            time.sleep(0.02)
        running.send_signal(signal.SIGTERM)
        _, said = running.communicate(timeout=60)
    assert (running.returncode, said.lstrip("\n")) == (
        130,
        "airlift: error: interrupted\n",
    )


def test_nothing_on_the_medium(run: Shell, tmp_path: Path) -> None:
    """The wrong stick, or one that is not mounted."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "holiday.jpg").write_bytes(b"x" * 2000)
    for command in (("import", "--yes"), ("inspect",)):
        done = run(command[0], tmp_path / "empty", *command[1:])
        assert (done.code, done.out) == (2, "")
        assert done.err.endswith(
            f"airlift: error: no airlift volume in {tmp_path}/empty\n"
            "airlift: hint: is this the right medium, and mounted?\n"
        )
    done = run("import", tmp_path / "nowhere", "--yes")
    assert done.code == 2
    assert done.err == (
        f"airlift: error: cannot read {tmp_path}/nowhere: No such file or directory\n"
        "airlift: hint: is the medium mounted?\n"
    )


def test_an_import_must_be_agreed_to(tmp_path: Path) -> None:
    """Without a terminal nothing comes in unasked; at one, no is no."""
    crossing = Crossing(tmp_path, now=config.now())
    pinned = crossing.connected.folder("acme/m", {"a.json": b"{}"})
    crossing.connected.export(crossing.medium, pinned, now=config.now())
    home = crossing.isolated.home
    done = process("import", crossing.medium, "--home", home)
    assert done.code == 2
    assert done.err.endswith(
        "airlift: error: an import must be agreed to, and there is no terminal to ask"
        " at\nairlift: hint: look at it with --dry-run, then add --yes\n"
    )
    done = answering("n\n", "import", crossing.medium, "--home", home)
    assert (done.code, crossing.isolated.registry.releases()) == (2, ())
    assert done.err.endswith(
        "airlift: error: not taken in; nothing was changed\n"
        "airlift: hint: run the same command when it is wanted\n"
    )
    done = answering("y\n", "import", crossing.medium, "--home", home)
    assert done.code == 0
    assert len(crossing.isolated.registry.releases()) == 1


def test_a_stick_for_another_site_is_exit_code_five(run: Shell, tmp_path: Path) -> None:
    """Nobody but the courier did anything wrong, and nothing changed."""
    stranger = Crossing(tmp_path / "stranger", now=config.now())
    pinned = stranger.connected.folder("acme/m", {"a.json": b"{}"})
    stranger.connected.export(stranger.medium, pinned, now=config.now())
    before = run.good("list", "--json").out
    done = run("import", stranger.medium, "--yes", "--json")
    assert (done.code, done.json["error"]["kind"]) == (5, "trust")
    assert run.good("list", "--json").out == before


@pytest.fixture(name="signer", scope="module")
def _signer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A connected side made by the command line, with a phrase and a manifest."""
    folder = tmp_path_factory.mktemp("signer")
    (folder / "phrase").write_text("five random words are enough\n")
    (folder / "wrong").write_text("five random words are wrong\n")
    (folder / "input").mkdir()
    (folder / "input" / "config.json").write_text("{}")
    (folder / "m.toml").write_text(
        'manifest = 1\n[[folder]]\nname = "acme/m"\npath = "input"\nlicence = "mit"\n'
    )
    done = process(
        *("trust", "init", "--site", "plant7", "--name", "ann", "--kdf", "low-memory"),
        *("--passphrase-file", folder / "phrase", "--home", folder / "home"),
    )
    assert done.code == 0, done
    return folder


def export(signer: Path, *options: str | Path) -> tuple[str, ...]:
    """Return the words of an export with *options*."""
    words = ("export", signer / "m.toml", "--to", signer / "stick", *options)
    return tuple(map(str, (*words, "--home", signer / "home")))


@pytest.mark.parametrize(
    ("options", "code", "problem"),
    [
        (
            ("--passphrase-file", "wrong"),
            5,
            "the passphrase does not open the key of `ann`",
        ),
        (("--passphrase-file", "nowhere"), 2, "cannot read the passphrase file"),
        (
            (),
            2,
            "a passphrase is needed for the key of `ann`, and there is no terminal",
        ),
        (
            ("--site", "plant8", "--passphrase-file", "phrase"),
            2,
            "there is no site `plant8`; known are plant7",
        ),
        (
            ("--key", "bob", "--passphrase-file", "phrase"),
            2,
            "there is no key",
        ),
    ],
)
def test_what_cannot_be_signed_is_not_written(
    signer: Path, options: tuple[str, ...], code: int, problem: str
) -> None:
    """A wrong passphrase, no passphrase, an unknown site or key: no volume."""
    words = [str(signer / w) if (signer / w).is_file() else w for w in options]
    done = process(*export(signer, *words))
    assert (done.code, done.out) == (code, "")
    assert done.err.splitlines()[0].startswith(f"airlift: error: {problem}"), done.err
    assert list((signer / "stick").glob("*.tar")) == []


def test_what_acts_on_a_terminal_is_never_printed_raw(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Names travel in signed text; a signer's mistake must not run a terminal.

    Escapes that clear the screen, lie about a link, write the clipboard or turn text
    around, in every field that a delivery carries and a stick's file names.
    """
    now = config.now()
    crossing = Crossing(tmp_path, now=now)
    connected = crossing.connected
    pinned = connected.folder("acme/m", {"a.json": b"{}"})
    pinned = replace(
        pinned,
        licence=EVIL,
        base_models=(EVIL,),
        refs=(EVIL,),
        upstream={**pinned.upstream, EVIL: EVIL},
    )
    order = Order(
        pinned=(pinned,),
        site="plant7",
        folder=crossing.medium,
        capacity=64 << 20,
        operator=EVIL,
    )
    departure.export(order, connected.dock, [connected.key], now=now, progress=Silent())
    (crossing.medium / EVIL.replace("/", "")).write_bytes(b"x" * 2000)
    run = Shell(crossing.isolated.home, capsys)
    said = []
    for words in (
        ("inspect", str(crossing.medium)),
        ("import", str(crossing.medium), "--dry-run"),
        ("import", str(crossing.medium), "--yes"),
        ("list",),
        ("pin", "acme/m", "--why", EVIL),
        ("show", "acme/m"),
        ("list", "--history"),
        ("list", "--generations"),
        ("verify",),
        ("doctor",),
        ("remove", "acme/m"),
        ("gc", "--dry-run"),
    ):
        done = run.good(*words)
        said.append(done.out + done.err)
        assert ACTING.findall(done.out + done.err) == [], words
        for_programs = run(*words, "--json") if "import" not in words else done
        assert ACTING.findall(for_programs.out) == [], words
    shown = "\n".join(said)
    assert "\\x1b]52;c;ZXZpbA==\\x07" in shown
    assert "\\u202egnp.exe" in shown


@pytest.mark.parametrize("name", [EVIL, "a\x1b[2J", "\u202etxt"])
def test_a_reference_with_escapes_is_shown_without(run: Shell, name: str) -> None:
    """What a person pasted comes back defused."""
    done = run("show", name)
    assert done.code == 2
    assert ACTING.findall(done.err) == []
