"""``airlift systemd``: units for the server, verifying, audits, and a watched folder."""

import getpass
import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from string import Template

import click

from airlift import naming
from airlift.cli import config, output
from airlift.errors import RequestError, StoreError

_SANDBOX = """\
# Nothing on this host may be changed, and little of it seen.
NoNewPrivileges=yes
CapabilityBoundingSet=
AmbientCapabilities=
ProtectSystem=strict
ProtectHome=$protect_home
PrivateTmp=yes
PrivateDevices=yes
PrivateUsers=yes
PrivateIPC=yes
DevicePolicy=closed
ProtectProc=invisible
ProcSubset=pid
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
RemoveIPC=yes
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged
SystemCallErrorNumber=EPERM
KeyringMode=private
UMask=0077
"""

_UNITS = {
    "airlift-serve.socket": """\
[Unit]
Description=airlift: where models and packages are served

[Socket]
# Held open while the service restarts: connections wait instead of being refused.
ListenStream=$listen
Backlog=1024

[Install]
WantedBy=sockets.target
""",
    "airlift-serve.service": """\
[Unit]
Description=airlift: serve models and packages
Requires=airlift-serve.socket
After=airlift-serve.socket

[Service]
Type=notify
User=$user
ExecStart=$airlift serve --home $home_argument
ExecReload=/bin/kill -HUP $$MAINPID
Restart=on-failure
# Transfers get 30 seconds to finish.
TimeoutStopSec=45
LimitNOFILE=8192

# The server answers on the socket it inherits and can open no other: its own network
# is empty, and the kernel refuses it any socket but local ones.
PrivateNetwork=yes
RestrictAddressFamilies=AF_UNIX

# What it reads it cannot write, but for the digests of image layers it worked out.
ExecStartPre=+/usr/bin/install -d -m 0700 -o $user $derived_argument
ReadOnlyPaths=$home
ReadWritePaths=$derived
$sandbox
[Install]
WantedBy=multi-user.target
""",
    "airlift-verify.service": """\
[Unit]
Description=airlift: hash everything in the store again

[Service]
Type=oneshot
User=$user
ExecStart=$airlift verify --home $home_argument
Nice=19
CPUSchedulingPolicy=idle
IOSchedulingClass=idle

# It reads the store and writes what it found; there is nobody to talk to.
PrivateNetwork=yes
RestrictAddressFamilies=AF_UNIX
IPAddressDeny=any
ReadWritePaths=$home
$sandbox
""",
    "airlift-verify.timer": """\
[Unit]
Description=airlift: hash everything in the store again, once a month

[Timer]
OnCalendar=monthly
RandomizedDelaySec=6h
Persistent=yes

[Install]
WantedBy=timers.target
""",
    "airlift-audit.service": """\
[Unit]
Description=airlift: hash what has waited longest, and audit this site

[Service]
Type=oneshot
User=$user
# What the first finds is noted, and told by the second: the report, and its exit code.
ExecStartPre=/usr/bin/install -d -m 0700 $audit_argument
ExecStart=-$airlift audit verify --rolling 30m --home $home_argument
ExecStart=$airlift audit run --out $audit_argument --metrics $metrics_argument --home $home_argument
# Findings are no failure of the audit; what is unknown, too old or broken is.
SuccessExitStatus=10
Nice=19
CPUSchedulingPolicy=idle
IOSchedulingClass=idle

# It reads the store and writes what it found; there is nobody to talk to. A command of
# --notify runs in here too: one that queues a mail through a local socket works.
PrivateNetwork=yes
RestrictAddressFamilies=AF_UNIX
IPAddressDeny=any
ReadWritePaths=$home
$sandbox
""",
    "airlift-audit.timer": """\
[Unit]
Description=airlift: hash what has waited longest, and audit this site, every day

[Timer]
OnCalendar=daily
RandomizedDelaySec=2h
Persistent=yes

[Install]
WantedBy=timers.target
""",
}
_WATCH = {
    "airlift-watch.service": """\
[Unit]
Description=airlift: take volumes in as a one-way link drops them
RequiresMountsFor=$watched

[Service]
Type=exec
User=$user
ExecStart=$airlift watch $watched_argument --home $home_argument
Restart=on-failure
RestartSec=30
# A volume that is being read is let go of at once; what came of it is kept.
TimeoutStopSec=90

# It reads the folder and writes the store. Alarms leave by the journal or another
# local socket: there is no network here.
PrivateNetwork=yes
RestrictAddressFamilies=AF_UNIX
ReadWritePaths=$home $watched
$sandbox
[Install]
WantedBy=multi-user.target
""",
}
_LISTEN = re.compile(
    r"(?:(?:[0-9.]{7,15}|\[[0-9a-fA-F:.]{2,45}\]):)?[0-9]{1,5}|/[!-~]+", re.ASCII
)
_USER = re.compile(r"[a-z_][a-z0-9_-]{0,31}", re.ASCII)


@click.command("systemd")
@click.option(
    "--listen",
    default="127.0.0.1:8484",
    show_default=True,
    metavar="ADDRESS",
    help="Where to listen: address and port, a port for all addresses, or the path of"
    " a local socket.",
)
@click.option(
    "--watch",
    "watched",
    type=click.Path(path_type=Path, file_okay=False),
    help="Also a unit that watches this drop folder.",
)
@click.option("--user", help="Who runs the services; by default you.")
@click.option(
    "--write",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write the units into this folder instead of printing them.",
)
@config.home_option
def command(
    home: Path,
    listen: str,
    watched: Path | None,
    user: str | None,
    folder: Path | None,
) -> None:
    """Print hardened systemd units for this host.

    A socket that outlives restarts, the server behind it, and two timers without any
    network: one hashes the whole store again every month, one audits the site every day
    and hashes for half an hour what has waited longest. Options of the server go behind
    `airlift serve` in airlift-serve.service, those of the watch behind `airlift watch`.
    """
    known = _known(home.absolute(), listen, user or getpass.getuser())
    templates = _UNITS
    if watched:
        templates = _UNITS | _WATCH
        known |= {
            "watched": _quoted(watched.absolute()),
            "watched_argument": _argument(watched.absolute()),
        }
    units = _units(templates, known)
    if folder is None:
        for name, text in units.items():
            click.echo(f"# --- {name}\n{text}")
        return
    for name, text in units.items():
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
        except OSError as error:
            shown = naming.show(str(folder / name))
            problem = f"cannot write {shown}: {error.strerror}"
            raise StoreError(problem) from error
        output.note(f"wrote {naming.show(str(folder / name))}")


def _known(home: Path, listen: str, user: str) -> dict[str, str]:
    if not _LISTEN.fullmatch(listen):
        problem = f"`{naming.show(listen)}` is not where one can listen"
        hint = "give 127.0.0.1:8484, [::1]:8484, 8484 or /run/airlift.sock, say"
        raise RequestError(problem, hint=hint)
    if not _USER.fullmatch(user):
        problem = f"`{naming.show(user)}` is not the name of a user"
        raise RequestError(problem, hint="give --user")
    in_homes = home.is_relative_to("/home") or home.is_relative_to("/root")
    return {
        "listen": listen,
        "user": user,
        "home": _quoted(home),
        "home_argument": _argument(home),
        "derived": _quoted(home / "derived"),
        "derived_argument": _argument(home / "derived"),
        "audit_argument": _argument(home / "audit"),
        "metrics_argument": _argument(home / "audit" / "airlift.prom"),
        "airlift": _program(),
        "protect_home": "read-only" if in_homes else "yes",
    }


def _units(templates: Mapping[str, str], known: Mapping[str, str]) -> dict[str, str]:
    sandbox = Template(_SANDBOX).substitute(known)
    return {
        name: Template(text).substitute(known, sandbox=sandbox).rstrip("\n") + "\n"
        for name, text in templates.items()
    }


def _program() -> str:
    beside = Path(sys.executable).with_name("airlift")
    found = beside if beside.is_file() else shutil.which("airlift")
    if found is None:
        return f"{_argument(Path(sys.executable))} -m airlift"
    return _argument(Path(found))


def _argument(path: Path) -> str:
    """Return *path* as a command line of a unit spells it, where $ is a variable."""
    return _quoted(path).replace("$", "$$")


def _quoted(path: Path) -> str:
    """Return *path* as a unit file spells it.

    Raises:
        RequestError: It has a control character, which no unit file can hold.

    Source: systemd.syntax(7), "Quoting", and systemd.unit(5), "Specifiers".
    """
    text = str(path)
    if not text.isprintable():
        problem = f"{naming.show(text)} cannot stand in a unit file"
        raise RequestError(problem, hint="choose a path without control characters")
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"' if re.search(r"[\s'\"\\;]", text) else escaped
