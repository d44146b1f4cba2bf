"""What became of a request, as it is told on either side."""

from collections.abc import Iterator, Sequence

from airlift import naming
from airlift.artifact import Json
from airlift.format.answer import Answer, Outcome


def lines(answer: Answer | None, labels: Sequence[str]) -> Iterator[str]:
    """Yield *answer* in lines: how much was sent, and each refusal with its reason.

    Args:
        answer: What became of it; None where nothing was asked.
        labels: What each line of it is about.
    """
    if answer is None:
        return
    yield f"request {answer.number}: {answer.summary()}"
    for label, line in zip(labels, answer.lines, strict=False):
        if line.outcome is Outcome.REFUSED:
            yield f"refused: {label}: {naming.show(line.why)}"


def as_table(answer: Answer | None, labels: Sequence[str] = ()) -> Json:
    """Return *answer* for a program; null where there is none."""
    if answer is None:
        return None
    names = (*labels, *("" for _ in answer.lines[len(labels) :]))
    listed: list[Json] = [
        {
            "asked": name,
            "outcome": line.outcome.value,
            "release": line.release,
            "why": line.why,
        }
        for name, line in zip(names, answer.lines, strict=True)
    ]
    return {"number": answer.number, "id": answer.id, "lines": listed}
