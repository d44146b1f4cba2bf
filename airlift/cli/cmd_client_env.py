"""``airlift client-env``: what clients must be told, for their shell to read."""

import re
from pathlib import Path
from urllib.parse import urlsplit

import click

from airlift import naming
from airlift.cli import client_env, output
from airlift.cli.client_env import Site
from airlift.errors import RequestError

_AUTHORITY = re.compile(r"(?:\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(?::[0-9]{1,5})?")
_PATH = re.compile(r"(?:/[A-Za-z0-9._~-]+)*")
_TOKEN = re.compile(r"hf_[A-Za-z0-9]{34,253}")


@click.command("client-env")
@click.option(
    "--url",
    default="http://127.0.0.1:8484",
    show_default=True,
    help="The server as clients reach it, with its prefix.",
)
@click.option(
    "--ca",
    "authority",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Path, on the clients, of the certificate of the site's authority.",
)
@click.option(
    "--token-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File with the token to show; what is printed is a secret then.",
)
@click.option(
    "--shell",
    type=click.Choice(list(client_env.SHELLS)),
    default="sh",
    show_default=True,
    help="What is to read it.",
)
@click.option("--xet", is_flag=True, help="The server runs with --xet.")
def command(
    url: str,
    authority: Path | None,
    token_file: Path | None,
    shell: str,
    *,
    xet: bool,
) -> None:
    """Print the settings of every client, as in `eval "$(airlift client-env)"`."""
    site = Site(
        url=_url(url),
        authority=_authority(authority),
        token=_token(token_file),
        xet=xet,
    )
    output.line(client_env.SHELLS[shell](site))


def _url(text: str) -> str:
    parts = urlsplit(text.rstrip("/"))
    good = (
        parts.scheme in ("http", "https")
        and _AUTHORITY.fullmatch(parts.netloc)
        and _PATH.fullmatch(parts.path)
        and not parts.query
        and not parts.fragment
    )
    if not good:
        problem = f"`{naming.show(text[:200])}` is not the address of a server"
        raise RequestError(
            problem, hint="give it as https://models.plant7.example:8484"
        )
    return parts.geturl()


def _authority(path: Path | None) -> str:
    if path is None:
        return ""
    # Not resolved: it names a file of the clients, which this host may not have.
    text = str(path)
    if not path.is_absolute() or not text.isprintable():
        problem = f"{naming.show(text)} is not an absolute path"
        raise RequestError(problem, hint="clients run in any folder; give it from `/`")
    return text


def _token(path: Path | None) -> str:
    if path is None:
        return ""
    try:
        text = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        problem = f"cannot read the token file {naming.show(str(path))}: {reason}"
        raise RequestError(problem) from error
    if not _TOKEN.fullmatch(text):
        problem = f"there is no token in {naming.show(str(path))}"
        hint = "keep in it what `airlift token create` printed, and nothing else"
        raise RequestError(problem, hint=hint)
    return text
