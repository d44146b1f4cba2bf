"""The documents say what the program does."""

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from airlift.cli.main import app

ROOT = Path(__file__).parent.parent.parent
DOCS = ROOT / "docs"
PAGES = sorted([ROOT / "README.md", *DOCS.glob("*.md"), *DOCS.glob("adr/*.md")])
_FENCE = re.compile(r"^```[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`(airlift [^`\n]+)`")
_LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


def walk(
    command: click.Command, context: click.Context, path: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Yield every command below *command* with the words that call it."""
    if not isinstance(command, click.Group):
        yield path, command
        return
    for name in command.list_commands(context):
        below = command.get_command(context, name)
        assert below, name
        yield from walk(below, context, (*path, name))


COMMANDS = dict(walk(app, click.Context(app), ()))


def shell_lines(text: str) -> Iterator[str]:
    """Yield the command lines of airlift in a text: in fences and in back quotes."""
    for block in _FENCE.findall(text):
        for line in block.replace("\\\n", " ").splitlines():
            if match := re.search(r"(?:^|[\s|=])(airlift [a-z].*)", line):
                yield match[1]
    for line in _INLINE.findall(_FENCE.sub("", text)):
        yield line


def told() -> list[tuple[str, str]]:
    """Return every command line that a document shows, with the document."""
    return [
        (page.relative_to(ROOT).as_posix(), line)
        for page in PAGES
        for line in shell_lines(page.read_text())
    ]


def problem(line: str) -> str:
    """Return what is wrong with a command line; empty when it could be run."""
    words = shlex.split(line, comments=True)[1:]
    words = words[: next((n for n, w in enumerate(words) if w in "&|>;"), None)]
    words = [word for word in words if word not in ("...", "…")]
    # In running text a command is also named alone, as a group or with NAMEs.
    path: tuple[str, ...] = ()
    command: click.Command = app
    while isinstance(command, click.Group) and words:
        name = words.pop(0)
        found = command.get_command(click.Context(command), name)
        if found is None:
            return f"there is no command {name}"
        command, path = found, (*path, name)
    if isinstance(command, click.Group) or not words:
        return ""
    context = click.Context(command)
    try:
        _, rest, _ = command.make_parser(context).parse_args(words)
    except click.UsageError as error:
        return error.format_message()
    return f"left over: {rest}" if rest else ""


@pytest.mark.parametrize(("page", "line"), told())
def test_a_command_line_in_a_document_can_be_run(page: str, line: str) -> None:
    """Who copies it from the page must not get an error about options."""
    if any(word in line for word in ("COMMAND", "--help", "--version")):
        pytest.skip("stands for any command")
    assert problem(line) == "", f"{page}: {line}"


def test_the_check_of_command_lines_sees_mistakes() -> None:
    """A check that lets everything pass is none."""
    assert len(told()) > 60
    assert problem("airlift nosuch x") == "there is no command nosuch"
    assert "--nosuch" in problem("airlift import x --nosuch")
    assert problem("airlift trust init --site a") == ""
    assert problem("airlift show a b") == "left over: ['b']"


def test_the_reference_is_what_the_program_says() -> None:
    """``docs/commands.md`` and ``docs/errors.md`` are made, and up to date."""
    script = ROOT / "scripts" / "make_docs.py"
    done = subprocess.run(
        [sys.executable, str(script), "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("path", sorted(COMMANDS))
def test_every_command_and_option_is_in_the_reference(path: tuple[str, ...]) -> None:
    """Nothing can be done that is documented nowhere."""
    text = (DOCS / "commands.md").read_text()
    heading = re.search(
        rf"^#+ `airlift {' '.join(path)}(?: [^`]*)?`\n(.*?)(?=^#|\Z)",
        text,
        re.MULTILINE | re.DOTALL,
    )
    assert heading, path
    options = [
        name
        for one in COMMANDS[path].params
        if isinstance(one, click.Option) and one.name != "home"
        for name in one.opts
    ]
    assert [name for name in options if f"`{name}" not in heading[1]] == []


def test_every_page_can_be_reached_from_the_readme() -> None:
    """A page nobody links to is not read."""
    readme = (ROOT / "README.md").read_text()
    linked = set(_LINK.findall(readme))
    pages = {f"docs/{path.name}" for path in DOCS.glob("*.md")}
    assert pages <= linked
    assert "docs/adr/" in linked


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_links_lead_somewhere(page: Path) -> None:
    """A reader without a network cannot search for what a dead link meant."""
    targets = [one for one in _LINK.findall(page.read_text()) if "://" not in one]
    assert [one for one in targets if not (page.parent / one).exists()] == []
