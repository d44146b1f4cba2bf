"""The front guard: what is refused before any dialect sees it.

Pure. It stops requests whose framing two programs could read differently (request
smuggling), and requests sent by a web page through a name its author points at this
host (DNS rebinding).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address

from airlift import naming

METHODS = ("GET", "HEAD", "POST")
_LOOPBACK_NAMES = frozenset({"localhost", "localhost.localdomain"})
_AUTHORITY = re.compile(
    r"(?:\[(?P<six>[0-9a-fA-F:.]{2,45})\]|(?P<name>[0-9A-Za-z._-]{1,253}))"
    r"(?::[0-9]{1,5})?",
    re.ASCII,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why a request is not served; the connection is closed after it.

    Attributes:
        status: 4xx.
        problem: One lower-case line, safe to show.
        headers: Beyond those of every answer.
    """

    status: int
    problem: str
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The head of a request as it came.

    Attributes:
        method: As sent.
        target: The request target as sent.
        fields: Every header field in order, names in lower case.
        local: The address the connection came in at; empty where unknown.
    """

    method: str
    target: str
    fields: Sequence[tuple[str, str]]
    local: str = ""

    def all(self, name: str) -> list[str]:
        """Return every value of the field *name* (lower case)."""
        return [value for key, value in self.fields if key == name]


def refuse(
    head: Head, *, host_names: frozenset[str], body_limit: int
) -> Refusal | None:
    """Say why the request with *head* must not be served, or return None.

    Args:
        head: The request's head.
        host_names: Names besides loopback and the connection's own address under
            which this server may be asked, lower case, without port.
        body_limit: Most bytes a request's body may have.
    """
    if head.method not in METHODS:
        allowed = (("Allow", ", ".join(METHODS)),)
        return Refusal(status=405, problem="method is not served", headers=allowed)
    if not head.target.startswith("/"):
        return Refusal(status=400, problem="request target is not a path")
    if len(head.all("authorization")) > 1:
        # A proxy and this server could each believe another one.
        return Refusal(status=400, problem="there is more than one Authorization")
    return _framing(head, body_limit) or _host(head, host_names)


def _framing(head: Head, body_limit: int) -> Refusal | None:
    lengths, codings = head.all("content-length"), head.all("transfer-encoding")
    length = lengths[0] if lengths else "0"
    number = length.isascii() and length.isdigit()
    checks = (
        (len(lengths) + len(codings) > 1, 400, "length of the body is ambiguous"),
        (not number, 400, "length of the body is not a number"),
        (
            head.method != "POST" and bool(codings or length.strip("0")),
            400,
            f"{head.method} has a body",
        ),
        (bool(head.all("content-encoding")), 415, "body is compressed"),
        # The digits are counted first: int() of thousands is work for an attacker.
        (
            number and (len(length) > 15 or int(length) > body_limit),
            413,
            f"body is above {body_limit} bytes",
        ),
    )
    return next(
        (Refusal(status=code, problem=text) for wrong, code, text in checks if wrong),
        None,
    )


def _host(head: Head, host_names: frozenset[str]) -> Refusal | None:
    hosts = head.all("host")
    if len(hosts) != 1:
        return Refusal(status=400, problem="there is not exactly one Host field")
    match = _AUTHORITY.fullmatch(hosts[0])
    if match is None:
        return Refusal(status=400, problem="Host field is malformed")
    name = (match["six"] or match["name"]).lower()
    if name in host_names or name in _LOOPBACK_NAMES:
        return None
    if is_own_address(name, head.local):
        return None
    shown = naming.show(name)
    problem = f"host `{shown}` is not a name of this server; allow it with `airlift serve --host-name {shown}`"
    return Refusal(status=421, problem=problem)


def is_own_address(name: str, local: str) -> bool:
    """Say whether *name* is an address of the loopback interface or equals *local*."""
    try:
        address = ip_address(name)
    except ValueError:
        return False
    if address.is_loopback:
        return True
    try:
        # An IPv4 client of a dual-stack socket arrives at ::ffff:a.b.c.d.
        own = ip_address(local.split("%", maxsplit=1)[0])
    except ValueError:
        return False
    mapped = getattr(own, "ipv4_mapped", None)
    return address in (own, mapped)


def single(fields: Sequence[tuple[str, str]]) -> Mapping[str, str]:
    """Return *fields* as a mapping; the last of a repeated field counts.

    A repeated ``Range`` is dropped: two of them are several ranges.
    """
    found: dict[str, str] = {}
    for name, value in fields:
        again = name == "range" and name in found
        found[name] = "" if again else value
    return found
