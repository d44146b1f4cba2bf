"""The fourteen questions of an auditor, put to one site to which everything has happened.

Three deliveries, a revoked key, a yanked wheel, a hostile pickle, a vulnerable runtime, a
template that changed, a rotten blob and an edited database: real commands, a real site.
What each answer must be was written down before (``tests/journey/fourteen.toml``); this
prints what was asked, what came, and whether that is all of it and nothing else.

    python scripts/fourteen.py [--folder FOLDER]
"""

import argparse
import json
import re
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from airlift import __version__  # noqa: E402 - found by the line above, as the rest
from airlift.audit.plain import plain  # noqa: E402
from airlift.cli import config  # noqa: E402
from fourteen_site import Story  # noqa: E402

EXPECTED: Final = ROOT / "tests" / "journey" / "fourteen.toml"
_PLACES: Final = ("SOUND", "TOLD", "BROUGHT", "SEEN")
"""Reports that the story keeps, by the name of their folder."""
_HEX: Final = re.compile(r"[0-9a-f]{40,64}")
_SHORT: Final = 12
_LOOSE: Final = (
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"), "TIME"),
    (re.compile(r"\b\d{4}-\d\d-\d\d\b"), "DAY"),
    (re.compile(r"\bfor \d+ days\b"), "for N days"),
    (re.compile(r"\b[0-9a-f]{64}\b"), "DIGEST"),
    (re.compile(r"\bits \d+ bytes\b"), "its SIZE bytes"),
    (re.compile(r"\bevent \d+\b"), "event N"),
    (re.compile(r"\bcheckpoint of \d+ events\b"), "checkpoint of N events"),
    (re.compile(r"\bthe root [0-9a-f]{16}\b"), "the root DIGEST"),
    (re.compile(r"\((picklescan|modelaudit-picklescan): .*\)$"), "(NOTES)"),
)
"""What differs from run to run, and what stands for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """An answer, expected or found.

    Attributes:
        exit: Exit code of the command.
        verdict: Of the one question that was asked; empty for none.
        verdicts: Of each, by name, where all were.
        columns: Columns of its table that count.
        rows: The table, each cell as text, sorted.
        findings: Severity and title of each, sorted; what reads alike once.
        unknown: What could not be answered, sorted.
        accepted: How many of the findings a waiver covers.
        told: The last line that a person is told, where all were asked.
    """

    exit: int
    verdict: str = ""
    verdicts: str = ""
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    findings: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    accepted: int = 0
    told: str = ""

    @property
    def short(self) -> str:
        """It, in a few words."""
        whole = "each its own" if self.verdicts else f"{len(self.rows)} changes"
        words = [self.verdict or whole, f"{len(self.findings)} findings"]
        return ", ".join([*words, f"exit code {self.exit}"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A question as it is put.

    Attributes:
        stage: After which part of the story: ``sound``, ``wronged``, ``forged``.
        number: ``Q1`` to ``Q14``, or ``all``.
        question: In a person's words.
        command: What is asked of ``airlift``.
        expected: What the answer must be.
    """

    stage: str
    number: str
    question: str
    command: str
    expected: Said

    @property
    def id(self) -> str:
        """What tells it apart."""
        return f"{self.stage} {self.number}: airlift {self.command}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """A question and what came.

    Attributes:
        asked: The question.
        found: What was found.
    """

    asked: Asked
    found: Said

    @property
    def is_met(self) -> bool:
        """Whether exactly what was expected came."""
        return self.found == self.asked.expected


def questions(path: Path = EXPECTED) -> list[Asked]:
    """Return what is asked, in the order it is asked in."""
    return [_asked(one) for one in tomllib.loads(path.read_text())["ask"]]


def _asked(told: Mapping[str, Any]) -> Asked:
    rows = sorted(tuple(row) for row in told.get("rows", ()))
    return Asked(
        stage=told["stage"],
        number=told["number"],
        question=told["question"],
        command=told["asked"],
        expected=Said(
            exit=told["exit"],
            verdict=told.get("verdict", ""),
            verdicts=" ".join(told.get("verdicts", "").split()),
            columns=tuple(told.get("columns", ())),
            rows=tuple(rows),
            findings=tuple(sorted(told.get("findings", ()))),
            unknown=tuple(sorted(told.get("unknown", ()))),
            accepted=told.get("accepted", 0),
            told=told.get("told", ""),
        ),
    )


class Auditor:
    """Who asks, and calls things by the names that the story gave them.

    Args:
        story: Whose site is asked.
    """

    def __init__(self, story: Story) -> None:
        self._story = story

    def ask(self, asked: Asked) -> Answered:
        """Put one question, for a program."""
        words = self._words(asked.command)
        done = self._story.isolated.run(*words, "--json")
        try:
            told = json.loads(done.stdout)
        except ValueError as error:
            raise SystemExit(f"{asked.command}: {done.stderr}") from error
        found = self._said(told, done.returncode, asked.expected.columns)
        if asked.number == "all":
            found = self._whole(found, told, words)
        return Answered(asked=asked, found=found)

    def _whole(
        self, found: Said, told: Mapping[str, Any], words: Sequence[str]
    ) -> Said:
        """Return what all questions come to, and what a person is told of that."""
        verdicts = {one["name"]: one["verdict"] for one in told["questions"]}
        listed = ", ".join(f"{name} {verdicts[name]}" for name in sorted(verdicts))
        spoken = self._story.isolated.run(*words)
        last = spoken.stdout.splitlines()[-1] if spoken.stdout else spoken.stderr
        return replace(found, verdict="", verdicts=listed, told=last)

    def _words(self, command: str) -> list[str]:
        names = {short: digest for digest, short in self._story.names.items()}
        found = []
        for word in command.split():
            head, at, tail = word.partition("@")
            place, slash, rest = word.partition("/")
            if place in _PLACES:
                found.append(self._story.path(place) + slash + rest)
            else:
                found.append(head + at + names.get(tail, tail))
        return found

    def _said(self, told: Mapping[str, Any], code: int, columns: Sequence[str]) -> Said:
        if "changes" in told:
            rows = self._rows(told["changes"], columns)
            return Said(exit=code, columns=tuple(columns), rows=rows)
        (first, *_) = told["questions"]
        unknown = [line for one in told["questions"] for line in one["unknown"]]
        unknown += [
            one["reason"]
            for one in told["questions"]
            if one["reason"] and not one["unknown"]
        ]
        waived = [one for one in told["findings"] if one["waiver"]]
        return Said(
            exit=code,
            verdict=first["verdict"],
            columns=tuple(columns),
            rows=self._rows(first["rows"], columns) if columns else (),
            findings=tuple(sorted(set(map(self._titled, told["findings"])))),
            unknown=tuple(sorted(map(self._named, unknown))),
            accepted=len(waived),
        )

    def _titled(self, finding: Mapping[str, Any]) -> str:
        return self._named(f"{finding['severity']} {finding['title']}")

    def _rows(
        self, rows: Sequence[Mapping[str, Any]], columns: Sequence[str]
    ) -> tuple[tuple[str, ...], ...]:
        cells = (
            tuple(self._named(plain(row.get(key))) for key in columns) for row in rows
        )
        return tuple(sorted(cells))

    def _named(self, text: str) -> str:
        for digest, name in self._story.names.items():
            text = text.replace(digest, name)
            if _HEX.fullmatch(digest):
                text = text.replace(digest[:_SHORT], name)
        for pattern, name in _LOOSE:
            text = pattern.sub(name, text)
        text = text.replace(config.actor(), "OPERATOR")
        return text.replace(f"airlift {__version__}", "airlift VERSION")


def run(folder: Path, asked: Sequence[Asked]) -> Iterator[Answered]:
    """Let everything happen, and put each question when its time has come."""
    with Story.begin(folder) as story:
        auditor = Auditor(story)
        for stage in ("sound", "wronged", "forged"):
            getattr(story, stage)()
            yield from (auditor.ask(one) for one in asked if one.stage == stage)


def lines(answered: Answered) -> Iterator[str]:
    """Yield what differs between what was expected and what came."""
    found, expected = answered.found, answered.asked.expected
    for name in ("exit", "verdict", "verdicts", "accepted", "told"):
        old, new = getattr(expected, name), getattr(found, name)
        if old != new:
            yield f"    {name}: expected {old}, found {new}"
    for name in ("rows", "findings", "unknown"):
        old, new = list(getattr(expected, name)), list(getattr(found, name))
        yield from (f"    {name}: lacks {one}" for one in old if one not in new)
        yield from (f"    {name}: has {one}" for one in new if one not in old)
        if sorted(old) != sorted(new) and set(old) == set(new):
            yield f"    {name}: {len(new)}, expected {len(old)}"


def main() -> int:
    """Ask, print the table, and say whether all is as it must be."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--folder", type=Path, help="Keep the site here.")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="airlift-fourteen-") as scratch:
        folder = chosen.folder or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        bad = 0
        for one in run(folder, questions()):
            asked = one.asked
            word = "ok" if one.is_met else "NOT SO"
            print(f"{asked.number:<4} {asked.question}", flush=True)
            print(f"     airlift {asked.command}")
            print(f"     expected {asked.expected.short}")
            print(f"     found    {one.found.short}: {word}")
            for line in lines(one):
                print(line)
            bad += not one.is_met
    print(
        f"{bad} answers are not what they must be" if bad else "all answers are right"
    )
    return min(1, bad)


if __name__ == "__main__":
    sys.exit(main())
