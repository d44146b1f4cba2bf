"""Work a little ahead, in order, on a few threads."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

WORKERS = 2
AHEAD = 4


def ahead(items: Iterable[T], make: Callable[[T], R]) -> Iterator[R]:
    """Yield ``make(item)`` for each of *items*, in order, a few made ahead.

    At most six items are alive at once, so memory is bounded by their size. An
    error of *make* or of *items* comes out in its turn, and nothing runs after it.
    """
    waiting: deque[Future[R]] = deque()
    pool = ThreadPoolExecutor(WORKERS)
    try:
        for item in items:
            waiting.append(pool.submit(make, item))
            if len(waiting) > AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
