"""What every subcommand of ``airlift audit`` shares: options, opening, answering."""

import functools
import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Final

import click

from airlift import naming
from airlift.audit import questions, report
from airlift.audit.answer import Options
from airlift.audit.clock import Bounds
from airlift.audit.finding import About, Severity
from airlift.audit.questions import Ask, Question
from airlift.audit.report import Report
from airlift.audit.site import Site, open_site
from airlift.cli import audit_out, audit_view, config, output
from airlift.cli.duration import Duration
from airlift.errors import FormatError, RequestError
from airlift.trust import clock

_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_DAY_SECONDS: Final = 86_400
_NEVER: Final = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The options that all subcommands have.

    Attributes:
        home: Folder of the site.
        as_json: Print the report as JSON.
        as_csv: Print the table as CSV.
        quiet: Print the ids of open findings only.
        verbose: Cut no name and leave out no column, on a terminal either.
        as_of: A day or moment to ask about; None for now.
        kinds: Kinds of subject to which the answer is narrowed; empty for all.
        fail_on: Least severity that is worth exit code 10, or ``none``.
        max_age: Seconds after which knowledge blocks with exit code 11; None for never.
        out: Folder that report and tables are written to; None for nowhere.
    """

    home: Path
    as_json: bool
    as_csv: bool
    quiet: bool
    verbose: bool
    as_of: str | None
    kinds: tuple[str, ...]
    fail_on: str
    max_age: int | None
    out: Path | None

    @property
    def least(self) -> Severity | None:
        """The least severity that is worth exit code 10; None for none."""
        return None if self.fail_on == _NEVER else Severity(self.fail_on)


_OPTIONS: Final = (
    config.home_option,
    config.json_option,
    click.option("--csv", "as_csv", is_flag=True, help="Print the table as CSV."),
    click.option(
        "-q", "--quiet", is_flag=True, help="Print the ids of open findings only."
    ),
    click.option(
        "-v", "--verbose", is_flag=True, help="Cut no name or digest on a terminal."
    ),
    click.option(
        "--as-of",
        metavar="DATE",
        help="Answer what was held and known then: YYYY-MM-DD, or a full time.",
    ),
    click.option(
        "--kind",
        "kinds",
        multiple=True,
        type=click.Choice([one.value for one in About]),
        help="Only what is about these; repeat.",
    ),
    click.option(
        "--fail-on",
        type=click.Choice([_NEVER, *(one.value for one in reversed(Severity))]),
        default=Severity.HIGH.value,
        show_default="high",
        help="Least severity of an open finding that ends with exit code 10.",
    ),
    click.option(
        "--max-age",
        type=Duration(),
        help="Oldest knowledge of upstream that is no exit code 11: 30d, say.",
    ),
    click.option(
        "--out",
        type=click.Path(path_type=Path, file_okay=False),
        help="Also write report.json and a table for each question into this folder.",
    ),
)


Show = Callable[[Report, int | None], None]
"""Prints a report for people, given the columns of their screen, or None."""


def shared(command: Callable[..., int]) -> Callable[..., int]:
    """Add the options that all subcommands have; they arrive as one ``asked``."""
    names = [one.name for one in fields(Asked)]

    @functools.wraps(command)
    def called(**given: Any) -> int:
        asked = Asked(**{name: given.pop(name) for name in names})
        if asked.as_json + asked.as_csv + asked.quiet > 1:
            problem = "--json, --csv and --quiet are three forms of one answer"
            raise RequestError(problem, hint="choose one of them")
        return command(asked, **given)

    found: Callable[..., int] = called
    for option in reversed(_OPTIONS):
        found = option(found)
    return found


def answer(
    asked: Asked,
    name: str,
    options: Options | None = None,
    *,
    ask: Ask | None = None,
    show: Show = audit_view.one,
) -> int:
    """Ask the question *name*, show the answer and return the exit code.

    Args:
        asked: The options that all subcommands have.
        name: Of a row in ``questions``.
        options: How; None for as always.
        ask: What answers in place of the question's own function: one of the same
            form that was given what only this subcommand has (``functools.partial``).
        show: Prints the report for people, all but its verdict, given the columns of
            the screen or None.
    """
    chosen = (questions.find(name),)
    return _answer(asked, chosen, options or Options(), show, ask)


def whole(
    asked: Asked,
    chosen: tuple[Question, ...],
    then: Callable[[Report, Severity | None], None],
) -> int:
    """Ask all of *chosen*, show one screen and return the exit code.

    Args:
        asked: The options that all subcommands have.
        chosen: What is asked.
        then: Called with the report, the site open, once it is shown.
    """
    return _answer(asked, chosen, Options(), audit_view.summary, None, then=then)


def _answer(
    asked: Asked,
    chosen: tuple[Question, ...],
    options: Options,
    show: Show,
    ask: Ask | None,
    *,
    then: Callable[[Report, Severity | None], None] | None = None,
) -> int:
    progress = output.progress(quiet=asked.as_json or asked.as_csv or asked.quiet)
    with open_asked(asked) as site:
        found = report.run(
            site,
            chosen,
            replace(options, progress=progress),
            kinds=asked.kinds,
            ask=ask,
        )
        if asked.out is not None:
            audit_out.write(found, asked.out, asked.least)
        if asked.as_json:
            audit_out.as_json(found, asked.least)
        elif asked.as_csv:
            audit_out.as_csv(found)
        elif asked.quiet:
            audit_out.ids(found)
        else:
            show(found, None if asked.verbose else audit_view.screen())
            audit_view.verdict(found, asked.least)
        if then is not None:
            then(found, asked.least)
        return report.exit_code(found, asked.least)


def open_asked(asked: Asked) -> AbstractContextManager[Site]:
    """Open the site that *asked* means, at the time it means.

    Raises:
        RequestError: ``--as-of`` is no time, or one in the future.
        RegistryError, StoreError: As ``open_site``.
    """
    block = None if asked.max_age is None else asked.max_age // _DAY_SECONDS
    now = config.now()
    return open_site(
        asked.home,
        now=now,
        bounds=Bounds(block=block),
        as_of=_moment(asked.as_of, now) if asked.as_of else "",
    )


def _moment(text: str, now: str) -> str:
    """Return the moment that ``--as-of`` means: of a day its end, of today now."""
    if text == now[:10]:
        return now
    moment = f"{text}T23:59:59Z" if _DAY.fullmatch(text) else text
    try:
        clock.moment(moment, what="--as-of")
    except FormatError as error:
        problem = f"`{naming.show(text)}` is no day and no time"
        hint = "give YYYY-MM-DD or YYYY-MM-DDThh:mm:ssZ"
        raise RequestError(problem, hint=hint) from error
    return moment
