"""What every page is answered with: its frame, its policy, and what goes wrong."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from airlift import __version__
from airlift.artifact import Kind
from airlift.digest import sha256
from airlift.registry.held import Held
from airlift.serve.dialect import Answer, Request, Shelf
from airlift.serve.page import lists, rendering, words
from airlift.serve.page.commands import Place
from airlift.serve.page.links import Links
from airlift.serve.page.views import View
from airlift.serve.wheels.wheel_index import WheelIndex

_HTML = ("Content-Type", "text/html; charset=utf-8")
_SECURITY = (
    ("Content-Security-Policy", rendering.POLICY),
    ("Referrer-Policy", "no-referrer"),
    ("X-Frame-Options", "DENY"),
)
KEEP = ("Cache-Control", "private, no-cache")
"""Private: a cache in between must not hand one caller's page to another."""
PLAIN = frozenset({"overview", "models", "wheels", "imports", "storage", "audit"})
"""Pages that can be had as JSON (``plain``), and so can that of each release."""
ENDING = ".json"
_CHALLENGE = ("WWW-Authenticate", 'Basic realm="airlift", charset="UTF-8"')


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One request, and all that an answer to it is made of.

    Attributes:
        request: As it came.
        shelf: What the caller may fetch.
        view: What the caller may see.
        wheels: Returns what installers find here.
        now: ``YYYY-MM-DDThh:mm:ssZ``.
    """

    request: Request
    shelf: Shelf
    view: View
    wheels: Callable[[], WheelIndex]
    now: str

    def said(self, name: str) -> str:
        """Return a field of the query; empty where it is absent."""
        return words.typed(dict(self.request.query).get(name, ""))

    @property
    def number(self) -> int:
        """The page asked for, from 1."""
        return lists.number(self.said("page"))

    @property
    def links(self) -> Links:
        """Where things are on this server."""
        return Links(base_url=self.request.base_url)

    @property
    def place(self) -> Place:
        """This server, as the reader reached it."""
        caller = self.request.caller
        tokens = bool(caller.name or caller.may_sign_in)
        return Place(base_url=self.request.base_url, tokens=tokens)

    @property
    def fresh(self) -> str:
        """How far what is shown reaches; never more than was signed."""
        newest = next(iter(self.view.snapshot.deliveries), None)
        if newest is None:
            return "No delivery was imported yet: nothing is known here."
        when = words.minute(newest.issued)
        ago = words.ago(newest.issued, self.now)
        return f"As of delivery {newest.sequence}, signed {when}, {ago}."


def page(
    ask: Ask,
    template: str,
    values: Mapping[str, object],
    *,
    tab: str = "",
    release: Held | None = None,
) -> Answer:
    """Return the page that *template* makes of *values*.

    Args:
        ask: What is answered.
        template: Its name, without ending.
        values: What it shows, besides what every page does.
        tab: The part of the site it belongs to.
        release: What it is about, for the access log.
    """
    body = _render(ask, template, values, tab)
    # Of the bytes: they depend on the registry, the caller, the host and the day.
    headers = (_HTML, *_SECURITY, KEEP, ("ETag", f'"{sha256(body)}"'))
    known = release.id if release else ""
    return Answer(status=200, headers=headers, body=body, release=known)


def _render(ask: Ask, template: str, values: Mapping[str, object], tab: str) -> bytes:
    frame: dict[str, object] = {
        "assets": rendering.assets(),
        "caller": ask.request.caller,
        "fresh": ask.fresh,
        "links": ask.links,
        "now": ask.now,
        "place": ask.place,
        "plain": _plain(template, values),
        "site": ask.view.snapshot.site,
        "tab": tab,
        "version": __version__,
        "whole": ask.view.whole,
    }
    return rendering.render(template, frame | dict(values))


def _plain(template: str, values: Mapping[str, object]) -> str:
    """Return the path of the same page as JSON; empty where it has none."""
    if template in PLAIN and (template != "audit" or values.get("told")):
        return f"{template}{ENDING}"
    held = values.get("held")
    return f"releases/{held.id}{ENDING}" if isinstance(held, Held) else ""


def problem(
    ask: Ask, status: int, heading: str, text: str, *more: tuple[str, str]
) -> Answer:
    """Return a page that says why there is none."""
    values = {"heading": heading, "text": text}
    body = _render(ask, "problem", values, "-")
    headers = (_HTML, *_SECURITY, ("Cache-Control", "no-store"), *more)
    return Answer(status=status, headers=headers, body=body)


def challenge(ask: Ask) -> Answer:
    """Ask the reader for a token."""
    text = (
        "Reload this page, give any user name, and a token of this server as the"
        " password. Whoever runs the server makes tokens."
    )
    return problem(ask, 401, "Sign in", text, _CHALLENGE)


def not_held(ask: Ask, name: str, kinds: frozenset[Kind] = frozenset()) -> Answer:
    """Say that something is not here, or not for this caller.

    Args:
        ask: What is answered.
        name: What was asked for.
        kinds: The kinds it may be of, where that is known.
    """
    if ask.request.caller.may_sign_in:
        return challenge(ask)
    shown = words.show(name)
    if kinds and ask.shelf.withheld(kinds, name):
        text = f"Your credential does not cover {shown}."
        return problem(ask, 403, "Not yours to see", text)
    text = f"{shown} is not held here, or no longer."
    return problem(ask, 404, "Not held here", text)


def moved(location: str) -> Answer:
    """Send the reader to *location*."""
    headers = (("Location", location), ("Cache-Control", "no-store"))
    return Answer(status=303, headers=headers)


def asset(name: str) -> Answer:
    """Return a file that belongs to the page."""
    found = rendering.assets().by_name.get(name)
    if found is None:
        text = ("Content-Type", "text/plain; charset=utf-8")
        return Answer(status=404, headers=(text,), body=b"no such file\n")
    headers = (
        ("Content-Type", found.content_type),
        # The name is the digest, so the bytes never change.
        ("Cache-Control", "public, max-age=31536000, immutable"),
        *_SECURITY,
    )
    return Answer(status=200, headers=headers, body=found.body)
