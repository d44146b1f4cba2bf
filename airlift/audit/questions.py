"""The questions, in the order they are shown: one row and one file each.

A question's file has a function ``ask(site, options)`` that returns an ``Answer``. It
is imported when it is asked: what scans pickles need not be there to ask for an age.
"""

import importlib
from dataclasses import dataclass
from typing import Final, Protocol

from airlift.audit.answer import Answer, Options
from airlift.audit.site import Site
from airlift.errors import RequestError


class Ask(Protocol):
    """What answers a question."""

    def __call__(self, site: Site, options: Options) -> Answer:
        """Return the answer.

        Raises:
            AirliftError: It cannot be answered; ``report.run`` makes that ``unknown``.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One question an audit asks.

    Attributes:
        id: As reports name it: ``Q3``.
        name: Of its subcommand and, with ``_`` for ``-``, of its file.
        title: It, for a person.
        rests_on: What its findings come and go with, beside what is held: ``feed``
            (the catalogue), ``policy``, ``scanner``; the first is named as the cause
            where several have changed.
        controls: Controls it supports evidence for.
    """

    id: str
    name: str
    title: str
    rests_on: tuple[str, ...] = ()
    controls: tuple[str, ...] = ()

    @property
    def ask(self) -> Ask:
        """What answers it."""
        module = importlib.import_module(f"airlift.audit.{self.name.replace('-', '_')}")
        found: Ask = module.ask
        return found


QUESTIONS: Final = (
    Question(
        id="Q1",
        name="inventory",
        title="what is held, since when, from which delivery",
        controls=("CM-8",),
    ),
    Question(
        id="Q11",
        name="bundles",
        title="which deliveries came, never came or were refused",
        controls=("SR-4", "MP-5", "AU-12"),
    ),
    Question(
        id="Q1b",
        name="hosts",
        title="what runs where, and is it what was approved",
        controls=("CM-8", "CM-14"),
    ),
    Question(
        id="Q3",
        name="verify",
        title="is what is served, bit for bit, what was approved",
        controls=("SI-7", "CM-14"),
    ),
    Question(
        id="Q4b",
        name="freshness",
        title="how old is what is known",
        rests_on=("feed",),
        controls=("SI-2", "RA-5"),
    ),
    Question(
        id="Q4a",
        name="outdated",
        title="what upstream has newer, and what catching up takes",
        rests_on=("feed",),
        controls=("SI-2",),
    ),
    Question(
        id="Q9",
        name="withdrawn",
        title="what upstream took back or no longer gives",
        rests_on=("feed",),
        controls=("SA-22", "SR-5"),
    ),
    Question(
        id="Q9b",
        name="denied",
        title="what was denied, and what of it is held still",
        controls=("CM-14", "SC-12"),
    ),
    Question(
        id="Q5",
        name="vulns",
        title="which known vulnerabilities touch what is here",
        rests_on=("feed",),
        controls=("SI-2", "RA-5"),
    ),
    Question(
        id="Q6",
        name="models",
        title="what the files of models can do",
        rests_on=("scanner",),
        controls=("SI-3", "SI-7", "SR-3", "SR-11"),
    ),
    Question(
        id="Q6b",
        name="cross",
        title="which models are dangerous with a runtime that is here",
        rests_on=("feed", "scanner"),
        controls=("SI-2", "SI-3", "RA-5", "SR-11"),
    ),
    Question(
        id="Q7",
        name="licences",
        title="under which licences, made from what, what changed",
        rests_on=("policy", "feed"),
    ),
    Question(
        id="Q8",
        name="diff",
        title="what changed between the two newest revisions",
        controls=("CM-3",),
    ),
    Question(
        id="Q10",
        name="keys",
        title="which keys signed what is live, and when they end",
        controls=("SC-12", "CM-14"),
    ),
    Question(
        id="Q12",
        name="log",
        title="is the log what it was, and who vouches for it",
        controls=("AU-9", "AU-10"),
    ),
    Question(
        id="Q13",
        name="waivers",
        title="which findings were accepted, by whom, until when",
        rests_on=("policy",),
    ),
)
"""Every question that ``airlift audit`` asks."""
OF_ONE: Final = (
    Question(
        id="Q2b",
        name="trace",
        title="where one thing came from, and who let it in",
        controls=("SR-4", "AU-10"),
    ),
    Question(
        id="Q15",
        name="controls",
        title="which controls the answers are evidence for",
    ),
)
"""Questions that their own subcommands ask and `run` does not: about something that has
to be named, or about the other questions."""


def find(name: str) -> Question:
    """Return the question with the id or name *name*.

    Raises:
        RequestError: There is none.
    """
    for one in (*QUESTIONS, *OF_ONE):
        if name.lower() in (one.id.lower(), one.name):
            return one
    listed = ", ".join(f"{one.name} ({one.id})" for one in QUESTIONS)
    problem = f"there is no question `{name}`"
    raise RequestError(problem, hint=f"questions are {listed}")


def chosen(only: tuple[str, ...], exclude: tuple[str, ...]) -> tuple[Question, ...]:
    """Return the questions to ask.

    Args:
        only: Ids or names; none for all.
        exclude: Those that are not asked.

    Raises:
        RequestError: One of them does not exist, or none is left.
    """
    wanted = [find(one) for one in only] or list(QUESTIONS)
    unwanted = [find(one) for one in exclude]
    found = tuple(one for one in QUESTIONS if one in wanted and one not in unwanted)
    if not found:
        problem = "no question is left to ask"
        raise RequestError(problem, hint="leave one of --only and --exclude out")
    return found
