"""A report for officers and auditors: one file, no script, to be printed.

Everything in it comes from ``report.json`` and the log; every value is escaped, and its
policy lets nothing run and nothing be fetched, whatever got past that.
"""

import base64
import hashlib
from functools import cache
from typing import Any, Final

import segno
from jinja2 import Environment

from airlift import __version__, markup
from airlift.audit import controls
from airlift.audit.finding import Severity
from airlift.audit.pack import plots, remedies, tables
from airlift.audit.pack.made import Made, Told
from airlift.audit.questions import QUESTIONS
from airlift.serve.page import words
from airlift.trust.public import PublicKey

ROWS: Final = 500
"""Most rows of a table; ``report.json`` and ``inventory.jsonl`` have all."""
ARRIVALS: Final = 200
_URGENT: Final = ("critical", "high")
_SECTIONS: Final = (
    ("Vulnerabilities", ("vulns",)),
    ("Model files, and models with runtimes", ("models", "cross")),
    ("Licences and lineage", ("licences",)),
    ("Newer revisions, and what changed between them", ("outdated", "diff")),
    ("Withdrawn or denied", ("withdrawn", "denied")),
    ("Keys", ("keys",)),
    ("Waivers", ("waivers",)),
)
_CODES: Final = {
    0: "all answered, nothing open",
    4: "integrity is gone",
    6: "could not run: disk",
    7: "could not run: records",
    8: "incomplete: not every question could be answered",
    10: "all answered, findings open",
    11: "knowledge is too old",
}


@cache
def _templates() -> Environment:
    return markup.environment(
        "airlift.audit.pack",
        {
            "show": words.show,
            "size": words.size,
            "number": words.number,
            "minute": words.minute,
            "text": lambda value: tables.cell(value).text,
            "cell": tables.cell,
            "short": lambda value: str(value)[: words.SHORT],
            "plural": words.plural,
            "remedy": remedies.of,
        },
    )


def encode(made: Made, key: PublicKey | None = None) -> bytes:
    """Return ``report.html``.

    Args:
        made: The audit.
        key: The key that signs the pack; None where nothing is signed.
    """
    source = _templates().loader
    assert source is not None
    style, _, _ = source.get_source(_templates(), "report.css")
    # It is escaped like all else, so it has none of what escaping changes.
    assert not {*style} & {*"<>&'\""}, style
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    told = made.told
    values: dict[str, Any] = {
        "told": told,
        "name": made.name,
        "version": __version__,
        "style": style,
        # Not even this file's own markup can bring another style, or any script.
        "policy": f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'",
        "meaning": _CODES[told["exit_code"]],
        "severities": plots.by_severity(told["findings"]),
        "unknown": _unknown(told),
        "urgent": _urgent(told),
        "sections": [(title, _asked(told, names)) for title, names in _SECTIONS],
        "freshness": _asked(told, ("freshness",)),
        "integrity": _asked(told, ("verify", "log")),
        "arrivals": _asked(told, ("bundles",)),
        "events": made.site.events()[-ARRIVALS:],
        "inventory": _asked(told, ("inventory", "hosts")),
        "changes": _changes(made),
        "controls": controls.table(told["questions"]),
        "key": key,
        **_code(made),
        "rows": ROWS,
        **_drawings(made),
    }
    return _templates().get_template("report.html.j2").render(values).encode()


def _urgent(told: Told) -> list[Told]:
    found = (
        one
        for one in told["findings"]
        if one["verdict"] == "finding" and one["severity"] in _URGENT
    )
    # What is served and is not what was signed, before all that is as it was.
    broken = {
        each for one in told["questions"] if one["broken"] for each in one["findings"]
    }
    return sorted(found, key=lambda one: (one["id"] not in broken, _order(one)))


def _order(one: Told) -> tuple[bool, int, str]:
    """Return what sorts the open and worst first."""
    return one["verdict"] != "finding", Severity(one["severity"]).rank, one["title"]


def _unknown(told: Told) -> list[Told]:
    ranks = {one.id: rank for rank, one in enumerate(QUESTIONS)}
    found = [one for one in told["questions"] if one["verdict"] == "unknown"]
    return sorted(found, key=lambda one: ranks.get(one["id"], len(ranks)))


def _asked(told: Told, names: tuple[str, ...]) -> list[Told]:
    findings = {one["id"]: one for one in told["findings"]}
    return [
        {
            **one,
            "found": sorted((findings[each] for each in one["findings"]), key=_order),
            "table": tables.laid_out(one["columns"], one["rows"][:ROWS]),
        }
        for name in names
        for one in told["questions"]
        if one["name"] == name
    ]


def _changes(made: Made) -> list[Any]:
    if not made.earlier:
        return []
    # Imported here: `changes` reads what this package writes.
    from airlift.audit import changes  # noqa: PLC0415

    return list(changes.between(made.earlier[-1], made.told))


def _drawings(made: Made) -> dict[str, Any]:
    known = made.told["knowledge"]
    sources, bounds = known["sources"], known["bounds"]
    held = [(one.imported, one.size) for one in made.site.releases]
    return {
        "width": plots.WIDTH,
        "height": plots.HEIGHT,
        "ages": plots.ages(sources, bounds),
        "fresh_at": plots.bound(bounds["fresh_days"], sources, bounds),
        "ageing_at": plots.bound(bounds["ageing_days"], sources, bounds),
        "storage": plots.steps(plots.stored(held)),
        "trend": plots.steps(plots.opened([*made.earlier, made.told])),
    }


def _code(made: Made) -> dict[str, Any]:
    """Return a QR code that says which report this is: its dark runs, x, y, length."""
    text = f"AIRLIFT-AUDIT {made.told['site']} {made.run_id} {made.time}"
    matrix = segno.make(text, error="m", micro=False).matrix
    found = []
    for y, row in enumerate(matrix):
        start = None
        for x, dark in enumerate([*row, 0]):
            if dark and start is None:
                start = x
            elif not dark and start is not None:
                found.append((start, y, x - start))
                start = None
    return {"qr": found, "qr_size": len(matrix)}
