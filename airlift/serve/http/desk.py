"""From a request to a reply: admission, dialects, conditions, open files.

What may wait for the registry or a disk is here, and runs in a thread of its own.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

from airlift.errors import AirliftError, RegistryError
from airlift.serve.access.control import Admitted, Settled
from airlift.serve.dialect import Answer, BlobBody, Dialect, JoinedBody, Request, Shelf
from airlift.serve.http import bodies, ranges
from airlift.serve.http.bodies import OpenBody
from airlift.serve.http.live import LiveSet
from airlift.serve.http.ranges import Cut
from airlift.serve.http.settings import ServeSettings

HEALTH = "/healthz"
TEXT = ("Content-Type", "text/plain; charset=utf-8")
_WHOLE = Cut(status=200)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What to send: an answer, which part of it, and the open body it comes from.

    Attributes:
        answer: The dialect's answer, its status replaced where a condition decided.
        part: Which bytes of *body*; meaningless without one.
        body: Closed by whoever sends the reply.
        caller: Who asked, for the log.
        dialect: Who answered, for the log; empty for nobody.
        name: Name of the release it is about, for the log.
        handed_over: Whether a server in front sends the body.
        problem: What failed, for the log alone.
    """

    answer: Answer
    part: Cut = _WHOLE
    body: OpenBody | None = None
    caller: str = ""
    dialect: str = ""
    name: str = ""
    handed_over: bool = False
    problem: str = ""


class Desk:
    """Answers requests without touching a socket; safe from any thread.

    Args:
        shelf: What is live.
        dialects: Asked in this order.
        settings: Prefix, access and who sends blobs count here.
    """

    def __init__(
        self, shelf: Shelf, dialects: Sequence[Dialect], settings: ServeSettings
    ) -> None:
        self._shelf = shelf
        self._live = LiveSet(shelf)
        self._dialects = dialects
        self._settings = settings

    def reply(self, asked: Request, holder: tuple[str, ...]) -> Reply:
        """Return what *asked* gets; whoever sends it closes its body.

        Args:
            asked: Its path is as the client sent it, with the prefix.
            holder: Whom the client's certificate names; nobody without one.
        """
        try:
            if answer := self._own(asked):
                return Reply(answer=answer, dialect="site")
            below = asked.path.removeprefix(self._settings.prefix)
            found = self._admit(replace(asked, path=below), holder)
            if isinstance(found, Settled):
                return Reply(
                    answer=found.answer,
                    caller=found.caller,
                    dialect="access",
                    problem=found.problem,
                )
            return self._told(found)
        except AirliftError as error:
            # Never a 404: clients remember that something does not exist, and
            # retry after 5xx.
            status = 503 if isinstance(error, RegistryError) else 500
            return Reply(answer=_failed(status), problem=str(error))

    def _told(self, admitted: Admitted) -> Reply:
        dialect, answer = self._answer(admitted)
        reply = self._reply(admitted, answer)
        return replace(
            reply,
            caller=admitted.request.caller.name,
            dialect=dialect,
            name=self._live.name(answer.release),
        )

    def _own(self, asked: Request) -> Answer | None:
        """Return the answer that no credential is needed for and no dialect gives."""
        prefix = self._settings.prefix
        if asked.path in (HEALTH, prefix + HEALTH):
            return _health(self._shelf)
        if prefix and not asked.path.startswith(f"{prefix}/"):
            return _nothing()
        return None

    def _admit(self, asked: Request, holder: tuple[str, ...]) -> Admitted | Settled:
        if self._settings.access is None:
            return Admitted(request=asked, shelf=self._shelf, shared=True)
        return self._settings.access.admit(asked, self._shelf, holder)

    def _answer(self, admitted: Admitted) -> tuple[str, Answer]:
        for dialect in self._dialects:
            if answer := dialect.answer(admitted.request, admitted.shelf):
                given = answer if admitted.shared else _unshared(answer)
                return type(dialect).__name__, given
        return "", _nothing()

    def _reply(self, admitted: Admitted, answer: Answer) -> Reply:
        asked, body = admitted.request, answer.body
        if not isinstance(body, BlobBody | JoinedBody):
            return Reply(answer=_conditional(asked, answer))
        part = ranges.cut(asked.method, asked.headers, etag=body.etag, size=body.size)
        if location := self._location(admitted, body, part):
            return _handed_over(answer, body.etag, location, part)
        headers = [*answer.headers, ("ETag", f'"{body.etag}"')]
        headers.append(("Accept-Ranges", "bytes"))
        if part.status == 416:
            headers.append(("Content-Range", f"bytes */{body.size}"))
        elif part.status == 206:
            span = f"bytes {part.start}-{part.stop - 1}/{body.size}"
            headers.append(("Content-Range", span))
        sends = part.status in (200, 206)
        sized = not isinstance(body, BlobBody) or body.sized
        if sends and (asked.method != "HEAD" or sized):
            headers.append(("Content-Length", str(part.stop - part.start)))
        shown = replace(answer, status=part.status, headers=tuple(headers), body=b"")
        if not sends:
            return Reply(answer=shown)
        opened = bodies.opened(admitted.shelf, body)
        return Reply(answer=shown, part=part, body=opened)

    def _location(
        self, admitted: Admitted, body: BlobBody | JoinedBody, part: Cut
    ) -> str:
        """Return where a server in front finds *body*; empty when airlift sends it."""
        accel, asked = self._settings.accel, admitted.request
        if accel is None or asked.method != "GET" or not isinstance(body, BlobBody):
            return ""
        span = admitted.shelf.span(body.sha256)
        if span is None or span.length != body.size:
            return ""  # what is wrong comes out when airlift opens it
        return accel.location(span, asked.headers, part)


def _handed_over(answer: Answer, etag: str, location: str, part: Cut) -> Reply:
    headers = (
        *answer.headers,
        ("ETag", f'"{etag}"'),
        ("X-Accel-Redirect", location),
    )
    # The range is cut by who sends it.
    shown = replace(answer, status=200, headers=headers, body=b"")
    return Reply(answer=shown, part=part, handed_over=True)


def _conditional(asked: Request, answer: Answer) -> Answer:
    etag = dict(answer.headers).get("ETag", "")
    reading = asked.method in ("GET", "HEAD") and answer.status == 200
    if not (reading and etag and ranges.unchanged(asked.headers, etag.strip('"'))):
        return answer
    return replace(answer, status=304, body=b"")


def _unshared(answer: Answer) -> Answer:
    """Return *answer* as one that no cache on the way may give to somebody else."""
    headers = tuple(
        (name, value.replace("public", "private") if name == "Cache-Control" else value)
        for name, value in answer.headers
    )
    return replace(answer, headers=headers)


def _failed(status: int) -> Answer:
    text = "airlift cannot answer this now; its log says why"
    headers = (TEXT, ("X-Error-Message", text), ("Retry-After", "5"))
    return Answer(status=status, headers=headers, body=f"{text}\n".encode())


def _nothing() -> Answer:
    return Answer(status=404, headers=(TEXT,), body=b"nothing is served here\n")


def _health(shelf: Shelf) -> Answer:
    shape = {"ok": True, "generation": shelf.generation()}
    headers = (("Content-Type", "application/json"), ("Cache-Control", "no-store"))
    return Answer(status=200, headers=headers, body=json.dumps(shape).encode() + b"\n")
