"""Checks of the connected host, for ``airlift doctor``."""

import shutil
from collections.abc import Iterator
from pathlib import Path

from airlift import naming
from airlift.cli import health, keyring
from airlift.cli.health import Finding
from airlift.errors import AirliftError, RequestError, TrustError
from airlift.outbound.ledger import Ledger
from airlift.trust import roster, strict
from airlift.trust.clock import days_from
from airlift.trust.publisher import Publisher

NOTICE_DAYS = 14
"""Days before an expiry at which it is worth a renewal of its own."""
_LASTING = ("root", "targets")
_LASTING_DAYS = 90
"""The same for what several people may have to meet for."""


def origin(home: Path, *, now: str) -> Iterator[Finding]:
    """Yield what is found of the keys, metadata and ledger in *home*.

    Args:
        home: The folder of the connected side.
        now: This host's clock, ``YYYY-MM-DDThh:mm:ssZ``.
    """
    yield _keys(home)
    try:
        publisher = Publisher.open(home / "trust")
        root = strict.root(publisher.root_bytes(), name="the root").body
        text = f"root version {root.version}; {roster.promise(root)}"
        yield health.ok("people", text)
        yield _expiries(publisher, now)
        yield _pending(publisher)
        yield _unfinished(publisher, Ledger(home / "ledger"))
    except AirliftError as error:
        yield health.failed("trust", error)
    yield _tools()


def _keys(home: Path) -> Finding:
    try:
        found = [keyring.read(path) for path in keyring.locate(home, ())]
    except RequestError:
        # Normal where others sign: their keys stay on their machines.
        return health.warning("keys", "no key is here: others must sign what is made")
    except AirliftError as error:
        return health.failed("keys", error)
    names = ", ".join(naming.show(one.public.name) for one in found)
    return health.ok("keys", f"{len(found)} key(s), locked: {names}")


def _expiries(publisher: Publisher, now: str) -> Finding:
    left = {
        role: (when, days_from(now, when))
        for role, when in publisher.expiries().items()
    }
    over = [f"{role} on {when}" for role, (when, _) in left.items() if when <= now]
    hint = "run `airlift trust renew`, then export"
    if over:
        text = f"expired: {', '.join(over)}"
        return health.problem("expiry", text, hint, TrustError)
    soon = [
        f"{role} on {when}"
        for role, (when, days) in left.items()
        if days < (_LASTING_DAYS if role in _LASTING else NOTICE_DAYS)
    ]
    if soon:
        return health.warning("expiry", f"soon: {', '.join(soon)}", hint)
    role, (when, _) = min(left.items(), key=lambda item: item[1])
    return health.ok("expiry", f"next is {role} on {when}")


def _pending(publisher: Publisher) -> Finding:
    draft = publisher.pending()
    if draft is None:
        return health.ok("pending", "nothing waits for signatures")
    text = f"waits for signatures: {'; '.join(map(naming.show, draft.lacking()))}"
    return health.warning("pending", text, "`airlift trust pending FILE` writes it out")


def _unfinished(publisher: Publisher, ledger: Ledger) -> Finding:
    open_ones, count = [], 0
    for site in publisher.sites():
        for made in publisher.deliveries(site.name):
            count += 1
            entry = ledger.read(site.name, made.sequence)
            if entry is None or not entry.written:
                open_ones.append(f"{made.sequence} to {site.name}")
    if open_ones:
        text = f"signed, and volumes not finished: {', '.join(open_ones)}"
        hint = "run the same `airlift export` again: it goes on where it was"
        return health.warning("ledger", text, hint)
    return health.ok("ledger", f"{count} deliveries, all written")


def _tools() -> Finding:
    hub, uv = health.version("huggingface-hub"), health.version("uv")
    absent = [
        name for name, found in (("huggingface_hub", hub), ("uv", uv)) if not found
    ]
    if absent and not (absent == ["uv"] and shutil.which("uv")):
        text = f"not installed: {', '.join(absent)}"
        hint = "`pip install 'airlift[export]'`"
        return health.problem("tools", text, hint, RequestError)
    return health.ok("tools", f"huggingface_hub {hub}, uv {uv or shutil.which('uv')}")
