"""Checks of what an isolated host knows of upstream, for ``airlift doctor``."""

from collections.abc import Iterator
from pathlib import Path

from airlift.cli import health, knowledge
from airlift.cli.catalogue_view import View
from airlift.cli.health import Finding
from airlift.inbound import ages
from airlift.inbound.ages import Age

_NEWER = "ask for the newest catalogue, then `airlift catalogue import FILE`"


def upstream(home: Path, *, now: str) -> Iterator[Finding]:
    """Yield what is found of the catalogues of the registry in *home*.

    A site that never had one gets no warning: not every sender makes them.

    Args:
        home: The folder of the registry.
        now: This host's clock, ``YYYY-MM-DDThh:mm:ssZ``.

    Raises:
        RegistryError: The registry cannot be read.
    """
    view = knowledge.read(home, now=now)
    if view is None:
        yield health.ok("catalogue", "none was imported; nothing is known of upstream")
        return
    yield _age(view)
    yield _withdrawn(view)


def _age(view: View) -> Finding:
    made, today = view.made, view.today
    text = f"the newest is {made.sequence}, of {made.issued}"
    if today.problem:
        return health.warning("catalogue", f"{text}; {today.problem}", "set the clock")
    late = ages.overdue(made, today)
    stale = [one for one in made.entries if today.age(one.as_of) is not Age.FRESH]
    if late:
        return health.warning("catalogue", f"{text}; {late}", _NEWER)
    if stale:
        text += f"; {len(stale)} of its entries are not fresh"
        return health.warning("catalogue", text, "see `airlift catalogue show`")
    return health.ok("catalogue", text)


def _withdrawn(view: View) -> Finding:
    held = [one for one in view.findings if one.held and (one.withdrawn or one.advice)]
    if not held:
        return health.ok("upstream", "nothing that is held was withdrawn or advised on")
    text = f"{len(held)} held artifact(s) or package(s) were withdrawn or advised on"
    return health.warning("upstream", text, "see `airlift catalogue show`")
