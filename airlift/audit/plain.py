"""Values of tables as text."""

from collections.abc import Mapping

from airlift.artifact import Json


def plain(value: Json) -> str:
    """Return a value of a table as text: exact, nothing left out."""
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case list() | tuple():
            return " ".join(plain(one) for one in value)
        case Mapping():
            return " ".join(f"{key}={plain(one)}" for key, one in value.items())
        case _:
            return str(value)
