"""How long work tells its caller how far it is, without printing anything."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

Advance = Callable[[int], None]
"""Called with how many more bytes (or items) are done, from any thread."""


class Progress(Protocol):
    """Somebody who wants to know how far work is."""

    def task(
        self, label: str, total: int | None, *, unit: str = "B"
    ) -> AbstractContextManager[Advance]:
        """Open a task of *total* units; None where the total is not known.

        Args:
            label: Shown as it is; pass names from outside through ``naming.show``.
            total: Units in all.
            unit: ``B`` for bytes, else a plural noun.
        """
        ...


class Silent:
    """Progress that nobody looks at: pipes, ``--json``, tests."""

    @contextmanager
    def task(
        self, label: str, total: int | None, *, unit: str = "B"
    ) -> Iterator[Advance]:
        """Yield a function that does nothing."""
        yield lambda _done: None
