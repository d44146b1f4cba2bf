"""The answer to a request, as a delivery carries it (docs/format.md, "Answer").

A field of the dispatch record, so that whoever signs the delivery signs the answer too.
One line for each thing that was asked for, in the order of the request.
"""

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from airlift import naming
from airlift.artifact import Json
from airlift.digest import Sha256
from airlift.format.fields import Fields

WHY: Final = 200
"""Most characters of a reason."""


class Outcome(StrEnum):
    """What became of one thing that was asked for."""

    SENT = "sent"
    """This delivery brings it."""
    HELD = "held"
    """The site has said that it holds it."""
    REFUSED = "refused"
    """It is not sent; the line says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerLine:
    """What became of one thing.

    Attributes:
        outcome: Which.
        release: Id of the release that is sent or held; None where it is refused.
        why: Why it is refused, for people; empty otherwise.
    """

    outcome: Outcome
    release: Sha256 | None = None
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What became of a request.

    Attributes:
        number: Of the request.
        id: SHA-256 of the sealed request.
        lines: One for each thing, in the request's order.
    """

    number: int
    id: Sha256
    lines: tuple[AnswerLine, ...]

    def summary(self) -> str:
        """Return it in a line: ``asked 10, sent 8, held already 1, refused 1``."""
        count = Counter(one.outcome for one in self.lines)
        said = [f"asked {len(self.lines)}", f"sent {count[Outcome.SENT]}"]
        if count[Outcome.HELD]:
            said.append(f"held already {count[Outcome.HELD]}")
        if count[Outcome.REFUSED]:
            said.append(f"refused {count[Outcome.REFUSED]}")
        return ", ".join(said)


def why_problem(why: str) -> str:
    """Say what is wrong with *why* as a reason; empty when nothing is."""
    if not why.strip() or len(why) > WHY:
        return f"is empty or has more than {WHY} characters"
    if why != naming.show(why) or why != why.strip():
        return "has characters that cannot be shown on one line"
    return ""


def as_table(answer: Answer) -> dict[str, Json]:
    """Return *answer* as a field of a record."""
    lines: list[Json] = [
        {"outcome": one.outcome.value, "release": one.release, "why": one.why}
        for one in answer.lines
    ]
    return {"number": answer.number, "id": answer.id, "lines": lines}


def from_table(entry: Fields) -> Answer:
    """Return the answer that a field of a record states.

    Raises:
        FormatError: It is none this version understands.
    """
    entry.exactly("number", "id", "lines")
    return Answer(
        number=entry.number("number", least=1),
        id=entry.sha256("id"),
        lines=tuple(_line(one) for one in entry.tables("lines")),
    )


def _line(entry: Fields) -> AnswerLine:
    entry.exactly("outcome", "release", "why")
    found = AnswerLine(
        outcome=entry.choice("outcome", Outcome),
        release=entry.sha256("release") if entry.has("release") else None,
        why=entry.text("why"),
    )
    refused = found.outcome is Outcome.REFUSED
    if refused != (found.release is None):
        entry.refuse("release", f"does not go with the outcome `{found.outcome}`")
    problem = why_problem(found.why) if refused else found.why and "is not for this"
    if problem:
        entry.refuse("why", problem)
    return found
