"""A few threads that work through tasks and stop at once when one fails.

Not an executor: its threads are waited for when the interpreter ends, and one that
hangs on a dead connection would keep Ctrl-C waiting for the time-out.
"""

import queue
import threading
from collections.abc import Callable, Iterable

_GRACE_S = 0.5
"""How long threads that were told to stop are waited for. What they hold is guarded
by their own checks; this only lets the usual case end tidily."""


class StoppedError(Exception):
    """Work was given up because something else failed; never leaves ``work``."""


class Stop:
    """Tells running tasks to give up."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def set(self) -> None:
        """Tell them."""
        self._event.set()

    def check(self) -> None:
        """Raise StoppedError once they were told."""
        if self._event.is_set():
            raise StoppedError


def work(tasks: Iterable[Callable[[], None]], *, workers: int, stop: Stop) -> None:
    """Run *tasks* on *workers* threads; return when all are done.

    The first error of a task ends the rest and comes out here, as does Ctrl-C, which
    does not wait for a thread that hangs.
    """
    waiting: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
    for task in tasks:
        waiting.put(task)
    ended: queue.SimpleQueue[BaseException | None] = queue.SimpleQueue()
    threads = [
        threading.Thread(target=_work, args=(waiting, ended, stop), daemon=True)
        for _ in range(min(workers, waiting.qsize()))
    ]
    for thread in threads:
        thread.start()
    try:
        for _ in threads:
            if (error := ended.get()) is not None:
                raise error
    finally:
        stop.set()
        for thread in threads:
            thread.join(_GRACE_S)


def _work(
    waiting: "queue.SimpleQueue[Callable[[], None]]",
    ended: "queue.SimpleQueue[BaseException | None]",
    stop: Stop,
) -> None:
    try:
        while True:
            task = waiting.get_nowait()
            stop.check()
            task()
    except (queue.Empty, StoppedError):
        ended.put(None)
    except BaseException as error:  # noqa: BLE001 - raised again by the caller's thread
        ended.put(error)
