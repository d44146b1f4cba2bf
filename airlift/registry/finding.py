"""What a person means by a name."""

import re
from collections.abc import Iterable

from sqlalchemy import Connection, func, or_, select

from airlift import naming
from airlift.artifact import Kind
from airlift.digest import Sha256
from airlift.errors import RequestError
from airlift.registry import rows, schema
from airlift.registry.held import Held

_ID = re.compile(r"[0-9a-f]{4,64}", re.ASCII)
_LISTED = 10


def find(connection: Connection, reference: str) -> Held:
    """Return the one release that *reference* means; see ``Registry.find``.

    Raises:
        RequestError: None is meant, or several; they are listed.
    """
    found = _by_name(connection, reference) or _by_id(connection, reference)
    if not found:
        raise unknown(reference)
    if len(found) > 1:
        shown = [f"{label(one)} ({one.state})" for one in found[:_LISTED]]
        more = len(found) - len(shown)
        rest = f" and {more} more" if more > 0 else ""
        problem = f"`{naming.show(reference)}` may mean {', '.join(shown)}{rest}"
        raise RequestError(problem, hint="say which: KIND:NAME@REVISION, or its id")
    return found[0]


def document(connection: Connection, release_id: Sha256) -> bytes:
    """Return the signed document of a release.

    Raises:
        RequestError: It is not held.
    """
    table, release = schema.document, schema.release
    query = select(table.c.content).join(release).where(release.c.id == release_id)
    found = connection.execute(query).scalar_one_or_none()
    if found is None:
        raise unknown(release_id)
    return bytes(found)


def label(one: Held) -> str:
    """Return the shortest reference of a release that a person can read."""
    release = one.release
    return f"{release.kind}:{naming.show(release.name)}@{release.revision[:12]}"


def unknown(reference: str) -> RequestError:
    """Return the error that says nothing here is called so."""
    problem = f"no release here is called `{naming.show(reference)}`"
    return RequestError(problem, hint="see `airlift list`")


def _by_name(connection: Connection, reference: str) -> tuple[Held, ...]:
    for kind, rest in _kinds(reference):
        # A name may hold an `@`; a tag is written after a `:` where Ollama is home.
        for name, which in ((rest, ""), _split(rest, "@"), _split(rest, ":")):
            if name and (found := _called(connection, kind, name, which)):
                return found
    return ()


def _split(text: str, at: str) -> tuple[str, str]:
    name, _, which = text.rpartition(at)
    return (name, which) if which else ("", "")


def _kinds(reference: str) -> list[tuple[Kind | None, str]]:
    first, colon, rest = reference.partition(":")
    if colon and first in set(Kind):
        return [(Kind(first), rest), (None, reference)]
    return [(None, reference)]


def _called(
    connection: Connection, kind: Kind | None, name: str, revision: str
) -> tuple[Held, ...]:
    release = schema.release
    wanted = [release.c.name == name]
    if kind is not None:
        wanted.append(release.c.kind == kind.value)
    if not revision:
        return _newest(rows.held(connection, *wanted))
    refs = select(schema.release_ref.c.release).where(
        schema.release_ref.c.ref == revision
    )
    if found := rows.held(connection, *wanted, release.c.number.in_(refs)):
        # A ref moves on; what it means now is the newest release that bears it.
        newest = max(one.release.counter for one in found)
        return tuple(one for one in found if one.release.counter == newest)
    starts = func.substr(release.c.revision, 1, len(revision)) == revision
    return _newest(rows.held(connection, *wanted, starts))


def _newest(found: Iterable[Held]) -> tuple[Held, ...]:
    """Return the newest release of each revision: one may come with more attested."""
    best: dict[tuple[Kind, str], Held] = {}
    for one in sorted(found, key=lambda held: held.release.counter, reverse=True):
        best.setdefault((one.release.kind, one.release.revision), one)
    return tuple(best.values())


def _by_id(connection: Connection, reference: str) -> tuple[Held, ...]:
    if not _ID.fullmatch(reference):
        return ()
    least, most = (Sha256(reference.ljust(64, end)) for end in "0f")
    return rows.held(connection, or_(schema.release.c.id.between(least, most)))
