"""An audit's answers for people: a table, or one screen of 80 by 24.

Nothing is cut where nobody looks: in a pipe every name is whole. On a terminal digests
have twelve digits, times are days, and long names lose their middle.
"""

import re
import shutil
import sys
from collections.abc import Iterator, Sequence
from typing import Final

from airlift import naming
from airlift.artifact import Json
from airlift.audit import report
from airlift.audit.answer import Answer
from airlift.audit.clock import Knowledge
from airlift.audit.finding import Finding, Severity, Verdict
from airlift.audit.questions import Question
from airlift.audit.report import Report
from airlift.cli import audit_out, output
from airlift.errors import FINDINGS, TOO_OLD
from airlift.format import state

_HEX: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}", re.ASCII)
_TIME: Final = re.compile(r"(\d{4}-\d{2}-\d{2})T\d{2}:\d{2}:\d{2}Z", re.ASCII)
_SHORT: Final = 12
_NARROW: Final = 10
"""Characters below which a column is not cut."""
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


def one(found: Report, *, table: bool = True) -> None:
    """Print the only answer of *found*: how old it is, its table, its findings.

    Args:
        found: The report.
        table: Whether its table is shown; not by who shows it in another form.
    """
    question, answer = found.answers[0]
    output.line(f"{question.id} {question.title}: {answer.verdict.value}")
    for line in _heading(found):
        output.line(line)
    if answer.rows and table:
        output.line()
        _table(answer)
    if answer.why:
        output.line()
        output.line("could not be answered:")
        for why in ([answer.reason] if answer.reason else []) + list(answer.unknown):
            output.line(f"  {naming.show(why)}")
    if answer.findings:
        output.line()
        for line in _findings(found.findings):
            output.line(line)


def _table(answer: Answer) -> None:
    columns = list(answer.columns)
    width = _width()
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
    text = naming.show(audit_out.plain(value)) or "-"
    if width is None:
        return text
    if _HEX.fullmatch(text):
        return text[:_SHORT]
    return match[1] if (match := _TIME.fullmatch(text)) else text


def _width() -> int | None:
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
        max(len(_head(key)), min(_NARROW, max(len(row[at]) for row in cells)))
        for at, key in enumerate(columns)
    ]
    count = len(columns)
    while count > 1 and sum(least[:count]) + _GAP * (count - 1) > width:
        count -= 1
    kept = [row[:count] for row in cells]
    return _cut(kept, least[:count], width), columns[:count], columns[count:]


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


def summary(found: Report) -> None:
    """Print one screen: what each question comes to, and what to do first."""
    lines = [*_heading(found), ""]
    rows = [_line(*one) for one in found.answers]
    lines += _columns(("", "QUESTION", "VERDICT", "OPEN FINDINGS", "AS OF"), rows)
    room = None
    if _width() is not None:
        room = shutil.get_terminal_size().lines - len(lines) - _TAIL
    lines += _within(list(_unanswered(found)), list(_to_do(found)), room)
    width = _width()
    for line in lines:
        output.line(line if width is None else middle(line, width))


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
    for each in found.findings:
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
    found: list[str] = []
    for at, (title, lines) in enumerate(parts):
        most = len(lines)
        if room is not None:
            rest = len(parts) - at
            most = max(1, (room - len(found)) // rest - 2)
        shown = lines if len(lines) <= most else lines[: most - 1]
        found += [title, *shown]
        if len(shown) < len(lines):
            found.append(
                f"  and {len(lines) - len(shown)} more: see --json, or ask singly"
            )
    return found


def _findings(found: Sequence[Finding]) -> Iterator[str]:
    for each in found:
        yield f"{each.severity.value:<8}  {each.id}  {naming.show(each.title)}"
        if each.fix:
            yield f"{'':<8}  fix: {_fix(each)}"
        if each.waiver:
            told = f"{each.waiver.by} until {each.waiver.until}: {each.waiver.reason}"
            yield f"{'':<8}  accepted by {naming.show(told)}"


def _fix(found: Finding) -> str:
    assert found.fix
    text = naming.show(found.fix.to)
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
