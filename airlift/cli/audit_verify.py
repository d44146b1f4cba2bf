"""``airlift audit verify``: whether what is served is what was approved, byte for byte."""

import functools
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import click

from airlift import naming
from airlift.artifact import Json
from airlift.audit import clients, scrubbing, verify
from airlift.audit.answer import Answer, Options
from airlift.audit.clients import Checked
from airlift.audit.freshness import REHASH_DAYS
from airlift.audit.scrubbing import Means, Scrubbed
from airlift.audit.site import Site
from airlift.cli import audit_frame, config, output
from airlift.cli.audit_frame import Asked
from airlift.cli.cmd_verify_client import CHECKERS
from airlift.cli.duration import Duration
from airlift.errors import RequestError
from airlift.install import checking, records
from airlift.registry import hashed
from airlift.registry.hashed import Known
from airlift.registry.held import Event
from airlift.registry.registry import Registry

_STORE: Final = "store"
_CHECKED: Final = {"hf-cache": "cache", "ollama": "ollama", "wheelhouse": "wheelhouse"}
_FOLDER: Final = "dir"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Work:
    """What is to be read.

    Attributes:
        items: References of releases; none for all.
        budget_s: Seconds for a rolling run; None for all of it.
        percent: Of a sample; None for no sample.
        within_days: Days after which a look counts no more.
        targets: What is looked at: ``store``, runtimes, folders.
        deep: Whether the registry is compared with its log as well.
    """

    items: tuple[str, ...]
    budget_s: int | None
    percent: float | None
    within_days: int
    targets: tuple[str, ...]
    deep: bool


@click.command("verify")
@click.argument("items", nargs=-1)
@click.option(
    "--rolling",
    type=Duration(),
    metavar="TIME",
    help="Read what has waited longest, for so long: 30m, say.",
)
@click.option(
    "--sample",
    type=click.FloatRange(0, 100, min_open=True),
    metavar="PERCENT",
    help="Read so many of the files, drawn by lot.",
)
@click.option(
    "--within",
    type=click.IntRange(min=1),
    default=REHASH_DAYS,
    show_default=True,
    metavar="DAYS",
    help="Days after which a look at a file counts no more.",
)
@click.option(
    "--target",
    "targets",
    multiple=True,
    metavar="WHERE",
    help="`store` (the default), `ollama`, `hf-cache` or `wheelhouse`, each with =DIR"
    " where it is not the usual one, or a folder that holds the release ITEMS; repeat.",
)
@click.option(
    "--deep",
    is_flag=True,
    help="Also do again what the log says, and compare every row of the registry.",
)
@audit_frame.shared
def command(
    asked: Asked,
    *,
    items: tuple[str, ...],
    rolling: int | None,
    sample: float | None,
    within: int,
    targets: tuple[str, ...],
    deep: bool,
) -> int:
    """Hash again what is held, or the releases ITEMS, and compare it with what was signed.

    Everything, or what --rolling or --sample choose; when each file was hashed last is
    kept, so that runs of half an hour come round. Each file that is changed, missing or
    unreadable is named. Exit code 4: something that is served differs; 8: something
    served was not hashed for --within days.
    """
    if rolling is not None and sample is not None:
        problem = "--rolling and --sample choose what is read, each in its way"
        raise RequestError(problem, hint="give one of them")
    work = _Work(
        items=items,
        budget_s=rolling,
        percent=sample,
        within_days=within,
        targets=targets or (_STORE,),
        deep=deep,
    )
    return audit_frame.answer(asked, "verify", ask=functools.partial(_ask, work, asked))


def _ask(work: _Work, asked: Asked, site: Site, options: Options) -> Answer:
    if site.as_of:
        problem = "what is read now says nothing of another day"
        raise RequestError(problem, hint="leave --as-of out")
    checked = [
        _checked(target, work, site, options)
        for target in work.targets
        if target != _STORE
    ]
    if _STORE not in work.targets:
        return _deep(
            clients.joined(Answer(question="Q3", as_of=""), checked), work, site
        )
    done = _scrub(work, site, options)
    answer = verify.assess(
        site,
        items=work.items,
        within_days=work.within_days,
        looked={look.blob: look for look in done.looks},
    )
    if not (asked.as_json or asked.as_csv or asked.quiet):
        _tell(done, work, verify.statement(answer))
    return _deep(clients.joined(answer, checked), work, site)


def _deep(answer: Answer, work: _Work, site: Site) -> Answer:
    """Return *answer* with what differs between the registry, its log and signatures.

    What a blob should be is a row too: who changes row and blob alike is found here.
    """
    if not work.deep:
        return answer
    # What reads signatures takes a tenth of a second to import: only who asks for it.
    from airlift.audit import log  # noqa: PLC0415 - see above

    told = log.assess(site, deep=True)
    return replace(
        answer,
        findings=answer.findings + told.findings,
        unknown=answer.unknown + told.unknown,
        counts={**answer.counts, **told.counts},
        broken=answer.broken or told.broken,
    )


# --- the store ------------------------------------------------------------------------


def _scrub(work: _Work, site: Site, options: Options) -> Scrubbed:
    known = verify.wanted(site, work.items)
    means = Means(
        home=site.home,
        store=site.store,
        now=config.now,
        clock=time.monotonic,
        progress=options.progress,
    )
    done = scrubbing.run(_chosen(known, work), means, work.budget_s)
    with_all = work.budget_s is None and work.percent is None and not work.items
    if with_all:
        hashed.prune(site.home)
    _log(site.home, done, work)
    return done


def _chosen(known: Sequence[Known], work: _Work) -> Sequence[Known]:
    if work.percent is not None:
        return scrubbing.sampled(known, work.percent, secrets.randbits(64))
    return scrubbing.oldest_first(known)


def _mode(work: _Work) -> str:
    if work.budget_s is not None:
        return "rolling"
    if work.percent is not None:
        return "sample"
    return "releases" if work.items else "full"


def _log(home: Path, done: Scrubbed, work: _Work) -> None:
    bad: list[Json] = [look.blob for look in done.bad]
    detail: dict[str, Json] = {
        "mode": _mode(work),
        "blobs": len(done.looks),
        "bytes": done.size,
        "left": done.left,
        "bad": bad,
    }
    registry = Registry.open(home)
    try:
        registry.log(
            Event(
                time=config.now(),
                actor=config.actor(),
                action="verify",
                outcome="failed" if bad else "done",
                detail=detail,
            )
        )
    finally:
        registry.close()


def _tell(done: Scrubbed, work: _Work, statement: str) -> None:
    speed = int(done.size / done.seconds) if done.seconds else 0
    output.note(
        f"read {len(done.looks)} files, {output.size(done.size)}, at"
        f" {output.size(speed)}/s; {done.left} not reached"
    )
    if work.percent is not None and not done.bad:
        share = scrubbing.share_missed(len(done.looks))
        output.note(
            f"a sample: with 95 % certainty fewer than {share:.2%} of all files are bad"
        )
    output.note(statement)


# --- folders of runtimes --------------------------------------------------------------


def _checked(target: str, work: _Work, site: Site, options: Options) -> Checked:
    sort, root = _place(target)
    known = records.of_registry(site.registry, work.items)
    begun = config.now()
    claims = CHECKERS[sort](root, known)
    found = tuple(checking.judge(claims, options.progress))
    return Checked(target=target, found=found, at=begun)


def _place(target: str) -> tuple[str, Path]:
    """Return the sort of checker for *target*, and its folder."""
    name, equals, path = target.partition("=")
    if name in _CHECKED and equals:
        return _CHECKED[name], Path(path)
    usual = {"hf-cache": config.hf_cache, "ollama": config.ollama_models}
    if target in usual:
        return _CHECKED[target], usual[target]()
    if Path(target).is_dir():
        return _FOLDER, Path(target)
    problem = f"`{naming.show(target)}` is no target and no folder"
    hint = "give store, ollama, hf-cache=DIR, wheelhouse=DIR or a folder, say"
    raise RequestError(problem, hint=hint)
