"""An audit's answers for people: a table, or one screen of 80 by 24.

Nothing is cut where nobody looks: in a pipe every name is whole. On a terminal digests
have twelve digits, times are days, and long names lose their middle.
"""

import re
import shutil
import sys
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from airlift import naming
from airlift.artifact import Json
from airlift.audit import report
from airlift.audit.answer import Answer
from airlift.audit.clock import Knowledge
from airlift.audit.finding import Finding, Severity, Verdict
from airlift.audit.plain import plain
from airlift.audit.questions import Question
from airlift.audit.report import Report
from airlift.cli import output
from airlift.errors import FINDINGS, TOO_OLD
from airlift.format import state

_HEX: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}", re.ASCII)
_TIME: Final = re.compile(r"(\d{4}-\d{2}-\d{2})T\d{2}:\d{2}:\d{2}Z", re.ASCII)
_SHORT: Final = 12
_NARROW: Final = 12
"""Characters below which a column is not cut: a shortened digest is whole."""
_NAME: Final = 20
"""Likewise of names, which are told apart by both their ends."""
_GAP: Final = 2
_MEANINGS: Final = {
    0: "all answered, nothing open",
    4: "integrity is gone: stop serving what is named above",
    6: "could not run: this host's disk or blobs fail",
    7: "could not run: this host's records fail or are busy",
    8: "incomplete: not every question could be answered",
    FINDINGS: "all answered, findings open",
    TOO_OLD: "what is known of upstream is older than --max-age",
}
_TAIL: Final = 2
"""Lines that end a screen: the verdict, and the prompt after it."""


# --- one question -----------------------------------------------------------------


def one(found: Report, width: int | None, *, table: bool = True) -> None:
    """Print the only answer of *found*: how old it is, its table, its findings.

    Args:
        found: The report.
        width: Columns of the screen; None to cut nothing.
        table: Whether its table is shown; not by who shows it in another form.
    """
    question, answer = found.answers[0]
    output.line(f"{question.id} {question.title}: {answer.verdict.value}")
    for line in _heading(found):
        output.line(line)
    if answer.rows and table:
        output.line()
        _table(answer, width)
    if answer.why:
        output.line()
        output.line("could not be answered:")
        for why in ([answer.reason] if answer.reason else []) + list(answer.unknown):
            output.line(f"  {naming.show(why)}")
    if answer.findings:
        output.line()
        for line in _findings(found.findings, width):
            output.line(line)


def _table(answer: Answer, width: int | None) -> None:
    columns = list(answer.columns)
    cells = [
        [_cell(key, row.get(key), width) for key in columns] for row in answer.rows
    ]
    left_out: list[str] = []
    if width is not None:
        cells, columns, left_out = _fitted(cells, columns, width)
    output.table(cells, head=[_head(key) for key in columns])
    if left_out:
        names = ", ".join(left_out)
        output.note(f"no room for {names}; --csv and --json have all")


def _head(key: str) -> str:
    return key.replace("_", "-").upper()


def _cell(key: str, value: Json, width: int | None) -> str:
    if isinstance(value, int) and not isinstance(value, bool) and key.endswith("bytes"):
        return output.size(value)
    text = naming.show(plain(value)) or "-"
    if width is None:
        return text
    if _HEX.fullmatch(text):
        return text[:_SHORT]
    return match[1] if (match := _TIME.fullmatch(text)) else text


def screen() -> int | None:
    """Return the columns of the terminal; None where there is none."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def _fitted(
    cells: list[list[str]], columns: list[str], width: int
) -> tuple[list[list[str]], list[str], list[str]]:
    """Return the cells and columns that fit, and the names of those that do not.

    Columns that say nothing go first; then names are cut in their middle; then the
    last columns go, and are named.
    """
    told = [at for at in range(len(columns)) if any(row[at] != "-" for row in cells)]
    cells = [[row[at] for at in told] for row in cells]
    columns = [columns[at] for at in told]
    least = [
        max(len(_head(key)), min(_least(key), max(len(row[at]) for row in cells)))
        for at, key in enumerate(columns)
    ]
    count = len(columns)
    while count > 1 and sum(least[:count]) + _GAP * (count - 1) > width:
        count -= 1
    kept = [row[:count] for row in cells]
    return _cut(kept, least[:count], width), columns[:count], columns[count:]


def _least(key: str) -> int:
    return _NAME if key in ("name", "title", "reason") else _NARROW


def _cut(cells: list[list[str]], least: list[int], width: int) -> list[list[str]]:
    widths = [
        max(small, *(len(row[at]) for row in cells)) for at, small in enumerate(least)
    ]
    over = sum(widths) + _GAP * (len(widths) - 1) - width
    while over > 0:
        slack, at = max(
            (w - small, at)
            for at, (w, small) in enumerate(zip(widths, least, strict=True))
        )
        if slack <= 0:
            break
        taken = min(slack, over)
        widths[at], over = widths[at] - taken, over - taken
    return [
        [middle(cell, size) for cell, size in zip(row, widths, strict=True)]
        for row in cells
    ]


def middle(text: str, size: int) -> str:
    """Return *text* in at most *size* characters; what is cut is its middle."""
    if len(text) <= size:
        return text
    head = size - 1 - (size - 1) // 2
    tail = text[len(text) - (size - 1 - head) :] if size - 1 > head else ""
    return f"{text[:head]}~{tail}"


# --- all questions ----------------------------------------------------------------


def summary(found: Report, width: int | None) -> None:
    """Print one screen: what each question comes to, and what to do first.

    Args:
        found: The report.
        width: Columns of the screen; None to cut nothing, and leave nothing out.
    """
    unknown, to_do = list(_unanswered(found)), list(_to_do(found))
    lines = [*_heading(found), "", *_answers(found.answers)]
    room = None
    if width is not None:
        tall = shutil.get_terminal_size().lines - _TAIL
        if len(lines) + len(unknown) + len(to_do) + 2 > tall:
            lines = [*_heading(found), "", *_folded(found, width)]
        room = tall - len(lines)
    lines += _within(unknown, to_do, room)
    for line in lines:
        output.line(line if width is None else middle(line, width))


def _answers(answers: Iterable[tuple[Question, Answer]]) -> list[str]:
    rows = [_line(*one) for one in answers]
    return _columns(("", "QUESTION", "VERDICT", "OPEN FINDINGS", "AS OF"), rows)


def _folded(found: Report, width: int) -> list[str]:
    """Return the answers with those that pass named in one line, to win lines."""
    passed = [one.name for one, each in found.answers if each.verdict is Verdict.PASS]
    rest = [one for one in found.answers if one[1].verdict is not Verdict.PASS]
    told = f"pass: {', '.join(passed)}" if passed else "pass: none"
    return [*_answers(rest), *textwrap.wrap(told, width, subsequent_indent="  ")]


def _heading(found: Report) -> Iterator[str]:
    site = found.site
    told = f"site {site.trust.site}"
    if not site.as_of:
        told += f", state {state.code(state.root(site.account.state))}"
        yield f"{told}, at {site.clock.trusted}"
    else:
        yield f"{told}, as of {site.as_of}"
    if site.clock.problem:
        yield f"clock: {site.clock.problem}"
    known = {one.source: one for one in site.knowledge}
    if site.made is None:
        yield f"known of upstream: {site.ignorance}"
        return
    oldest = max(
        site.knowledge, key=lambda one: one.days if one.days is not None else -1
    )
    yield (
        f"catalogue {site.made.sequence} {_age(known['catalogue'])}; advisories"
        f" {_age(known['advisories'])}; oldest source {_age(oldest)}"
    )


def _age(one: Knowledge) -> str:
    return one.age.value if one.days is None else f"{one.age.value} {one.days} d"


def _line(question: Question, answer: Answer) -> tuple[str, ...]:
    counts = ", ".join(f"{n} {one.value}" for one, n in answer.severities.items())
    accepted = sum(1 for one in answer.findings if one.waiver)
    if accepted:
        counts = f"{counts}, {accepted} accepted" if counts else f"{accepted} accepted"
    verdict = "BROKEN" if answer.broken else answer.verdict.value
    return question.id, question.name, verdict, counts or "-", answer.as_of[:10] or "-"


def _columns(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) for cell, width in zip(row, widths, strict=True)
        ).rstrip()
        for row in (head, *rows)
    ]


def _unanswered(found: Report) -> Iterator[str]:
    for question, answer in found.answers:
        if answer.why:
            yield f"  {question.id} {naming.show(answer.why)}"


def _to_do(found: Report) -> Iterator[str]:
    # What is served and is not what was signed comes first: the verdict says that it
    # is named above, and a screen may have room for one line.
    broken = {
        each.id for _, one in found.answers if one.broken for each in one.findings
    }
    for each in sorted(found.findings, key=lambda one: one.id not in broken):
        if each.verdict is Verdict.FINDING and each.severity is not Severity.INFO:
            yield f"  {each.severity.value} {each.id} {naming.show(each.title)}"


def _within(unknown: list[str], to_do: list[str], room: int | None) -> list[str]:
    """Return both lists under their headings, in at most *room* lines."""
    parts = [
        (title, lines)
        for title, lines in (
            ("could not be answered:", unknown),
            ("open findings, the worst first:", to_do),
        )
        if lines
    ]
    if room is not None and room < 2 * len(parts):
        # More questions than this screen has lines for: the counts, and where they are.
        counts = f"{len(unknown)} not answered, {len(to_do)} findings open"
        return [f"{counts}: see --json, or ask singly"]
    if room == 2 * len(parts) and unknown and to_do:
        # Which are unknown stands in the table above; the worst finding nowhere else.
        told = f"could not be answered: {len(unknown)}: see --json, or ask singly"
        return [told, *_within([], to_do, room - 1)]
    sizes = [len(lines) + 1 for _, lines in parts]
    while room is not None and sum(sizes) > room:
        sizes[sizes.index(max(sizes))] -= 1
    found: list[str] = []
    for (title, lines), size in zip(parts, sizes, strict=True):
        shown = lines if len(lines) < size else lines[: size - 2]
        found += [title, *shown]
        if more := len(lines) - len(shown):
            found.append(f"  and {more} more: see --json, or ask singly")
    return found


def _findings(found: Sequence[Finding], width: int | None) -> Iterator[str]:
    for each in found:
        yield f"{each.severity.value:<8}  {each.id}  {naming.show(each.title)}"
        if each.fix:
            yield f"{'':<8}  fix: {_fix(each, width)}"
        if each.waiver:
            told = f"{each.waiver.by} until {each.waiver.until}: {each.waiver.reason}"
            yield f"{'':<8}  accepted by {naming.show(told)}"


def _fix(found: Finding, width: int | None) -> str:
    assert found.fix
    text = _cell("to", found.fix.to, width)
    if found.fix.delta_bytes is not None:
        text += f", {output.size(found.fix.delta_bytes)} to carry"
    if found.fix.in_catalogue:
        text += "; `airlift request add` asks for it"
    return text


def verdict(found: Report, fail_on: Severity | None) -> None:
    """Print what it comes to, with the exit code."""
    code = report.exit_code(found, fail_on)
    meaning = _MEANINGS[code]
    if code in (0, FINDINGS) and fail_on:
        meaning += f" at {fail_on.value} or above"
    output.line(f"verdict: {meaning} (exit code {code})")
