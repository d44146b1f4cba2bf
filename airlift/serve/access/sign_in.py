"""Who a request comes from, by what it shows. Pure.

What is shown and not known here is refused and never taken for nothing shown: a
client with an old token must learn so, not find half of its models missing.

Source: RFC 6750 (Bearer), RFC 7617 (Basic).
"""

import base64
import binascii
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import parse_qs

from airlift.serve.access import credentials
from airlift.serve.access.credentials import Credential, Proof, Register
from airlift.serve.access.seals import Sealed, Sealer
from airlift.serve.dialect import Request
from airlift.trust import clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """One request, and what it is judged by.

    Attributes:
        request: Its path is below the prefix the server is mounted at.
        register: Who is known.
        now: ``YYYY-MM-DDThh:mm:ssZ``.
        certificate: The identities of the client's certificate.
    """

    request: Request
    register: Register
    now: str
    certificate: tuple[str, ...] = ()

    @property
    def seconds(self) -> int:
        """The time in seconds since 1970."""
        return int(clock.moment(self.now, what="time").timestamp())

    @property
    def sealer(self) -> Sealer:
        """What seals are made and read with."""
        return Sealer(key=self.register.key)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """Why what was shown does not count, in one lower-case line."""

    problem: str


Found = Credential | Unknown | None
"""A credential that counts, what is wrong with what was shown, or nothing shown."""


def who(visit: Visit) -> Found:
    """Return whom the request comes from."""
    field = visit.request.headers.get("authorization", "")
    if field:
        return by_field(visit, field)
    if seal := dict(visit.request.query).get("sig", ""):
        return _by_path(visit, seal)
    return _by_certificate(visit)


def by_field(visit: Visit, field: str) -> Found:
    """Return whom an ``Authorization`` field names."""
    scheme, _, rest = field.strip().partition(" ")
    match scheme.lower():
        case "bearer":
            return _by_token(visit, [rest.strip()])
        case "basic":
            return _by_token(visit, _basic(rest.strip()))
        case _:
            problem = "the authorization field has neither a token nor a password"
            return Unknown(problem=problem)


def by_form(visit: Visit) -> Found:
    """Return whom the form of a POST for a bearer names, as container tools send it."""
    try:
        form = parse_qs(visit.request.body.decode(), max_num_fields=32)
    except ValueError:
        return Unknown(problem="the form cannot be read")
    shown = [one for key in ("password", "username") for one in form.get(key, [])]
    return _by_token(visit, shown) if shown else None


def _by_token(visit: Visit, shown: Iterable[str]) -> Found:
    for text in shown:
        if sealed := visit.sealer.opened_bearer(text):
            return _by_seal(visit, sealed)
        if credentials.looks_like_token(text):
            mark = credentials.mark_of(text)
            found = visit.register.find(Proof.TOKEN, mark)
            return counted(visit, found, "this token is not known here")
    return Unknown(problem="this token is not known here")


def _basic(text: str) -> list[str]:
    """Return password and user name: people put a token in either place."""
    try:
        pair = base64.b64decode(text, validate=True).decode()
    except (binascii.Error, ValueError):
        return []
    user, _, password = pair.partition(":")
    return [password, user]


def _by_path(visit: Visit, seal: str) -> Found:
    sealed = visit.sealer.opened_path(visit.request.path, seal)
    if sealed is None or visit.request.method == "POST":
        return Unknown(problem="the signature of this address is not right")
    return _by_seal(visit, sealed)


def _by_seal(visit: Visit, sealed: Sealed) -> Found:
    if sealed.expires <= visit.seconds:
        return Unknown(problem="what this server signed has expired; ask for it again")
    found = visit.register.by_id(sealed.credential)
    return counted(visit, found, "what this server signed stands for nobody here")


def _by_certificate(visit: Visit) -> Found:
    for identity in visit.certificate:
        found = visit.register.find(Proof.CERTIFICATE, identity)
        if found is not None:
            return counted(visit, found, "")
    # Hosts show their certificate to every server that asks: one that stands for
    # nobody here is like none.
    return None


def counted(visit: Visit, found: Credential | None, otherwise: str) -> Found:
    """Return *found* if it counts now, else why not."""
    if found is None:
        return Unknown(problem=otherwise)
    refusal = found.refusal(visit.now)
    return Unknown(problem=refusal) if refusal else found
