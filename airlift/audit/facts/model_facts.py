"""What is known of a release: whether it names code to import, has pickles, its formats."""

from collections.abc import Mapping
from dataclasses import dataclass

from airlift.artifact import ReleaseFile
from airlift.audit.facts import rules
from airlift.audit.finding import Severity
from airlift.payload.file_facts import FileFacts
from airlift.payload.signs import Sign
from airlift.registry.held import Held


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A sign, and the file it was seen in.

    Attributes:
        file: The file.
        sign: What was seen.
        whole: Whether it is about the release: the bytes alone do not show it.
    """

    file: ReleaseFile
    sign: Sign
    whole: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFacts:
    """What is known of a release.

    Attributes:
        held: The release.
        files: Facts of each file by path; those that could not be read are missing.
        signs: What somebody should know, by path.
        problems: Why a file could not be looked into, by path.
    """

    held: Held
    files: Mapping[str, FileFacts]
    signs: tuple[Placed, ...]
    problems: Mapping[str, str]

    @property
    def has_auto_map(self) -> bool:
        """Whether its settings name code that loaders import."""
        return any(one.sign.rule in rules.CODE for one in self.signs)

    @property
    def has_pickle_weights(self) -> bool:
        """Whether a file of it is a pickle."""
        return any(one.sign.rule in rules.PICKLES for one in self.signs)

    @property
    def template_rule(self) -> Severity | None:
        """How bad the worst sign in a chat template is; None where there is none."""
        found = {one.sign.rule for one in self.signs} & rules.TEMPLATES
        worst = sorted(map(rules.severity, found), key=lambda one: one.rank)
        return worst[0] if worst else None

    @property
    def formats(self) -> frozenset[str]:
        """The formats of its files, as ``sniff`` calls them."""
        return frozenset(one.format for one in self.files.values())

    @property
    def quantisations(self) -> frozenset[str]:
        """The quantisations of its GGUF files, as ``Q4_K_M``."""
        return frozenset(
            one.quantisation for one in self.files.values() if one.quantisation
        )

    @property
    def is_complete(self) -> bool:
        """Whether every file could be looked into: else what it lacks is unknown."""
        return not self.problems
