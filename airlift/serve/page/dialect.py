"""The catalogue a person opens: what is held, where it came from, how to get it.

Everything but ``/`` is below ``/-/``, which begins no release's name, so that no page
hides what another dialect serves. Pages are made here whole: they work without
script, and their policy lets none run. What is shown is what the caller may have.
"""

import threading
from collections.abc import Callable, Sequence
from urllib.parse import unquote

from airlift.serve.dialect import Answer, Request, Shelf
from airlift.serve.page import answers, audits, plain, sheets, views
from airlift.serve.page.answers import Ask
from airlift.serve.page.links import BELOW, SIGN_IN
from airlift.serve.records import Records, Reports
from airlift.serve.wheels import wheel_index
from airlift.serve.wheels.wheel_index import WheelIndex

_READ_ONLY = (("Content-Type", "text/plain; charset=utf-8"), ("Allow", "GET, HEAD"))


class Page:
    """The dialect of people with a browser.

    Args:
        records: What is held, live or not.
        clock: Returns the time, ``YYYY-MM-DDThh:mm:ssZ``.
        reports: Audits that were recorded; None where none can be.
    """

    def __init__(
        self,
        records: Records,
        clock: Callable[[], str],
        reports: Reports | None = None,
    ) -> None:
        self._records, self._clock, self._reports = records, clock, reports
        self._latest = views.Latest(records)
        self._lock = threading.Lock()
        self._wheels: tuple[Shelf, int, WheelIndex] | None = None

    def answer(self, request: Request, shelf: Shelf) -> Answer | None:
        """Answer ``/`` and paths below ``/-/``."""
        if request.path != "/" and not request.path.startswith(BELOW):
            return None
        if request.method == "POST":
            body = b"pages are read only\n"
            return Answer(status=405, headers=_READ_ONLY, body=body)
        tail = "" if request.path == "/" else request.path.removeprefix(BELOW)
        parts = [unquote(part) for part in tail.split("/") if part]
        if len(parts) == 2 and parts[0] == "assets":
            return answers.asset(parts[1])
        ask = Ask(
            request=request,
            shelf=shelf,
            view=views.of(request, shelf, self._latest.snapshot()),
            wheels=lambda: self._index(shelf),
            now=self._clock(),
        )
        return self._signed_in(ask) or self._route(ask, parts)

    def _signed_in(self, ask: Ask) -> Answer | None:
        """Return what comes before any page: a challenge, or the way back from one."""
        asked = SIGN_IN in dict(ask.request.query)
        if not ask.request.caller.may_sign_in:
            return answers.moved(ask.links.page()) if asked else None
        if asked or not ask.shelf.releases(views.ALL):
            return answers.challenge(ask)
        return None

    def _route(self, ask: Ask, parts: Sequence[str]) -> Answer:
        match parts:
            case []:
                return sheets.overview(ask)
            case [tab] if tab in sheets.TABS:
                return sheets.TABS[tab](ask)
            case ["models", kind, *name] if name:
                return sheets.named(ask, kind, "/".join(name))
            case ["releases", release_id] if not release_id.endswith(answers.ENDING):
                return sheets.release(ask, release_id, self._records.files)
            case _:
                return self._plain(ask, parts) or _below(ask, parts, self._reports)

    def _plain(self, ask: Ask, parts: Sequence[str]) -> Answer | None:
        """Return a page as JSON; None where no such page is asked for."""
        *above, last = parts
        name = last.removesuffix(answers.ENDING)
        if name == last:
            return None
        match above:
            case []:
                return plain.answer(ask, name, self._reports)
            case ["releases"]:
                return plain.release(ask, name, self._records.files)
            case _:
                return None

    def _index(self, shelf: Shelf) -> WheelIndex:
        # The number is read before the set: if the set changes in between, the
        # newer content is kept under the older number and built again next time.
        generation = shelf.generation()
        with self._lock:
            known = self._wheels
            if known and known[0] is shelf and known[1] == generation:
                return known[2]
            index = wheel_index.build(shelf)
            self._wheels = (shelf, generation, index)
            return index


def _below(ask: Ask, parts: Sequence[str], reports: Reports | None) -> Answer:
    match parts:
        case ["audit", *name]:
            return audits.answer(ask, reports, "/".join(name))
        case ["wheels", project]:
            return sheets.project(ask, project)
        case ["imports", sequence]:
            return sheets.delivery(ask, sequence)
        case _:
            text = "There is no page at this address."
            return answers.problem(ask, 404, "No such page", text)
