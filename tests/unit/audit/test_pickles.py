"""Pickles are looked into by two scanners, each confined, and never loaded."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import hostile_pickles
from airlift.artifact import ContentClass
from airlift.audit.facts import allowed, gathering, pickle_program, pickles, rules
from airlift.audit.facts.gathering import Wanted
from airlift.audit.finding import Severity
from airlift.digest import sha256
from airlift.payload.face import Role
from airlift.payload.file_facts import FileFacts, Scanned
from airlift.payload.signs import Rule
from airlift.store.span import Span
from hostile_pickles import BENIGN, HOSTILE


def look(folder: Path, name: str, data: bytes, *, packed: bool = False) -> FileFacts:
    """Return the facts of a file as the store keeps it: without its name."""
    path = folder / "blob"
    path.write_bytes(b"before" + data + b"behind" if packed else data)
    span = Span(path=path, offset=6 if packed else 0, length=len(data))
    wanted = Wanted(key=(sha256(data), name), size=len(data), role=Role.OTHER)
    return gathering.look(wanted, span)


def worst(found: FileFacts) -> Severity:
    """Return the severity of the worst sign."""
    return min((rules.severity(one.rule) for one in found.signs), key=lambda s: s.rank)


@pytest.mark.parametrize("what", HOSTILE)
@pytest.mark.parametrize("packed", [False, True])
def test_no_hostile_pickle_goes_unnoticed(
    *, what: str, packed: bool, tmp_path: Path
) -> None:
    """Each of these was missed by one scanner or another."""
    name, data = HOSTILE[what]
    found = look(tmp_path, name, data, packed=packed)
    assert worst(found).reaches(Severity.HIGH)
    assert [one.name for one in found.scanned] == list(pickles.SCANNERS)


@pytest.mark.parametrize("what", BENIGN)
@pytest.mark.parametrize("packed", [False, True])
def test_weights_as_torch_writes_them_are_cleared(
    *, what: str, packed: bool, tmp_path: Path
) -> None:
    """An alarm at every old model would be switched off."""
    name, data = BENIGN[what]
    found = look(tmp_path, name, data, packed=packed)
    assert [(one.name, one.verdict) for one in found.scanned] == [
        ("picklescan", "clean"),
        ("modelaudit-picklescan", "clean"),
    ]
    assert [one.rule for one in found.signs] == [Rule.PICKLE]
    assert rules.severity(Rule.PICKLE) is Severity.LOW


def test_older_weights_are_not_cleared(tmp_path: Path) -> None:
    """Behind their pickles lie bare numbers, which a scanner cannot tell from more."""
    found = look(tmp_path, "pytorch_model.bin", hostile_pickles.legacy())
    assert found.format == "torch"
    assert [one.rule for one in found.signs] == [Rule.PICKLE_UNCLEAR]


def test_what_a_pickle_imports_is_told(tmp_path: Path) -> None:
    """It is what a person judges it by."""
    name, data = HOSTILE["importlib"]
    found = look(tmp_path, name, data)
    assert found.globals == ("importlib.import_module",)
    first = found.signs[0]
    assert (first.rule, first.detail) == (
        Rule.PICKLE_GLOBAL,
        "importlib.import_module",
    )


@pytest.mark.parametrize(
    "data",
    [
        b"\x80\x04" + b"(" * 300_000,
        b"\x80\x04" + hostile_pickles.text("x" * 1000) * 2000,
        b"\x80\x04\x95" + b"\xff" * 8 + b"N.",
        b"PK\x03\x04" + bytes(200),
    ],
)
def test_what_no_scanner_understands_is_a_finding(data: bytes, tmp_path: Path) -> None:
    """Suspicious, inconclusive and broken are no passes."""
    assert worst(look(tmp_path, "model.pkl", data)).reaches(Severity.HIGH)


def test_a_pickle_under_another_name_is_scanned(tmp_path: Path) -> None:
    """The name is the attacker's choice."""
    found = look(tmp_path, "model.safetensors", hostile_pickles.SYSTEM)
    assert {one.rule for one in found.signs} >= {
        Rule.DISGUISED,
        Rule.PICKLE_MALICIOUS,
        Rule.PICKLE_GLOBAL,
    }


def confined(code: str) -> "subprocess.CompletedProcess[bytes]":
    """Run *code* in a process that has confined itself as a scanner's does."""
    before = (
        "from airlift.audit.facts import pickle_program; pickle_program.confine()\n"
    )
    line = [sys.executable, "-I", "-B", "-c", before + code]
    return subprocess.run(line, capture_output=True, timeout=60, check=False)


@pytest.mark.parametrize(
    "code",
    [
        "import os; os.system('true')",
        "import subprocess; subprocess.Popen(['true'])",
        "import os; os.fork()",
        "import socket; socket.create_connection(('127.0.0.1', 9))",
        "import pickle; pickle.loads(b'cposix\\nsystem\\n.')",
        "open('/dev/null', 'w')",
        "import os; os.open('/dev/null', os.O_RDWR)",
        "import os; os.execv('/bin/true', ['true'])",
        "import os\ntry: os.remove('/nothing/there')\nexcept BaseException: pass",
    ],
)
def test_a_scanner_that_was_fooled_can_do_nothing(code: str) -> None:
    """A parser of hostile bytes is what an attacker takes over first."""
    assert confined(code).returncode == pickle_program.FORBIDDEN_EXIT


def test_a_confined_process_can_still_look() -> None:
    """Else the test before would say nothing."""
    assert confined("assert open('/dev/null', 'rb').read() == b''").returncode == 0


def test_a_scanner_has_no_more_memory_than_it_was_given() -> None:
    """A pickle of a few bytes can ask for all there is."""
    done = confined("x = bytearray(3 << 30)")
    assert (done.returncode, done.stderr.splitlines()[-1]) == (1, b"MemoryError")


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"[]",
        b'{"verdict": "fine", "globals": [], "notes": []}',
        b'{"verdict": "clean", "globals": "x", "notes": []}',
        b'{"verdict": "clean", "globals": [], "notes": [1]}',
        b"[" * 100_000,
    ],
)
def test_an_answer_that_cannot_be_read_clears_nothing(answer: bytes) -> None:
    """The process that wrote it may have been taken over."""
    assert pickles._told(answer) == ("unclear", (), ("its answer cannot be read",))


def test_a_good_answer_is_read_and_shown_safely() -> None:
    """What a scanner quotes is the attacker's text."""
    told = {"verdict": "clean", "globals": ["a.b\x1b"], "notes": []}
    assert pickles._told(json.dumps(told).encode()) == ("clean", ("a.b\\x1b",), ())


def test_a_scanner_that_is_not_there_clears_nothing() -> None:
    """`airlift[scan]` is optional; a pickle that nobody looked at is a finding."""
    absent = Scanned(name="picklescan", version="", verdict="absent")
    facts = FileFacts(
        format="pickle",
        content_class=ContentClass.PICKLE,
        scanned=(absent,),
    )
    assert [(one.rule, one.detail) for one in pickles.signs(facts)] == [
        (Rule.PICKLE_UNSCANNED, "picklescan is not installed")
    ]


def test_the_short_list_holds_nothing_that_calls() -> None:
    """One name too many opens it all."""
    for one in ("torch.storage._load_from_bytes", "builtins.getattr", "builtins.eval"):
        assert not allowed.is_allowed(one)
    modules = {one.rpartition(".")[0] for one in allowed.ALLOWED}
    assert modules == {
        *("__builtin__", "builtins", "collections", "_codecs", "numpy"),
        *("numpy.core.multiarray", "numpy._core.multiarray", "torch"),
        *("torch._utils", "torch.nn.parameter", "torch.serialization", "torch.storage"),
    }


def test_every_rule_has_a_severity_and_a_title() -> None:
    """A sign that nobody rates would be lost."""
    assert set(rules.RULES) == set(Rule)
