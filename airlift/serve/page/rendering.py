"""Templates and style of the page, read once from the package."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType

from jinja2 import Environment

from airlift import markup
from airlift.digest import sha256
from airlift.serve.page import words

POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
"""No script at all: even a name that got past every escape could do nothing."""
_TYPES = {"css": "text/css; charset=utf-8", "svg": "image/svg+xml"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """A file that pages refer to by its digest, so that it may be kept for ever."""

    content_type: str
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Assets:
    """The files that belong to the page.

    Attributes:
        style: Name of the style sheet.
        icon: Name of the icon.
        by_name: Every file by its name.
    """

    style: str
    icon: str
    by_name: Mapping[str, Asset]


@cache
def assets() -> Assets:
    """Return the files that belong to the page."""
    found: dict[str, Asset] = {}
    names = {}
    for plain in ("style.css", "icon.svg"):
        body = files("airlift.serve.page").joinpath("assets", plain).read_bytes()
        ending = plain.rpartition(".")[2]
        names[plain] = f"{sha256(body)[:32]}.{ending}"
        found[names[plain]] = Asset(content_type=_TYPES[ending], body=body)
    return Assets(
        style=names["style.css"],
        icon=names["icon.svg"],
        by_name=MappingProxyType(found),
    )


@cache
def _templates() -> Environment:
    return markup.environment(
        "airlift.serve.page",
        {
            "show": words.show,
            "brief": words.brief,
            "value": words.value,
            "size": words.size,
            "number": words.number,
            "plural": words.plural,
            "kind": words.kind,
            "minute": words.minute,
            "day": words.day,
            "ago": words.ago,
            "until": words.until,
        },
    )


def render(template: str, values: Mapping[str, object]) -> bytes:
    """Return the page that *template* makes of *values*."""
    return _templates().get_template(f"{template}.html.j2").render(values).encode()
