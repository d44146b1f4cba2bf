"""What became of the tests that show the attacks of ``rows.py``."""

from collections import Counter
from collections.abc import Iterable

from attacks.rows import ROWS, TITLES, Row
from faults import table
from faults.table import Ran

BEGIN = "<!-- attacks: made by scripts/attack_table.py --write -->"
END = "<!-- end of attacks -->"


def named() -> list[str]:
    """Return every test of the table once, sorted."""
    return sorted({test for row in ROWS for test in row.tests})


def missing() -> list[str]:
    """Return the tests of the table that no file defines."""
    return table.missing(named())


def unmet(row: Row, ran: Iterable[Ran]) -> str:
    """Say why a row is not shown by what *ran*; as ``faults.table.unmet``."""
    return table.unmet(row, ran)


def counted(row: Row, ran: Iterable[Ran]) -> Counter[str]:
    """Return how many tests of a row passed, were skipped, failed."""
    return Counter(table.counted(row, ran))


def document() -> str:
    """Return the table for people, in Markdown."""
    lines = []
    for letter, title in TITLES.items():
        lines += [f"### {letter}. {title}", "", "| # | attack | answer | tests |"]
        lines += ["|---|---|---|--:|"]
        lines += [
            f"| {row.number} | {row.attack} | {row.answer} | {len(row.tests)} |"
            for row in ROWS
            if row.number.startswith(letter)
        ]
        lines.append("")
    head = f"**{len(ROWS)} attacks, shown to be answered by {len(named())} tests.**"
    return "\n".join([head, "", *lines]).rstrip() + "\n"


def written(text: str, made: str) -> str:
    """Return the document *text* with *made* in the place of its table.

    Raises:
        ValueError: It has no place for one.
    """
    front, begin, rest = text.partition(BEGIN)
    _, end, back = rest.partition(END)
    if not (begin and end):
        raise ValueError
    return f"{front}{BEGIN}\n\n{made}\n{END}{back}"
