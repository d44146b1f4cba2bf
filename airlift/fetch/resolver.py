"""uv's resolver: which files a set of requirements means for one Python and platform.

uv runs as a program of its own, in a private folder, with an environment of our
making: no configuration of the user's, no interpreter downloads, and nothing on its
command line that came from a manifest but one file name. Index addresses go through
the environment, because they may hold a password and command lines are public.
"""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn

from packaging.pylock import (
    Package,
    PackageSdist,
    PackageWheel,
    Pylock,
    PylockValidationError,
)
from packaging.tags import Tag
from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from airlift import naming, transient
from airlift.digest import Sha256, is_sha256
from airlift.errors import RequestError, SourceBusyError, SourceError
from airlift.fetch.settings import Settings

_TIMEOUT_S: Final = 900.0
_SAID_LIMIT: Final = 1200  # characters of uv's explanation; the first ones tell most
_UNREACHABLE = re.compile(
    r"failed to fetch|request failed|error sending request|timed out|\(connect\)|dns",
    re.IGNORECASE,
)
_HINTS: Final = (
    ("no usable wheels", "choose a version that has wheels, or set `sdist = true`"),
    ("building from source is disabled", "choose another version, or `sdist = true`"),
    ("no matching", "check `python` and `platform`: not every project builds for all"),
    ("--python-platform", "`platform` takes the names of uv's `--python-platform`"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """For whom files are chosen.

    Attributes:
        python: ``3.11`` or ``3.11.4``.
        platform: A name of uv's ``--python-platform``.
    """

    python: str
    platform: str

    def __str__(self) -> str:
        return f"python {self.python} on {self.platform}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Locked:
    """A file that the resolver chose.

    Attributes:
        project: Normalised name of the project.
        filename: Of a wheel or source archive.
        url: Where it is: http, https or file.
        sha256: As the index states it.
        size: Bytes; None where the index does not say.
        wheel: Whether it is a wheel.
    """

    project: str
    filename: str
    url: str
    sha256: Sha256
    size: int | None
    wheel: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What to resolve.

    Attributes:
        name: What to call it in an error.
        requirements: PEP 508 lines.
        indexes: Addresses to look in, the one that counts first; the last is the
            default. Empty for uv's own default.
        sdist: Whether source archives may be chosen where no wheel fits. uv may
            run their build code to learn what they need.
    """

    name: str
    requirements: tuple[str, ...]
    indexes: tuple[str, ...]
    sdist: bool = False


def resolve(
    question: Question, targets: Sequence[Target], settings: Settings
) -> tuple[Locked, ...]:
    """Return the files that *question* means for all *targets*, by file name.

    Raises:
        RequestError: The requirements cannot be met; with uv's explanation.
        SourceError: A project is on no index, or an index misbehaves.
        SourceBusyError: An index cannot be reached.
    """
    found: dict[str, Locked] = {}
    with transient.folder("airlift-uv-") as folder:
        text = "".join(f"{line}\n" for line in question.requirements)
        (folder / "requirements.in").write_text(text, encoding="utf-8")
        for target in targets:
            for one in _resolve_one(question, target, settings, folder):
                if found.setdefault(one.filename, one).sha256 != one.sha256:
                    problem = (
                        f"`{naming.show(question.name)}`: the index gives two files "
                        f"named `{naming.show(one.filename)}`"
                    )
                    raise SourceError(problem, hint="ask those who run the index")
    return tuple(found[name] for name in sorted(found))


def _resolve_one(
    question: Question, target: Target, settings: Settings, folder: Path
) -> list[Locked]:
    lock = folder / "pylock.toml"
    lock.unlink(missing_ok=True)
    command = [
        *(_uv(), "pip", "compile", "--quiet", "--python", sys.executable),
        *("--python-version", target.python, "--python-platform", target.platform),
        *("--format", "pylock.toml", "--output-file", lock.name),
        *(() if question.sdist else ("--only-binary", ":all:")),
        *("--", "requirements.in"),
    ]
    try:
        done = subprocess.run(  # noqa: S603 - a fixed program, checked words, no shell
            command,
            cwd=folder,
            env=_environment(question, settings, folder),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        problem = (
            f"resolving `{naming.show(question.name)}` took over {_TIMEOUT_S:.0f} s"
        )
        raise SourceBusyError(problem, hint="run the command again") from error
    if done.returncode:
        _explain(question, target, done.stderr.decode("utf-8", "replace"))
    return _read(question, lock.read_text(encoding="utf-8"))


def _uv() -> str:
    try:
        import uv  # noqa: PLC0415 - optional: only the connected side has it

        return uv.find_uv_bin()
    except (ImportError, FileNotFoundError):
        found = shutil.which("uv")
    if found is None:
        problem = "wheels are resolved by `uv`, which is not installed"
        raise RequestError(problem, hint="install `airlift[export]`")
    return found


def _environment(
    question: Question, settings: Settings, folder: Path
) -> Mapping[str, str]:
    environment = {
        "HOME": str(folder),
        "PATH": os.defpath,
        "LANG": "C.UTF-8",
        "NO_COLOR": "1",
        "UV_CACHE_DIR": str(folder / "cache"),
        "UV_NO_CONFIG": "1",
        "UV_NO_PROGRESS": "1",
        "UV_PYTHON_DOWNLOADS": "never",
        "UV_KEYRING_PROVIDER": "disabled",
        "UV_HTTP_RETRIES": "1",  # trying again is the caller's part
        "UV_HTTP_TIMEOUT": str(int(settings.read_timeout_s)),
    }
    for scheme, proxy in settings.proxies.items():
        environment[f"{scheme.upper()}_PROXY"] = proxy
    if settings.no_proxy:
        environment["NO_PROXY"] = ",".join(settings.no_proxy)
    if settings.ca_file is not None:
        environment["SSL_CERT_FILE"] = str(settings.ca_file)
    else:
        environment["UV_SYSTEM_CERTS"] = "1"
    if question.indexes:
        environment["UV_INDEX"] = " ".join(question.indexes[:-1])
        environment["UV_DEFAULT_INDEX"] = question.indexes[-1]
    return environment


def _explain(question: Question, target: Target, said: str) -> NoReturn:
    text = _plain(said)
    problem = f"`{naming.show(question.name)}` for {target}: {text}"
    if "was not found in the package registry" in text:
        hint = "check the name's spelling and the index"
        raise SourceError(problem, hint=hint)
    if _UNREACHABLE.search(text):
        hint = "check this host's network and proxy, then run the command again"
        raise SourceBusyError(problem, hint=hint)
    hint = next((hint for sign, hint in _HINTS if sign in text), "")
    raise RequestError(problem, hint=hint or "loosen the versions that it names")


def _plain(said: str) -> str:
    """Return uv's explanation in one line, without its decoration and passwords."""
    lines = [
        re.sub(r"^(error|cause):\s*", "", line.strip())
        for line in said.splitlines()
        if line.strip() and not line.strip().startswith(("hint:", "warning:"))
    ]
    text = re.sub(r"(\w+://)[^/@\s]+@", r"\1", " ".join(lines))
    text = text.removeprefix("No solution found when resolving dependencies").strip(
        ": "
    )
    if len(text) > _SAID_LIMIT:
        text = text[:_SAID_LIMIT] + "..."
    return naming.show(text).rstrip(".")


def _read(question: Question, text: str) -> list[Locked]:
    try:
        lock = Pylock.from_dict(tomllib.loads(text))
    except (tomllib.TOMLDecodeError, PylockValidationError) as error:
        problem = f"uv wrote a lock that cannot be read: {naming.show(str(error))}"
        raise SourceError(problem, hint="use the uv of `airlift[export]`") from error
    return [_locked(question, package) for package in lock.packages]


def _locked(question: Question, package: Package) -> Locked:
    file: PackageWheel | PackageSdist | None = package.sdist
    if package.wheels:
        # uv lists every wheel that would do; installers take one.
        file = max(package.wheels, key=lambda wheel: preference(wheel.filename))
    if file is None:
        shown = naming.show(package.name)
        problem = f"`{naming.show(question.name)}`: `{shown}` is on no index"
        raise RequestError(problem, hint="carry it as wheels of an index instead")
    digest = file.hashes.get("sha256")
    if not is_sha256(digest):
        problem = f"the index states no sha256 of `{naming.show(file.filename)}`"
        raise SourceError(problem, hint="use an index that states digests")
    return Locked(
        project=package.name,
        filename=file.filename,
        url=file.url or (Path(file.path).absolute().as_uri() if file.path else ""),
        sha256=Sha256(str(digest)),
        size=file.size,
        wheel=bool(package.wheels),
    )


def preference(filename: str) -> tuple[object, ...]:
    """Return a key by which wheels that all fit a target compare as pip prefers them.

    For a platform before for any, CPython's own before any Python's, the newest
    interpreter, the most specific ABI, the newest platform, one architecture before
    several, and the highest build.

    Source: PyPA specifications, "Platform compatibility tags".
    """
    try:
        _, _, build, tags = parse_wheel_filename(filename)
    except InvalidWheelFilename as error:
        problem = f"`{naming.show(filename)}` is not named as a wheel"
        raise SourceError(problem, hint="ask those who run the index") from error
    return (*max(map(_specific, tags)), build, filename)


def _specific(tag: Tag) -> tuple[bool, bool, int, int, tuple[int, ...], bool]:
    cpython = tag.interpreter.startswith("cp")
    digits = "".join(filter(str.isdigit, tag.interpreter))
    # `py3` stands before every older `py3x`.
    minor = int(digits[1:]) if len(digits) > 1 else _ANY_MINOR
    return (
        tag.platform != "any",
        cpython,
        minor,
        {"abi3": 1, "none": 0}.get(tag.abi, 2),
        _platform_version(tag.platform),
        not tag.platform.endswith("universal2"),
    )


def _platform_version(platform: str) -> tuple[int, ...]:
    old = _OLD_PLATFORMS.get(platform.partition("_")[0])
    found = _PLATFORM.match(platform)
    return old or (tuple(map(int, found.groups())) if found else ())


_ANY_MINOR: Final = 1000
_PLATFORM = re.compile(r"[a-z]+_(\d+)_(\d+)_", re.ASCII)
_OLD_PLATFORMS: Final[Mapping[str, tuple[int, ...]]] = {
    "manylinux1": (2, 5),
    "manylinux2010": (2, 12),
    "manylinux2014": (2, 17),
}
"""Names from before manylinux named the glibc it needs (PEP 600)."""
