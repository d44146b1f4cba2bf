"""``airlift verify-client``: compare what a runtime holds with what was signed."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from airlift import naming
from airlift.artifact import Json
from airlift.cli import config, output
from airlift.errors import RequestError, StoreError, TrustError
from airlift.install import check_folder, check_hub, check_ollama, checking, records
from airlift.install.checking import Claim, Finding, What
from airlift.install.records import Known
from airlift.registry.registry import Registry

_LIMIT = 256 << 20
Checker = Callable[[Path, Sequence[Known]], Iterator[Claim | Finding]]
CHECKERS: dict[str, Checker] = {
    "cache": check_hub.claims,
    "ollama": check_ollama.claims,
    "dir": check_folder.folder,
    "wheelhouse": check_folder.wheelhouse,
}
"""What says what a folder of each sort holds; the only list."""
_UNSIGNED = (What.EXTRA, What.UNKNOWN, What.STALE)
_FOLDER = click.Path(path_type=Path, file_okay=False)


@click.command("verify-client")
@click.argument("references", nargs=-1)
@click.option("--cache", type=_FOLDER, help="A Hugging Face cache (`$HF_HOME/hub`).")
@click.option("--ollama", type=_FOLDER, help="A folder of Ollama's models.")
@click.option("--dir", "dir_", type=_FOLDER, help="A folder with one release's files.")
@click.option("--wheelhouse", type=_FOLDER, help="A folder of wheels.")
@click.option(
    "--against",
    type=click.Path(path_type=Path, dir_okay=False),
    multiple=True,
    help="A list that `airlift show --json` wrote, instead of this host's registry.",
)
@click.option(
    "--strict", is_flag=True, help="Fail on what is in no release, or in a retired one."
)
@config.home_option
@config.json_option
def command(
    home: Path,
    references: tuple[str, ...],
    *,
    cache: Path | None,
    ollama: Path | None,
    dir_: Path | None,
    wheelhouse: Path | None,
    against: tuple[Path, ...],
    strict: bool,
    as_json: bool,
) -> int:
    """Hash again what runtimes hold, all of it or of the releases REFERENCES.

    Clients check at most the lengths of files; this finds wrong bytes of the right
    length too. Without a folder, the usual ones of this user are looked at. Changes
    nothing and needs no network. Exit code 6: something is damaged, or missing of a
    release that was named; 5: a denied release is there, or with --strict one that is
    in no release.
    """
    given = {"cache": cache, "ollama": ollama, "dir": dir_, "wheelhouse": wheelhouse}
    places = {name: path for name, path in given.items() if path} or _usual()
    known = _known(home, references, against)
    progress = output.progress(quiet=as_json)
    report = _Report(strict=strict, as_json=as_json)
    for name, path in places.items():
        claims = CHECKERS[name](path, known)
        report.add(name, path, tuple(checking.judge(claims, progress)))
    return report.end()


def _usual() -> dict[str, Path]:
    usual = {"cache": config.hf_cache(), "ollama": config.ollama_models()}
    found = {name: path for name, path in usual.items() if path.is_dir()}
    if not found:
        looked = " and ".join(naming.show(str(path)) for path in usual.values())
        problem = f"no runtime keeps anything in {looked}"
        raise RequestError(problem, hint="name a folder: --cache, --ollama, --dir, ...")
    return found


def _known(
    home: Path, references: Sequence[str], against: Sequence[Path]
) -> tuple[Known, ...]:
    if not against:
        return records.of_registry(Registry.open(home, readonly=True), references)
    if references:
        problem = "REFERENCES are of this host's registry, which --against replaces"
        raise RequestError(problem, hint="give one list for each release instead")
    return tuple(records.of_list(_text(path), name=str(path)) for path in against)


def _text(path: Path) -> str:
    return config.text(path, limit=_LIMIT, hint="`airlift show --json` writes it")


@dataclass
class _Report:
    """What was found, told as it is found."""

    strict: bool
    as_json: bool

    def __post_init__(self) -> None:
        self._found: list[Finding] = []
        self._places: list[Json] = []

    def add(self, name: str, path: Path, found: Sequence[Finding]) -> None:
        """Tell what one folder holds."""
        self._found += found
        counts = Counter(one.what for one in found)
        size = sum(one.size for one in found)
        if self.as_json:
            listed: list[Json] = [
                _as_json(one) for one in found if one.what is not What.INTACT
            ]
            told: dict[str, Json] = {what.value: counts[what] for what in What}
            self._places.append(
                {
                    "what": name,
                    "folder": str(path.absolute()),
                    "counts": told,
                    "bytes": size,
                    "findings": listed,
                }
            )
            return
        for one in found:
            if one.what is not What.INTACT:
                _print(one)
        words = [f"{counts[what]} {what}" for what in What if counts[what]]
        summary = ", ".join(words) or "nothing"
        shown = naming.show(str(path.absolute()))
        output.line(f"{name} {shown}: {summary}; {output.size(size)}")

    def end(self) -> int:
        """Print what programs are told; return the exit code.

        Raises:
            StoreError: Something is damaged, or missing where it counts.
            TrustError: Something is there that nobody should use.
        """
        error = self._error()
        if self.as_json:
            output.as_json({"places": self._places})
            return error.exit_code if error else 0
        if error:
            raise error
        return 0

    def _error(self) -> StoreError | TrustError | None:
        counts = Counter(one.what for one in self._found)
        missing = sum(1 for one in self._found if _counts(one))
        if unread := counts[What.UNREADABLE]:
            problem = f"{unread} file(s) cannot be read, so nobody knows what they are"
            return StoreError(problem, hint="run it as who owns them; look at the disk")
        if bad := counts[What.DAMAGED] + missing:
            problem = f"{bad} file(s) are damaged or missing"
            hint = "`airlift install REFERENCE --to RUNTIME --replace` mends them"
            return StoreError(problem, hint=hint)
        if counts[What.DENIED]:
            problem = f"{counts[What.DENIED]} denied release(s) are here"
            return TrustError(
                problem, hint="delete them with the runtime's own command"
            )
        unsigned = sum(counts[what] for what in _UNSIGNED)
        if self.strict and unsigned:
            problem = f"{unsigned} file(s) are in no live release"
            return TrustError(
                problem, hint="see the lines above; delete what is foreign"
            )
        return None


def _counts(one: Finding) -> bool:
    return one.what is What.MISSING and one.needed


def _print(one: Finding) -> None:
    parts = [f"{one.what.value:<8}{naming.show(one.path)}"]
    if one.problem:
        parts.append(f": {one.problem}")
    if one.release:
        parts.append(f"  ({one.release})")
    output.line("".join(parts))


def _as_json(one: Finding) -> dict[str, Json]:
    return {
        "what": one.what.value,
        "path": one.path,
        "problem": one.problem,
        "release": one.release,
    }
