"""OSV's API over the advisories of the newest catalogue: pip-audit works unmodified.

Three paths below ``/osv``. Nothing here ever answers "nothing is known" for want of
knowledge: what the catalogue does not watch gets a record that says so, and without a
catalogue, or with one past its end of validity, every question does.

Source: the API of osv.dev, version 1.
"""

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol
from urllib.parse import unquote

from airlift import naming
from airlift.artifact import Json
from airlift.errors import FormatError
from airlift.format import osv, rule
from airlift.format.advice import Advice
from airlift.format.catalogue import Catalogue
from airlift.format.osv import Query
from airlift.registry.upstream import Taken
from airlift.serve.dialect import Answer, Request, Shelf

BELOW: Final = "/osv/v1/"
_JSON: Final = (
    ("Content-Type", "application/json; charset=utf-8"),
    ("Cache-Control", "no-store"),
)
_CHALLENGE: Final = ("WWW-Authenticate", 'Basic realm="airlift", charset="UTF-8"')
_NOTHING: Final = "no catalogue was ever imported: nothing is known"
_CODES: Final = {400: 3, 401: 16, 404: 5, 405: 12, 503: 14}
"""What osv.dev puts into ``code`` beside a status: gRPC's numbers."""


class Upstream(Protocol):
    """What a site knows of upstream. Reads only; safe from any thread."""

    def taken(self, *, newest: int | None = None) -> tuple[Taken, ...]:
        """Return the catalogues taken in, newest first."""
        ...

    def read(self, one: Taken) -> Catalogue:
        """Return what the catalogue *one* says."""
        ...

    def last_seen(self) -> str:
        """Return the latest time this host has shown since the newest catalogue came."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    id: str
    made: Catalogue
    advice: Advice
    seen: str


class Osv:
    """The dialect of pip-audit and other clients of OSV's API.

    Args:
        upstream: Where catalogues are.
        clock: Returns the time, ``YYYY-MM-DDThh:mm:ssZ``.
    """

    def __init__(self, upstream: Upstream, clock: Callable[[], str]) -> None:
        self._upstream, self._clock = upstream, clock
        self._lock = threading.Lock()
        self._known: _Known | None = None

    def answer(self, request: Request, shelf: Shelf) -> Answer | None:
        """Answer ``/osv/v1/query``, ``/osv/v1/querybatch`` and ``/osv/v1/vulns/ID``."""
        tail = request.path.removeprefix(BELOW)
        named = tail.startswith("vulns/") and tail.count("/") == 1
        if tail == request.path or not (tail in ("query", "querybatch") or named):
            return None
        refused = _refused(request, named=named)
        known = None if refused else self._newest()
        if refused or known is None:
            return refused or _problem(503, _NOTHING)
        if named:
            return _record(known, unquote(tail.removeprefix("vulns/")))
        return self._found(known, request.body, batch=tail == "querybatch")

    def _found(self, known: _Known, body: bytes, *, batch: bool) -> Answer:
        try:
            asked = osv.queries(body, batch=batch)
        except FormatError as error:
            return _problem(400, error.problem)
        # A clock that was set back makes nothing valid again.
        now = max(self._clock(), known.seen)
        found = [self._records(known, one, now) for one in asked]
        if not batch:
            return _json(200, {"vulns": found[0]} if found[0] else {})
        results: list[Json] = [
            {"vulns": [_brief(each) for each in one]} if one else {} for one in found
        ]
        return _json(200, {"results": results})

    def _records(self, known: _Known, query: Query, now: str) -> list[Json]:
        made, advice = known.made, known.advice
        found: list[Json] = [
            osv.wire(one, issued=made.issued)
            for one in advice.reaching(query.package, query.version)
        ]
        why = advice.unknown(query.package)
        if now > made.valid_until:
            why = f"catalogue {made.sequence} was good until {made.valid_until}"
        elif undecided := advice.undecided(query.package, query.version):
            why = why or f"nobody can tell whether it is meant by {undecided[0]}"
        if why:
            found.append(osv.unknown(query, why, issued=made.issued))
        return found

    def _newest(self) -> _Known | None:
        taken = self._upstream.taken(newest=1)
        if not taken:
            return None
        with self._lock:
            if self._known is None or self._known.id != taken[0].id:
                made = self._upstream.read(taken[0])
                self._known = _Known(
                    id=taken[0].id,
                    made=made,
                    advice=Advice(made),
                    seen=self._upstream.last_seen(),
                )
            return self._known


def _refused(request: Request, *, named: bool) -> Answer | None:
    """Return why a request gets nothing; None where it may have an answer."""
    if request.caller.may_sign_in:
        return _problem(401, "sign in with a token as the password", _CHALLENGE)
    if (request.method == "POST") == named:
        allowed = ("Allow", "GET, HEAD" if named else "POST")
        return _problem(405, f"use {allowed[1]} here", allowed)
    return None


def _record(known: _Known, name: str) -> Answer:
    found = known.advice.record(name)
    if found is None or rule.is_rule(found):
        return _problem(404, f"{naming.show(name)} is not in the newest catalogue")
    return _json(200, osv.wire(found, issued=known.made.issued))


def _brief(one: Json) -> Mapping[str, Json]:
    assert isinstance(one, Mapping)
    return {"id": one["id"], "modified": one["modified"]}


def _problem(status: int, problem: str, *headers: tuple[str, str]) -> Answer:
    return _json(status, {"code": _CODES[status], "message": problem}, *headers)


def _json(status: int, value: Json, *headers: tuple[str, str]) -> Answer:
    body = json.dumps(value, default=dict).encode() + b"\n"
    return Answer(status=status, headers=(*_JSON, *headers), body=body)
