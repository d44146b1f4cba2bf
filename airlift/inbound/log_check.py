"""The log beside every checkpoint of it that can be found: here, and brought back."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from airlift import naming
from airlift.errors import AirliftError, FormatError, TrustError
from airlift.format import checkpoint as notes
from airlift.format import cosignature, receipt
from airlift.format.checkpoint import Checkpoint
from airlift.format.dispatch import Dispatch
from airlift.format.log_told import PROOFS, LogTold
from airlift.registry.audit import Audited
from airlift.registry.cosigning import Believed
from airlift.registry.logbook import Logbook
from airlift.registry.recompute import recompute
from airlift.store.durable import names, read_file
from airlift.trust import receipt as sealed
from airlift.trust import site_key, verifier

RECEIPTS = "receipts"
"""Folder below the home."""
_MARK = b"airlift/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What a check of the log found.

    Attributes:
        audited: Of the log by itself.
        elsewhere: How many checkpoints from other places it was compared with.
        cosigned: Who has cosigned how much of it.
        rows: How many rows of other tables were compared with what follows from the
            log and the signed records; None where that was not asked for.
        faults: All that is not as it was, in words.
    """

    audited: Audited
    elsewhere: int
    cosigned: tuple[Believed, ...]
    rows: int | None
    faults: tuple[str, ...]


def check(home: Path, against: Sequence[Path] = (), *, deep: bool = False) -> Checked:
    """Recompute the log in *home* and compare it with all that is known of it.

    Args:
        home: The isolated side's.
        against: Files of checkpoints or receipts that were kept elsewhere.
        deep: Also do again what the log says, and compare every row of every table.

    Raises:
        RegistryError: The database cannot answer.
        StoreError: A file cannot be read.
        FormatError: A file of *against* is neither.
    """
    book = Logbook(home)
    audited = book.audit(site_key.read_public(home))
    every = [*_of_receipts(home), *((one, _read(one)) for one in against)]
    found = [(path, one) for path, one in every if one]
    problems = [
        problem
        for path, one in found
        if (problem := book.contradiction(one, naming.show(path.name)))
    ]
    try:
        cosigned = book.cosigned()
    except (FormatError, TrustError) as error:
        cosigned = ()
        problems.append(error.problem)
    again = recompute(home, verify=verifier.verify) if deep else None
    return Checked(
        audited=audited,
        elsewhere=len(found),
        cosigned=cosigned,
        rows=again.rows if again else None,
        faults=(*audited.faults, *problems, *(again.faults if again else ())),
    )


def told(home: Path) -> LogTold:
    """Return what the next receipt says of the log in *home*, signed to its end before.

    It proves that the log goes on from the one that the connected side has said it has
    seen, and from those of the newest receipts: one of them is the one it saw last.

    Raises:
        RequestError: Nobody ever signed it.
        RegistryError: The database cannot answer.
    """
    book = Logbook(home)
    newest = book.newest()
    known = [size for size in book.seen(PROOFS) if 0 < size < newest.size]
    proofs = {size: book.consistency(size, newest.size) for size in known}
    return LogTold(note=newest.note, proofs=proofs)


def refuse_other(home: Path, record: Dispatch) -> None:
    """Refuse a delivery that has seen more of this site's log than is here.

    A host that was put back from an old copy does not know that it was: all its own
    files agree. What it told the sender before, the sender tells it again.

    Raises:
        TrustError: The log here is shorter, or another one.
    """
    if record.log is None:
        return
    seen = Checkpoint(site=record.site, size=record.log.size, root=record.log.root)
    place = f"delivery {record.sequence}"
    if problem := Logbook(home).contradiction(seen, place):
        hint = (
            "this host was put back from an old copy, or another one speaks for the "
            "site: find out; to begin anew, `airlift trust site-key --replace`, enrol "
            "that, and ask for another delivery (docs/log.md)"
        )
        raise TrustError(problem, hint=hint)


def _of_receipts(home: Path) -> Iterator[tuple[Path, Checkpoint | None]]:
    folder = home / RECEIPTS
    for name in names(folder) if folder.is_dir() else ():
        if name.endswith(".receipt"):
            yield folder / name, _of_damaged(folder / name)


def _of_damaged(path: Path) -> Checkpoint | None:
    """Return the checkpoint of a receipt kept here; None of one that is damaged.

    Receipts are written again where they are lost, so that is no fault of the log.
    """
    try:
        return _read(path)
    except AirliftError:
        return None


def _read(path: Path) -> Checkpoint | None:
    data = read_file(path, limit=sealed.LIMIT)
    if data.startswith(_MARK):
        note = cosignature.bare(data, name=path.name)
        return notes.decode(note, name=path.name).checkpoint
    said = receipt.decode(sealed.record_of(data, name=path.name), name=path.name)
    return said.log.checkpoint if said.log else None
