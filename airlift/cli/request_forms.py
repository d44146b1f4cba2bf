"""The forms in which a request goes out: text, QR code, paper. All hold the same bytes."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from airlift import naming
from airlift.cli import output, qr, request_page
from airlift.errors import RequestError
from airlift.format import typed
from airlift.format.request import LABEL
from airlift.format.request_text import describe
from airlift.inbound.requests import Sent
from airlift.store.durable import Disk


def check(target: Path) -> None:
    """Refuse a file whose name does not say which form it is to have.

    Raises:
        RequestError: It does not.
    """
    if target.suffix.lower() not in _FORMS:
        known = ", ".join(_FORMS)
        problem = f"`{naming.show(target.name)}` ends in none of {known}"
        raise RequestError(problem, hint="the ending says which form is written")


def write(sent: Sent, targets: Sequence[Path], *, on_terminal: bool) -> None:
    """Write the request to *targets*, and show what it says.

    Args:
        sent: The request.
        targets: Files that ``check`` has passed.
        on_terminal: Whether to show its QR code.

    Raises:
        RequestError: It is too long for a QR code.
        StoreError: A disk refuses.
    """
    for line in told(sent):
        output.note(line)
    for target in targets:
        data = _FORMS[target.suffix.lower()](sent)
        Disk().write_file(target, data, mode=0o644)
        output.note(f"wrote {target}")
    if on_terminal:
        output.line(qr.terminal(typed.plain(sent.sealed, LABEL)))
    elif not targets:
        output.line(_text(sent).decode().rstrip("\n"))


def told(sent: Sent) -> list[str]:
    """Return in lines what a request says."""
    labels = dict(zip(sent.request.items, sent.labels, strict=False))
    return list(describe(sent.request, len(sent.sealed), labels.__getitem__))


def _text(sent: Sent) -> bytes:
    return typed.spell(sent.sealed, LABEL).encode()


def _page(sent: Sent) -> bytes:
    title = f"Request {sent.request.number} of site {sent.request.site}"
    return request_page.page(title, told(sent), sent.sealed)


_FORMS: Mapping[str, Callable[[Sent], bytes]] = {
    ".txt": _text,
    ".png": lambda sent: qr.png(typed.plain(sent.sealed, LABEL)),
    ".svg": lambda sent: qr.svg(typed.plain(sent.sealed, LABEL)),
    ".html": _page,
}
