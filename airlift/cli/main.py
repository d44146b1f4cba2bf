"""The entry point: commands loaded lazily, and the one place an error becomes text.

Rules of output: data goes to standard output, all else to standard error with an
``airlift:`` prefix; lower case, no full stop; hints name a command where one helps;
colour never carries meaning.
"""

import gc
import importlib
import json
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import NoReturn

import click

from airlift import __version__
from airlift.errors import EXIT_CODES, UNREAD, AirliftError

GARBAGE = 500_000
"""Objects that are made before rings of garbage among them are looked for."""
LASTING = frozenset({"serve", "watch"})
"""Commands that run for months: so many rings of garbage would be most of their memory."""

COMMANDS: dict[str, tuple[str, str]] = {
    "plan": ("cmd_plan", "Show what an export would carry, and how big it is."),
    "lock": ("cmd_lock", "Pin a manifest to exact revisions and digests."),
    "update": ("cmd_update", "Say what is new upstream, and what carrying it takes."),
    "export": ("cmd_export", "Fetch, sign and write a delivery as volumes."),
    "send": ("cmd_send", "Hand a written delivery to a one-way link."),
    "resend": ("cmd_resend", "Hand lost volumes to a one-way link once more."),
    "slip": ("cmd_slip", "Write the paper that goes with a medium."),
    "check": ("cmd_check", "Read written volumes back from a medium."),
    "media": ("cmd_media", "Know the media: what lies where, what is lost, what lies."),
    "reissue": ("cmd_reissue", "Write lost volumes of a delivery once more."),
    "hand-over": ("cmd_hand_over", "Note who took a delivery away, and on what."),
    "import": ("cmd_import", "Verify volumes and take them into the registry."),
    "watch": ("cmd_watch", "Take volumes in as a one-way link drops them."),
    "receipt": ("cmd_receipt", "What a site holds: signed there, read here."),
    "state": ("cmd_state", "Print the code of what this site holds."),
    "repair": ("cmd_repair", "Rebuild lost and damaged volumes from spares."),
    "inspect": ("cmd_inspect", "Show what volumes hold and who signed them."),
    "serve": ("cmd_serve", "Serve what is live to unmodified clients."),
    "token": ("cmd_token", "Say who may have what from this site's server."),
    "install": ("cmd_install", "Install live releases where a runtime looks for them."),
    "tls": ("cmd_tls", "Make certificates, where the site has no authority."),
    "client-env": ("cmd_client_env", "Print the settings of every client."),
    "verify-client": ("cmd_verify_client", "Hash again what runtimes hold."),
    "observe": ("cmd_observe", "Write down what a runtime's host really holds."),
    "systemd": ("cmd_systemd", "Print units that run and check the server."),
    "list": ("cmd_list", "List the releases held here."),
    "show": ("cmd_show", "Show one release: files, origin, signatures, state."),
    "log": ("cmd_log", "What happened here: shown, verified, proved, carried away."),
    "verify": ("cmd_verify", "Re-hash what the store holds."),
    "scan": ("cmd_scan", "Attach what virus scanners said."),
    "policy": (
        "cmd_policy",
        "Say what goes live by itself, and who approves the rest.",
    ),
    "approve": ("cmd_approve", "Approve a release that waits, or a lock."),
    "activate": ("cmd_activate", "Make releases live."),
    "rollback": ("cmd_rollback", "Return to the previous set of live releases."),
    "remove": ("cmd_remove", "Take releases out of the live set."),
    "pin": ("cmd_pin", "Keep releases from ever being collected."),
    "gc": ("cmd_gc", "Delete what nothing live, pinned or last-good needs."),
    "rebuild": ("cmd_rebuild", "Recreate the database from store and records."),
    "doctor": ("cmd_doctor", "Check this host: disk, clock, keys, store, settings."),
    "trust": ("cmd_trust", "Keys, roots and signatures."),
    "catalogue": ("cmd_catalogue", "Tell a site what has changed upstream."),
    "audit": ("cmd_audit", "Answer an auditor's questions, without contact."),
    "request": ("cmd_request", "Ask for what is wanted; read what sites ask for."),
    "site": ("cmd_site", "The isolated sites deliveries are made for."),
    "bootstrap": ("cmd_bootstrap", "Write a first-install kit for an isolated host."),
    "demo": ("cmd_demo", "Carry a real model across a gap on this machine."),
}
"""Command to (module of this package, one line of help). Each module has ``command``."""


class LazyGroup(click.Group):
    """A group that imports a command's module only when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands in the order of a delivery's life."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return one command."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"airlift.cli.{COMMANDS[cmd_name][0]}")
        command = module.command
        assert isinstance(command, click.Command)
        return command

    def format_commands(
        self, ctx: click.Context, formatter: click.HelpFormatter
    ) -> None:
        """Write the table of commands without importing any of them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


def _epilog() -> str:
    codes = (f"{code} {meaning}" for code, meaning in EXIT_CODES.items())
    return "\b\nExit codes:\n" + "\n".join(f"  {line}" for line in codes)


@click.command(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=_epilog(),
)
@click.version_option(__version__, prog_name="airlift")
def app() -> None:
    """Carry models, wheels and updates across an air gap, signed and audited."""


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit with a documented code."""
    # SIGTERM ends a journey the way Ctrl-C does: cleanly, nothing half-finished.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    argv = list(sys.argv[1:] if arguments is None else arguments)
    # Looking for rings of garbage every 700 objects costs a fifth of an audit of 100,000
    # files, whose objects all stay; every 50,000 still a twentieth of their import.
    if not LASTING.intersection(argv[:1]):
        gc.set_threshold(GARBAGE, *gc.get_threshold()[1:])
    sys.exit(run(argv))


def run(argv: Sequence[str]) -> int:
    """Run *argv* and return the exit code; every error becomes one clear message."""
    try:
        return _run(argv)
    except (BrokenPipeError, SystemExit):
        # The reader of our output went away (`airlift verify | head`): no error, and no
        # verdict either, so the code is that of programs which SIGPIPE ends.
        # click, and nothing else here, turns that into an exit with code 1.
        _nobody_reads()
        return UNREAD


def _nobody_reads() -> None:
    """Let what is still to be printed go nowhere, instead of failing at the exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _run(argv: Sequence[str]) -> int:
    try:
        result = app.main(list(argv), prog_name="airlift", standalone_mode=False)
    except BrokenPipeError:
        raise
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - the last door: no traceback reaches a user
        report = _report_of(error)
        try:
            report.show(as_json="--json" in argv)
        except BrokenPipeError:
            _nobody_reads()  # and it is an error all the same
        return report.exit_code
    return result if isinstance(result, int) else 0


@dataclass(frozen=True, slots=True)
class _Report:
    """An error as it is shown."""

    kind: str
    problem: str
    hint: str
    exit_code: int

    def show(self, *, as_json: bool) -> None:
        """Print it: for people on standard error, for programs on standard output."""
        if as_json:
            click.echo(json.dumps({"error": asdict(self)}))
        click.echo(f"airlift: error: {self.problem}", err=True)
        if self.hint:
            click.echo(f"airlift: hint: {self.hint}", err=True)


def _report_of(error: BaseException) -> _Report:
    if isinstance(error, AirliftError):
        return _Report(error.word, error.problem, error.hint, error.exit_code)
    if isinstance(error, click.exceptions.Abort | KeyboardInterrupt):
        return _Report("interrupted", "interrupted", "", 130)
    if isinstance(error, click.ClickException):
        text = error.format_message()
        problem = (text[:1].lower() + text[1:]).rstrip(".")
        hint = "`airlift COMMAND --help` lists what a command takes"
        return _Report("request", problem, hint, 2)
    if os.environ.get("AIRLIFT_DEBUG"):
        traceback.print_exception(error)
    place = traceback.extract_tb(error.__traceback__)[-1]
    problem = f"{type(error).__name__} at {place.name}, line {place.lineno}: {error}"
    hint = "this is a bug in airlift; run again with AIRLIFT_DEBUG=1 and report it"
    return _Report("bug", problem, hint, 1)
