"""Serving what is live to unmodified clients: sans-I/O dialects, one server."""

from airlift.serve.dialect import Dialect
from airlift.serve.huggingface import HuggingFace
from airlift.serve.simple_index import SimpleIndex


def dialects() -> tuple[Dialect, ...]:
    """Return every dialect, in the order they are asked; the only list.

    The hub comes last: its paths begin with a repository's name, which may be any.
    """
    return (SimpleIndex(), HuggingFace())
