"""What to do about a finding: a sentence, and commands of airlift to do it with. Pure."""

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from airlift import naming
from airlift.audit import (
    bundles,
    cross,
    freshness,
    hosts,
    keys,
    licences,
    log,
    models,
    verify,
    vulns,
    withdrawn,
)

Told = Mapping[str, Any]
"""A finding, as a report has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Remedy:
    """What to do.

    Attributes:
        text: In words.
        size: Bytes to carry for it; None where that is not known, or nothing is.
        commands: In their order.
    """

    text: str
    size: int | None = None
    commands: tuple[str, ...] = ()


def of(one: Told) -> Remedy:
    """Return what to do about a finding: what fixes it, else what its kind asks for."""
    return _fixed(one) if one["fix"] else _BY_KIND.get(one["kind"], _looked_at)(one)


def _fixed(one: Told) -> Remedy:
    fix = one["fix"]
    if fix["delta_bytes"] == 0:
        return Remedy(text=f"Move to {fix['to']}, which is held.")
    if not fix["in_catalogue"]:
        return Remedy(text=f"Move to {fix['to']}; no catalogue has it, so ask for it.")
    # Of a model and a runtime it is the runtime that moves: `vllm 0.14.0`.
    package, space, _ = fix["to"].rpartition(" ")
    wanted = _quoted(package if space else one["subject"]["name"])
    return Remedy(
        text=f"Move to {fix['to']}.",
        size=fix["delta_bytes"],
        commands=(f"airlift request add {wanted}", "airlift request export"),
    )


def _looked_at(_one: Told) -> Remedy:
    return Remedy(text="Somebody has to look at it.")


def _damaged(one: Told) -> Remedy:
    return Remedy(
        text=f"Put it aside, and import {_delivery(one)} again.",
        commands=("airlift verify --quarantine",),
    )


def _delivery(one: Told) -> str:
    number = one["arrived_in"]
    return f"delivery {number}" if number else "what brought it"


def _log(_one: Told) -> Remedy:
    return Remedy(
        text="Compare the log with a checkpoint that was kept elsewhere.",
        commands=("airlift audit log --deep --against FILE",),
    )


def _key(_one: Told) -> Remedy:
    return Remedy(
        text="Ask whoever signs: a new document, and releases signed anew.",
        commands=("airlift audit keys",),
    )


def _attack(one: Told) -> Remedy:
    subject = one["subject"]
    item = _quoted(f"{subject['name']}=={subject['version']}")
    return Remedy(
        text="Take the set that brought it out of use, and look at where it ran.",
        commands=(f"airlift audit trace {item}",),
    )


def _vulnerable(_one: Told) -> Remedy:
    return Remedy(text="No fix is known: keep it from what strangers can reach.")


def _removed(text: str) -> Callable[[Told], Remedy]:
    def remedy(one: Told) -> Remedy:
        subject = one["subject"]
        if subject["kind"] != "model":
            return Remedy(text=text)
        item = _quoted(f"{subject['name']}@{subject['version']}")
        return Remedy(text=text, commands=(f"airlift remove {item}",))

    return remedy


def _stale(one: Told) -> Remedy:
    if one["rule"] == "clock-behind":
        return Remedy(text="Set the clock of this host.")
    if one["rule"] == "no-rehash":
        return Remedy(
            text="Hash it again.", commands=("airlift audit verify --rolling 30m",)
        )
    return Remedy(
        text="Ask for a newer one.", commands=("airlift catalogue import FILE",)
    )


def _drifted(_one: Told) -> Remedy:
    return Remedy(
        text="Look at that host: nobody approved what it holds.",
        commands=("airlift audit hosts",),
    )


def _missed(_one: Told) -> Remedy:
    return Remedy(
        text="Ask whoever sent it, and where the medium is.",
        commands=("airlift audit bundles --gaps",),
    )


def _quoted(name: str) -> str:
    """Return *name*, which comes from outside, as one word of a shell."""
    return shlex.quote(naming.show(name))


_BY_KIND: Final[Mapping[str, Callable[[Told], Remedy]]] = {
    verify.KIND: _damaged,
    log.KIND: _log,
    keys.KIND: _key,
    vulns.KIND: _vulnerable,
    vulns.MALICIOUS: _attack,
    licences.KIND: _removed("Have it approved, or take it out of use."),
    models.KIND: _removed("Keep it from use until somebody has looked at the file."),
    cross.KIND: _removed("Keep the model away from that runtime."),
    withdrawn.KIND: _removed("Find out why, and take it out of use until then."),
    freshness.KIND: _stale,
    hosts.KIND: _drifted,
    bundles.KIND: _missed,
}
"""Kind of a finding to what it asks for."""
