"""A newer airlift that this site holds: it comes as a release like any other.

The people who sign deliveries sign it, and a policy can have it approved; nothing
installs itself. Held is what is live: what waits in quarantine is not offered.
"""

from dataclasses import dataclass
from typing import Final

from packaging.version import Version

from airlift import naming
from airlift.artifact import Json, Kind
from airlift.payload import wheel_names
from airlift.registry.held import State
from airlift.registry.registry import Registry

_PROJECT: Final = "airlift"


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """An airlift that is newer than the one that runs.

    Attributes:
        version: Its version.
        running: The version that runs.
        release: Name of the set of wheels that has it.
    """

    version: str
    running: str
    release: str

    def __str__(self) -> str:
        name = naming.show(self.release)
        return f"airlift {self.version} is held, in `{name}`; this is {self.running}"

    @property
    def hint(self) -> str:
        """The commands that install it."""
        name = naming.show(self.release)
        stem = name.replace("/", "--")
        return (
            f"`airlift install wheels:{name} --to wheelhouse --into FOLDER`, then with "
            "the Python that runs airlift: `python -m pip install --no-index "
            f"--require-hashes -f FOLDER/links-{stem}.html "
            f"-r FOLDER/requirements-{stem}.txt`"
        )


def as_table(update: Update | None) -> Json:
    """Return *update* as JSON shows it; null for none."""
    if update is None:
        return None
    return {"version": update.version, "release": update.release, "hint": update.hint}


def newest(registry: Registry, running: str) -> Update | None:
    """Return the newest airlift that is live here; None unless it is newer.

    Args:
        registry: The registry.
        running: The version that runs.

    Raises:
        RegistryError: The database cannot answer.
    """
    best, name = Version(running), ""
    live = {
        one.id: one for one in registry.releases(state=State.LIVE, kind=Kind.WHEELS)
    }
    for release, path in registry.census().paths(live, f"{_PROJECT}-"):
        project, version = wheel_names.parse(path) or ("", best)
        if project == _PROJECT and version > best:
            best, name = version, live[release].release.name
    if not name:
        return None
    return Update(version=str(best), running=running, release=name)
