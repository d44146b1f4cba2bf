"""What a dialect worked out of a shelf, kept while the live set stands.

Under access control callers see shelves of their own; what was made of one is never
given to the caller of another.
"""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar
from weakref import WeakKeyDictionary

from airlift.serve.dialect import Shelf

T = TypeVar("T")


class Kept(Generic[T]):
    """Results of one function of a shelf. Safe from any thread.

    Args:
        make: Reads the shelf; called again when the live set has changed.
    """

    def __init__(self, make: Callable[[Shelf], T]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._made: WeakKeyDictionary[Shelf, tuple[int, T]] = WeakKeyDictionary()

    def of(self, shelf: Shelf) -> T:
        """Return what is made of *shelf* as it is now."""
        # The number is read before the set: if the set changes in between, the
        # newer content is kept under the older number and made again next time.
        generation = shelf.generation()
        with self._lock:
            made = self._made.get(shelf)
            if made is None or made[0] != generation:
                made = (generation, self._make(shelf))
                self._made[shelf] = made
            return made[1]
