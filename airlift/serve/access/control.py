"""Access control: from a request to a caller, and to the shelf that caller may see.

Off until the first credential is made. From then on nothing is served to callers who
show nothing, unless something was granted to anyone, and that stays so when the last
credential is revoked: to take a right away never opens the server.
"""

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

from airlift.serve.access import credentials, ollama_sign_in, scope, seals, sign_in
from airlift.serve.access.credentials import Credential, Proof, Register
from airlift.serve.access.ollama_sign_in import OllamaSignIn
from airlift.serve.access.scope import Scopes
from airlift.serve.access.scoped_shelf import ScopedShelf
from airlift.serve.access.seals import Sealed
from airlift.serve.access.sign_in import Found, Unknown, Visit
from airlift.serve.dialect import Answer, Caller, Pass, Request, Shelf
from airlift.serve.distribution import dialect as distribution

OPEN = frozenset({"/api/agent-harnesses"})
"""Paths that every process of some clients asks for, with any token or none."""

_POWERS = (scope.EVERYTHING, scope.METRICS)
_SHELVES = 256


class Records(Protocol):
    """Where credentials are kept."""

    def read(self) -> Register | None:
        """Return them as they are now; None where none was ever made."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Admitted:
    """A request that may be answered, from this shelf and no other.

    Attributes:
        shared: Whether everybody gets this answer, so that a cache on the way may
            give it to others.
    """

    request: Request
    shelf: Shelf
    shared: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """A request that access control answers itself.

    Attributes:
        answer: What to send.
        caller: Who asked, for the log; empty where that is not known.
        problem: Why it was refused, for the log; empty where it was not.
    """

    answer: Answer
    caller: str = ""
    problem: str = ""


class Access:
    """Decides who may have what. Safe from any thread.

    Args:
        records: Asked at every request.
        clock: Returns the time, ``YYYY-MM-DDThh:mm:ssZ``.
        required: Whether to be on although no credential was ever made.
    """

    def __init__(
        self, records: Records, clock: Callable[[], str], *, required: bool = False
    ) -> None:
        self._records = records
        self._clock = clock
        self._nobody = credentials.fresh_register() if required else None
        self._ollama = OllamaSignIn()
        self._shelves = _Shelves()

    def admit(
        self, request: Request, shelf: Shelf, certificate: tuple[str, ...] = ()
    ) -> Admitted | Settled:
        """Say how *request* is to be answered.

        Args:
            request: Its path is below the prefix.
            shelf: All that is live.
            certificate: The identities of the client's certificate, as
                ``airlift.serve.access.tls`` spells them; none without one.

        Raises:
            RegistryError: The credentials cannot be read; nobody is admitted.
        """
        register = self._records.read() or self._nobody
        if register is None:
            return Admitted(request=request, shelf=shelf, shared=True)
        visit = Visit(
            request=request,
            register=register,
            now=self._clock(),
            certificate=certificate,
        )
        if request.path == distribution.TOKEN:
            return self._token(visit)
        found = None if request.path in OPEN else sign_in.who(visit)
        if isinstance(found, Unknown):
            return _refused(request, found)
        return self._admitted(visit, shelf, found)

    def _admitted(
        self, visit: Visit, shelf: Shelf, found: Credential | None
    ) -> Admitted:
        anyone = _anyone(visit)
        scopes = anyone.scopes if anyone else scope.NOTHING
        name, request = "", visit.request
        if found is not None and found.proof is not Proof.NONE:
            # What is open to anyone is open to whoever shows a token as well.
            name, scopes = found.name, scopes | found.scopes
            request = replace(request, sign=partial(_signed, visit, found))
        if known := found or anyone:
            request = replace(request, issue=partial(_passed, visit, known))
        caller = Caller(
            name=name,
            may_sign_in=not name and not scopes.everything,
            powers=frozenset(filter(scopes.allow, _POWERS)),
        )
        return Admitted(
            request=replace(request, caller=caller),
            shelf=self._shelves.narrowed(shelf, scopes),
        )

    def _token(self, visit: Visit) -> Settled:
        found = self._signing_in(visit)
        if found is None:
            found = _anyone(visit) or Unknown(problem="sign in with a token")
        if isinstance(found, Unknown):
            return _refused(visit.request, found)
        bearer = _passed(visit, found).bearer
        # Which of the two names a client reads depends on its age.
        shape = {
            "token": bearer,
            "access_token": bearer,
            "expires_in": seals.BEARER_S,
            "issued_at": visit.now,
        }
        headers = (
            ("Content-Type", "application/json; charset=utf-8"),
            ("Cache-Control", "no-store"),
        )
        body = json.dumps(shape).encode()
        answer = Answer(status=200, headers=headers, body=body)
        return Settled(answer=answer, caller=found.name)

    def _signing_in(self, visit: Visit) -> Found:
        field = visit.request.headers.get("authorization", "")
        if ollama_sign_in.speaks(field):
            return self._ollama.who(visit, field)
        if visit.request.method == "POST" and not field:
            return sign_in.by_form(visit)
        return sign_in.who(visit)


class _Shelves:
    """Narrowed shelves by what they show: dialects keep what they learnt of each."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._made: dict[Scopes, tuple[Shelf, ScopedShelf]] = {}

    def narrowed(self, shelf: Shelf, scopes: Scopes) -> Shelf:
        """Return what *scopes* cover of *shelf*."""
        if scopes.everything:
            return shelf
        with self._lock:
            made = self._made.get(scopes)
            if made is not None and made[0] is shelf:
                return made[1]
            if len(self._made) >= _SHELVES:
                self._made.clear()
            fresh = ScopedShelf(shelf, scopes)
            self._made[scopes] = (shelf, fresh)
            return fresh


def _anyone(visit: Visit) -> Credential | None:
    anyone = visit.register.anyone
    return anyone if anyone and not anyone.refusal(visit.now) else None


def _signed(visit: Visit, found: Credential, path: str) -> str:
    ends = Sealed(credential=found.id, expires=visit.seconds + seals.PATH_S)
    return f"{path}?sig={visit.sealer.path(path, ends)}"


def _passed(visit: Visit, found: Credential) -> Pass:
    ends = Sealed(credential=found.id, expires=visit.seconds + seals.BEARER_S)
    return Pass(bearer=visit.sealer.bearer(ends), expires=ends.expires)


def _refused(request: Request, why: Unknown) -> Settled:
    if f"{request.path}/".startswith(distribution.ROOT):
        answer = distribution.challenge(request, message=why.problem)
        return Settled(answer=answer, problem=why.problem)
    headers = (
        ("Content-Type", "text/plain; charset=utf-8"),
        ("WWW-Authenticate", 'Basic realm="airlift", charset="UTF-8"'),
        ("Cache-Control", "no-store"),
        # huggingface_hub shows this to its user.
        ("X-Error-Message", why.problem),
    )
    body = f"{why.problem}\n".encode()
    return Settled(
        answer=Answer(status=401, headers=headers, body=body), problem=why.problem
    )
