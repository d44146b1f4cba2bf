"""Where in a TOML file an entry stands: its parser does not say, and people count lines.

Only for errors: what is found is a place to look at, never a value.
"""

import re

from airlift.errors import RequestError

_PLACE = re.compile(r".*?: `([a-z]+)\[(\d+)\](?:\.([a-z-]+))?")
_HEADER = re.compile(r"\s*\[{1,2}")


def line_of(text: str, table: str, index: int, key: str = "") -> int | None:
    """Return the line of *key* in the table ``[[table]]`` number *index*.

    Args:
        text: The whole file.
        table: Name of the array of tables.
        index: Which of them, counted from 0.
        key: A key of it; empty for the table's own header.

    Returns:
        The line, counted from 1: the header's where the key is not found there; None
        where the header is not found, as in a file that writes it another way.
    """
    header = re.compile(rf"\s*\[\[\s*[\"']?{re.escape(table)}[\"']?\s*\]\]")
    wanted = re.compile(rf"\s*[\"']?{re.escape(key)}[\"']?\s*=")
    seen, found = -1, None
    for number, line in enumerate(text.splitlines(), start=1):
        if found is None:
            if header.match(line):
                seen += 1
                found = number if seen == index else None
        elif _HEADER.match(line):
            break
        elif key and wanted.match(line):
            return number
    return found


def with_line(error: RequestError, text: str, name: str) -> RequestError:
    """Return *error* with the line in its hint, where it is about a place in *text*.

    Args:
        error: What ``Fields`` raised: its problem begins ``NAME: `table[0].key` ``.
        text: The whole file.
        name: What to call it: its file name.
    """
    place = _PLACE.match(error.problem)
    line = place and line_of(text, place[1], int(place[2]), place[3] or "")
    if not line:
        return error
    hint = f"see line {line} of {name}" + (f"; {error.hint}" if error.hint else "")
    return RequestError(error.problem, hint=hint)
