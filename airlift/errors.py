"""Every deliberate error, by who must act on it.

``AirliftError`` is the root; each branch is a different action for the person who
reads it, and has one exit code. The table ``EXIT_CODES`` is the single source of
what the documentation and the commands promise.

    AirliftError
    ├── RequestError    what was asked for cannot be done as asked: change it
    ├── SourceError     upstream did not give what was wanted: retry or ask them
    ├── FormatError     bytes on a medium are missing, damaged or not ours: copy again
    ├── TrustError      nobody with authority vouches for this: stop, ask the sender
    ├── StoreError      this host's disk or blobs fail: make room, repair
    ├── RegistryError   this host's records fail or are busy: wait, rebuild
    └── IncompleteError all is well so far, and more is needed: bring the rest
"""

from typing import ClassVar


class AirliftError(Exception):
    """What went wrong, in one lower-case line, and what to do about it.

    Args:
        problem: What, where, expected and found. No trailing full stop.
        hint: The next step, a command if it can be one.
    """

    exit_code: ClassVar[int] = 1
    word: ClassVar[str] = "error"

    def __init__(self, problem: str, *, hint: str = "") -> None:
        super().__init__(problem)
        self.problem = problem
        self.hint = hint


class RequestError(AirliftError):
    """The request cannot be carried out as it stands."""

    exit_code = 2
    word = "request"


class SourceError(AirliftError):
    """An upstream source did not deliver what was asked of it."""

    exit_code = 3
    word = "source"


class SourceBusyError(SourceError):
    """Upstream may deliver if asked again: a drop, a time-out, 429 or 5xx.

    Args:
        retry_after_s: Seconds upstream asked to wait; None where it did not say.
    """

    def __init__(
        self, problem: str, *, hint: str = "", retry_after_s: float | None = None
    ) -> None:
        super().__init__(problem, hint=hint)
        self.retry_after_s = retry_after_s


class SourceGoneError(SourceError):
    """Upstream has it no longer, or shows it to this account no longer."""


class SourceGatedError(SourceError):
    """Upstream gives it only to those who have accepted its terms."""


class FormatError(AirliftError):
    """Bytes are missing, damaged, or not in airlift's format."""

    exit_code = 4
    word = "format"


class TrustError(AirliftError):
    """Bytes are well formed, but nothing gives them authority here."""

    exit_code = 5
    word = "trust"


class StoreError(AirliftError):
    """The blob store cannot keep or give what it should."""

    exit_code = 6
    word = "store"


class MediumError(StoreError):
    """A medium that is written, not this host's own disk, refuses: another may do."""


class RegistryError(AirliftError):
    """The registry database cannot record or answer."""

    exit_code = 7
    word = "registry"


class IncompleteError(AirliftError):
    """What was given is good, but more is needed to finish."""

    exit_code = 8
    word = "incomplete"


class BaseMissingError(IncompleteError):
    """A delivery builds on what this site does not hold."""


NOTHING_NEW = 9
FINDINGS = 10
TOO_OLD = 11
UNREAD = 141

EXIT_CODES: dict[int, str] = {
    0: "done, or nothing needed doing",
    1: "an error inside airlift: please report it",
    2: "request: the command or a file you wrote must change",
    3: "source: an upstream did not deliver what was asked of it",
    4: "format: bytes on a medium are missing, damaged or not airlift's",
    5: "trust: nothing gives these bytes authority on this host",
    6: "store: this host's disk or blobs fail",
    7: "registry: this host's records fail or are busy",
    8: "incomplete: all good so far, and more is needed: media, or an upstream's answer",
    9: "nothing new: upstream has what was carried last (`airlift update`)",
    10: "findings: an audit answered every question, and found what matters",
    11: "too old: what is known of upstream is older than an audit may rest on",
    130: "interrupted; nothing that looks finished is left behind",
    141: "nobody read all that was printed (`| head`): what came of it is not told",
}
"""Exit code to meaning. New codes may be added; none changes its meaning."""
