"""Pages as JSON: the same facts, seen by the same eyes, for whoever reads by program.

Each says in ``schema`` what it is, and in ``as_of`` how far it reaches. Nothing is cut
into pages, and nothing is shown that the page of the same name would not show.
"""

import json
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from airlift.artifact import Json, ReleaseFile
from airlift.digest import sha256
from airlift.registry.held import Delivered, Event, Held
from airlift.serve.dialect import Answer
from airlift.serve.page import alerts, audits, chart, releases, sheets, views
from airlift.serve.page.answers import KEEP, Ask, not_held
from airlift.serve.page.sheets import Files
from airlift.serve.records import Reports

SCHEMA: Final = "airlift.page/1"
_TYPE: Final = ("Content-Type", "application/json")


def answer(ask: Ask, name: str, reports: Reports | None) -> Answer | None:
    """Return the page *name* as JSON; None where there is none of that name."""
    if name == "audit":
        return _report(ask, reports)
    if (shown := _PAGES.get(name)) is None:
        return None
    return _encoded(ask, name, shown(ask))


def release(ask: Ask, release_id: str, held_files: Files) -> Answer:
    """Return one release with all its files.

    Args:
        ask: What is answered.
        release_id: As the path has it.
        held_files: Returns the files of a release in any state.
    """
    if (found := sheets.held_of(ask, release_id, held_files)) is None:
        return not_held(ask, "This release")
    held, files = found
    listed: list[Json] = [_file(one) for one in files]
    return _encoded(ask, "release", {**_release(held), "contents": listed})


def _encoded(ask: Ask, name: str, told: Mapping[str, Json]) -> Answer:
    newest = next(iter(ask.view.snapshot.deliveries), None)
    whole: dict[str, Json] = {
        "schema": SCHEMA,
        "page": name,
        "site": ask.view.snapshot.site,
        "as_of": {"delivery": newest.sequence, "signed": newest.issued}
        if newest
        else None,
        **told,
    }
    # In ASCII: a terminal obeys some characters that names from outside may have.
    return _answer(json.dumps(whole, indent=1, ensure_ascii=True).encode() + b"\n")


def _answer(body: bytes) -> Answer:
    headers = (_TYPE, KEEP, ("ETag", f'"{sha256(body)}"'))
    return Answer(status=200, headers=headers, body=body)


def _report(ask: Ask, reports: Reports | None) -> Answer:
    """Return the newest recorded report, if this site's key signed it."""
    if (refused := audits.refusal(ask)) is not None:
        return refused
    if (told := audits.newest(reports)) is None:
        return not_held(ask, "A recorded audit")
    return _answer(json.dumps(told, indent=1, ensure_ascii=True).encode() + b"\n")


# --- each page --------------------------------------------------------------------


def _overview(ask: Ask) -> Mapping[str, Json]:
    every = ask.view.releases
    warned: list[Json] = [one.text for one in alerts.found(ask.view, ask.now)]
    return {
        "releases": len(every),
        "live": sum(views.is_served(one) for one in every),
        "bytes": chart.usage(ask.view).total,
        "needs_attention": warned,
    }


def _models(ask: Ask) -> Mapping[str, Json]:
    return {"releases": [_release(one) for one in ask.view.releases]}


def _wheels(ask: Ask) -> Mapping[str, Json]:
    projects: list[Json] = [
        {
            "name": name,
            "files": [
                {**_file(one.file), "version": str(one.version), "release": one.release}
                for one in listed
            ],
        }
        for name, listed in ask.wheels().projects.items()
    ]
    return {"projects": projects}


def _imports(ask: Ask) -> Mapping[str, Json]:
    view = ask.view
    found: dict[str, Json] = {
        "deliveries": [_delivery(ask, one) for one in view.deliveries]
    }
    if view.whole:
        found["expires"] = dict(view.snapshot.knowledge.expires)
        found["events"] = [_event(one) for one in view.snapshot.events]
    return found


def _storage(ask: Ask) -> Mapping[str, Json]:
    usage = chart.usage(ask.view)
    kinds: list[Json] = [
        {"kind": one.name.removeprefix("k-"), "count": one.count, "bytes": one.size}
        for one in usage.by_kind
    ]
    states: list[Json] = [
        {"state": one.name.removeprefix("s-"), "count": one.count, "bytes": one.size}
        for one in usage.by_state
    ]
    # Whether a blob that several releases share was counted once.
    told: dict[str, Json] = {"exact": usage.exact, "bytes": usage.total}
    return {**told, "by_kind": kinds, "by_state": states}


_PAGES: Final[Mapping[str, Callable[[Ask], Mapping[str, Json]]]] = MappingProxyType(
    {
        "overview": _overview,
        "models": _models,
        "wheels": _wheels,
        "imports": _imports,
        "storage": _storage,
    }
)


# --- what they are made of --------------------------------------------------------


def _release(held: Held) -> dict[str, Json]:
    one = held.release
    return {
        "id": held.id,
        "kind": one.kind.value,
        "name": one.name,
        "revision": one.revision,
        "refs": one.refs,
        "state": held.state.value,
        "denied": held.denied,
        "pinned": held.pinned,
        "licence": one.licence,
        "base_models": one.base_models,
        "files": held.files,
        "bytes": held.size,
        "delivery": held.sequence,
        "imported": held.imported,
    }


def _file(one: ReleaseFile) -> dict[str, Json]:
    return {"path": one.path, "bytes": one.size, "sha256": one.sha256}


def _delivery(ask: Ask, one: Delivered) -> Json:
    brought = ask.view.by_delivery.get(one.sequence, ())
    return {
        "sequence": one.sequence,
        "id": one.id,
        "issued": one.issued,
        "imported": one.imported,
        "imported_by": one.actor,
        "signed_by": releases.names(one.signed_by),
        "releases": [each.id for each in brought],
    }


def _event(one: Event) -> Json:
    return {
        "number": one.number,
        "time": one.time,
        "actor": one.actor,
        "action": one.action,
        "subject": one.subject,
        "outcome": one.outcome,
    }
