"""Write the reference of commands and errors out of the program itself.

    python scripts/make_docs.py --write | --check

``--check`` fails when a document no longer says what the program does.
"""

import sys
from pathlib import Path

import click

from airlift import errors
from airlift.cli.main import app
from airlift.errors import EXIT_CODES, AirliftError

DOCS = Path(__file__).parent.parent / "docs"


def commands() -> str:
    """Return the reference of every command."""
    lines = [
        "# Commands",
        "",
        "Made from the program by `scripts/make_docs.py`. Every command takes `--home DIR`",
        "(or the variable `AIRLIFT_HOME`): the folder of store, keys and registry.",
        "[Exit codes](errors.md).",
        "",
    ]
    context = click.Context(app, info_name="airlift")
    for name in app.list_commands(context):
        command = app.get_command(context, name)
        assert command
        lines += _section(command, f"airlift {name}", 2)
    return "\n".join(lines).rstrip() + "\n"


def _section(command: click.Command, path: str, level: int) -> list[str]:
    arguments = " ".join(
        (one.metavar or (one.name or "").upper()) + ("..." if one.nargs == -1 else "")
        for one in command.params
        if isinstance(one, click.Argument)
    )
    lines = [f"{'#' * level} `{path}{' ' + arguments if arguments else ''}`", ""]
    lines += [*_paragraphs(command.help or ""), ""]
    options = [one for one in command.params if isinstance(one, click.Option)]
    shown = [one for one in options if one.name != "home"]
    if shown:
        lines += ["| option | meaning |", "|---|---|"]
        lines += [f"| {_names(one)} | {_meaning(one)} |" for one in shown]
        lines.append("")
    if isinstance(command, click.Group):
        context = click.Context(command, info_name=path)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below
            lines += _section(below, f"{path} {name}", level + 1)
    return lines


def _paragraphs(text: str) -> list[str]:
    parts = [" ".join(part.split()) for part in text.split("\n\n")]
    return "\n\n".join(parts).split("\n")


def _names(option: click.Option) -> str:
    value = "" if option.is_flag else f" {(option.metavar or option.type.name).upper()}"
    if isinstance(option.type, click.Choice):
        value = " " + "\\|".join(map(str, option.type.choices))
    return ", ".join(f"`{name}{value}`" for name in option.opts)


def _meaning(option: click.Option) -> str:
    text = (option.help or "").replace("|", "\\|")
    default = option.show_default
    if isinstance(default, str):
        text += f" Default: {default}."
    return text + (" Required." if option.required else "")


def failures() -> str:
    """Return the reference of errors and exit codes."""
    lines = [
        "# Errors and exit codes",
        "",
        "Made from the program by `scripts/make_docs.py`. An error is one line on standard",
        "error, `airlift: error: ...`, and often a second, `airlift: hint: ...`, with the next",
        'step. With `--json` it is also printed as `{"error": {"kind", "problem", "hint",',
        '"exit_code"}}`. New codes may be added; none changes its meaning.',
        "",
        "| code | meaning |",
        "|--:|---|",
    ]
    lines += [f"| {code} | {meaning} |" for code, meaning in EXIT_CODES.items()]
    lines += ["", "| kind | code | what it means |", "|---|--:|---|"]
    for one in vars(errors).values():
        if (
            isinstance(one, type)
            and issubclass(one, AirliftError)
            and one is not AirliftError
        ):
            meaning = (one.__doc__ or "").splitlines()[0]
            lines.append(
                f"| `{one.word}` ({one.__name__}) | {one.exit_code} | {meaning} |"
            )
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write the documents, or compare them."""
    made = {"commands.md": commands(), "errors.md": failures()}
    if sys.argv[1:] == ["--write"]:
        for name, text in made.items():
            (DOCS / name).write_text(text)
        return
    stale = [name for name, text in made.items() if (DOCS / name).read_text() != text]
    if stale:
        message = (
            f"{', '.join(stale)} no longer say what the program does: --write them"
        )
        raise SystemExit(message)


if __name__ == "__main__":
    main()
