"""Programs of another Debian release, unpacked beside this machine's own system.

apt fetches a program with every library it needs, down to libc, into a folder; nothing
is installed and no privilege is needed. The release after this machine's has programs
that this one lacks. Its mirror is the one apt is configured for.
"""

import re
import shutil
import subprocess
from pathlib import Path

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
SUITES = ("forky", "sid")
"""The first is preferred; the second has what was taken out of it for a time."""
LIBRARIES = "usr/lib/x86_64-linux-gnu"
PATIENCE_S = 300


def _mirror() -> str:
    apt = shutil.which("apt-get")
    assert apt, "programs of another release are fetched with Debian's apt-get"
    # Says what it would fetch, also on a machine that never did.
    asked = [apt, "--print-uris", "update"]
    done = subprocess.run(asked, check=True, capture_output=True, text=True)
    found = re.search(r"^'(\S+)/dists/", done.stdout, re.MULTILINE)
    assert found, "apt has no source of packages: see /etc/apt/sources.list.d"
    return found[1]


def _apt(home: Path, *words: str) -> None:
    """Run apt-get on the sources in *home*; this machine's proxy settings count."""
    settings = {
        "Dir::Etc::sourcelist": home / "suites.sources",
        "Dir::Etc::sourceparts": "-",
        "Dir::Etc::preferences": "/dev/null",
        "Dir::Etc::preferencesparts": "/dev/null",
        "Dir::State": home / "state",
        "Dir::State::status": home / "state/status",
        "Dir::Cache": home / "cache",
        "Dir::Log": home / "log",
        "APT::Default-Release": SUITES[0],
        "APT::Install-Recommends": "false",
        "APT::Sandbox::User": "root",
    }
    told = [word for name, at in settings.items() for word in ("-o", f"{name}={at}")]
    subprocess.run(
        ["apt-get", "-qq", *told, *words],
        check=True,
        timeout=PATIENCE_S,
        stdout=subprocess.DEVNULL,
    )


def unpacked(folder: Path, package: str) -> Path:
    """Return a folder with *package* and all it depends on, laid out as below ``/``."""
    home = folder / f"debian-{package}"
    root, done = home / "root", home / "complete"
    if done.exists():
        return root
    shutil.rmtree(home, ignore_errors=True)
    for name in ("state/lists/partial", "cache/archives/partial", "log", "root"):
        (home / name).mkdir(parents=True)
    (home / "state/status").touch()
    (home / "suites.sources").write_text(
        f"Types: deb\nURIs: {_mirror()}\nSuites: {' '.join(SUITES)}\n"
        f"Components: main\nSigned-By: {KEYRING}\n"
    )
    _apt(home, "update")
    _apt(home, "install", "--download-only", "--yes", package)
    for archive in sorted((home / "cache/archives").glob("*.deb")):
        run = ["dpkg-deb", "--extract", str(archive), str(root)]
        subprocess.run(run, check=True, timeout=PATIENCE_S)
    shutil.rmtree(home / "cache")
    shutil.rmtree(home / "state")
    done.touch()
    return root


def command(root: Path, program: str, *libraries: str) -> list[Path | str]:
    """Return the words that start *program* of *root* with its own loader and libc.

    Args:
        root: As :func:`unpacked` gave it.
        program: A path below *root*.
        libraries: More folders with libraries, below that of the architecture.
    """
    beside = root / LIBRARIES
    path = ":".join(str(at) for at in (beside, *(beside / one for one in libraries)))
    loader = beside / "ld-linux-x86-64.so.2"
    return [loader, "--library-path", path, root / program]
