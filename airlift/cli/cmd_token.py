"""``airlift token``: who may ask this site's server, and for what."""

import re
from contextlib import closing
from datetime import date
from pathlib import Path

import click

from airlift import naming
from airlift.artifact import Json
from airlift.cli import config, output
from airlift.errors import RequestError
from airlift.registry.engine import FILE
from airlift.registry.held import Event
from airlift.registry.registry import Registry
from airlift.serve.access import credentials, ollama_key, scope
from airlift.serve.access.credentials import ANYONE, Credential, Proof
from airlift.serve.access.file import AccessFile
from airlift.trust import clock, files

_KEY_LIMIT = 64 << 10
_DAYS = re.compile(r"([0-9]{1,5})d", re.ASCII)

_ALLOW = click.option(
    "--allow",
    "allowed",
    multiple=True,
    required=True,
    metavar="SCOPE",
    help="What may be had: `models:acme/*`, `wheels:*`, `*`; may be given again.",
)
_EXPIRES = click.option(
    "--expires",
    default="",
    metavar="WHEN",
    help="The last day it counts, 2027-01-31, or a number of days, 90d.",
)


@click.group("token")
def command() -> None:
    """Say who may have what from this site's server.

    The first credential switches access control on; a running server sees it at once.
    Scopes are `models:PATTERN`, `datasets:`, `wheels:`, `ollama:` and `oci:` with the
    names of releases, `metrics`, and `*` for everything.
    """


@command.command("create")
@click.argument("name")
@_ALLOW
@_EXPIRES
@config.home_option
@config.json_option
def create(
    home: Path, name: str, allowed: tuple[str, ...], expires: str, *, as_json: bool
) -> None:
    """Make a token for NAME and print it, this once.

    Clients send it as a bearer token, or as the password of any user name.
    """
    token = credentials.fresh_token()
    mark = credentials.mark_of(token)
    made = _add(home, name, Proof.TOKEN, mark, allowed=allowed, expires=expires)
    if as_json:
        output.as_json({"token": token, **_shape(made)})
        return
    output.line(token)
    output.note(f"this is the token of `{made.name}`; it is shown this once")


@command.command("add-key")
@click.argument("name")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@_ALLOW
@_EXPIRES
@config.home_option
def add_key(
    home: Path, name: str, file: Path, allowed: tuple[str, ...], expires: str
) -> None:
    """Know an Ollama host by its public key FILE, its `~/.ollama/id_ed25519.pub`."""
    data = files.read(file, limit=_KEY_LIMIT, what="public key")
    mark = ollama_key.parse_key(data.decode("ascii", "replace")).text
    _add(home, name, Proof.OLLAMA_KEY, mark, allowed=allowed, expires=expires)


@command.command("add-certificate")
@click.argument("name")
@click.argument("identity")
@_ALLOW
@_EXPIRES
@config.home_option
def add_certificate(
    home: Path, name: str, identity: str, allowed: tuple[str, ...], expires: str
) -> None:
    """Know a client by the IDENTITY in its certificate: `DNS:host` or `CN=name`.

    Certificates count where `airlift serve` has a --client-ca that signed them. An
    identity is compared letter by letter; `URI:...` and `email:...` are others.
    """
    kind, _, value = identity.replace("=", ":", 1).partition(":")
    if kind not in ("DNS", "URI", "email", "CN") or not value:
        problem = f"`{naming.show(identity[:80])}` is not an identity of a certificate"
        hint = "use `DNS:host`, `URI:...`, `email:...` or `CN=name`"
        raise RequestError(problem, hint=hint)
    _add(home, name, Proof.CERTIFICATE, identity, allowed=allowed, expires=expires)


@command.command("anyone")
@_ALLOW
@_EXPIRES
@config.home_option
def anyone(home: Path, allowed: tuple[str, ...], expires: str) -> None:
    """Let callers who show nothing have something too."""
    _add(home, ANYONE, Proof.NONE, "", allowed=allowed, expires=expires)


@command.command("revoke")
@click.argument("name")
@config.home_option
def revoke(home: Path, name: str) -> None:
    """End the credential NAME at once; what was signed for it ends too."""
    held = AccessFile(home)
    with held.changing("token revoke") as write:
        register = held.read() or credentials.fresh_register()
        write(register.revoke(name, config.now()))
    _log(home, "token revoke", name)
    output.note(f"`{name}` counts no more")


@command.command("list")
@config.home_option
@config.json_option
def list_command(home: Path, *, as_json: bool) -> None:
    """List every credential ever made, and whether it counts."""
    register, now = AccessFile(home).read(), config.now()
    known = register.credentials if register else ()
    if as_json:
        shown: list[Json] = [
            {**_shape(one), "counts": not one.refusal(now)} for one in known
        ]
        output.as_json({"on": register is not None, "credentials": shown})
        return
    if register is None:
        output.note("access control is off: whoever reaches the server has everything")
        return
    rows = [(one.name, one.proof.value, *_cells(one, now)) for one in known]
    output.table(rows, head=("NAME", "SHOWN AS", "ALLOWS", "CREATED", "STATE"))


def _add(
    home: Path,
    name: str,
    proof: Proof,
    mark: str,
    *,
    allowed: tuple[str, ...],
    expires: str,
) -> Credential:
    now = config.now()
    if not home.is_dir():
        problem = f"there is no folder {naming.show(str(home))}"
        raise RequestError(problem, hint="choose that of the site with --home")
    made = Credential(
        name=name,
        proof=proof,
        mark=mark,
        scopes=scope.parse_all(allowed),
        created=now,
        expires=_end(expires, now),
    )
    held = AccessFile(home)
    with held.changing("token create") as write:
        register = held.read()
        write((register or credentials.fresh_register()).add(made))
    _log(home, "token create", name, shown_as=proof.value, allows=", ".join(allowed))
    if register is None:
        output.note("access control is on now: others need a token, a key or a grant")
    return made


def _log(home: Path, action: str, name: str, **detail: Json) -> None:
    """Tell the registry's log, where there is a registry: who may read is on record."""
    if not (home / FILE).exists():
        return
    event = Event(
        time=config.now(),
        actor=config.actor(),
        action=action,
        outcome="done",
        subject=name,
        detail=detail,
    )
    with closing(Registry.open(home)) as registry:
        registry.log(event)


def _end(text: str, now: str) -> str:
    """Return when *text* ends: the end of a day in UTC; empty for never."""
    if not text:
        return ""
    if match := _DAYS.fullmatch(text):
        return clock.after(now, days=int(match[1]))
    try:
        end = f"{date.fromisoformat(text)}T23:59:59Z"
    except ValueError as error:
        problem = f"`{naming.show(text[:40])}` is no day a credential can end on"
        hint = "give a date, 2027-01-31, or a number of days, 90d"
        raise RequestError(problem, hint=hint) from error
    if end <= now:
        problem = f"{text} is over already"
        raise RequestError(problem, hint=f"the clock of this host says {now}")
    return end


def _shape(one: Credential) -> dict[str, Json]:
    return {
        "name": one.name,
        "shown_as": one.proof.value,
        "identity": one.mark if one.proof is Proof.CERTIFICATE else None,
        "allow": one.scopes.texts(),
        "created": one.created,
        "expires": one.expires or None,
        "revoked": one.revoked or None,
    }


def _cells(one: Credential, now: str) -> tuple[str, str, str]:
    if one.revoked:
        state = f"revoked {one.revoked[:10]}"
    elif one.refusal(now):
        state = f"expired {one.expires[:10]}"
    else:
        state = f"until {one.expires[:10]}" if one.expires else "counts"
    return (" ".join(one.scopes.texts()), one.created[:10], state)
