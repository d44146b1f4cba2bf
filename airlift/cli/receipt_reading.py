"""What came back from a site: read, and shown. Connected side only."""

from pathlib import Path

from airlift import naming
from airlift.artifact import Json
from airlift.cli import chosen_site, config, output
from airlift.errors import IncompleteError, TrustError
from airlift.outbound.ledger import Ledger
from airlift.outbound.reading import Read, Reader
from airlift.outbound.standing import Outcome
from airlift.trust import files, receipt
from airlift.trust.enrolled import SiteKeys
from airlift.trust.publisher import Publisher

EXIT_CODES = {
    Outcome.CONFIRMED: 0,
    Outcome.CONTRADICTED: IncompleteError.exit_code,
    Outcome.UNEXPLAINED: TrustError.exit_code,
}
"""What `airlift receipt read` ends with."""


def read_file(home: Path, file: Path, site: str | None) -> Read:
    """Take in the receipt in *file*.

    Args:
        home: The connected side's.
        file: As it came from a courier.
        site: Whose it must be; None for any.

    Raises:
        FormatError: It is no receipt.
        TrustError: No enrolled key signed it, or it is of another site.
        RequestError: There is no such file, or it is older than what was read.
    """
    name = naming.show(file.name)
    data = files.read(file, limit=receipt.LIMIT, what="receipt")
    signed = receipt.believe(data, SiteKeys(home / "ledger").everyone(), name=name)
    if site and signed.receipt.site != site:
        problem = f"{name} is a receipt of {signed.receipt.site}, not of {site}"
        raise TrustError(problem, hint="two sites' papers were mixed up: find out how")
    return _reader(home).receipt(signed)


def read_code(home: Path, code: str, site: str | None) -> Read:
    """Take in the state code that somebody at *site* read out.

    Raises:
        RequestError: The site is not known, or it is no code of it.
    """
    reader = _reader(home)
    return reader.code(chosen_site.choose(reader.publisher, site), code)


def _reader(home: Path) -> Reader:
    return Reader(
        ledger=Ledger(home / "ledger"),
        publisher=Publisher.open(home / "trust"),
        now=config.now(),
        actor=config.actor(),
    )


def show(read: Read, *, as_json: bool) -> None:
    """Print what a reading came to."""
    if as_json:
        output.as_json(_as_json(read))
        return
    for line in lines(read):
        output.line(line)
    if read.advice:
        output.note(f"hint: {read.advice}")


def lines(read: Read) -> list[str]:
    """Return what a reading came to, for people."""
    site, told = read.site, read.confirmed
    if read.outcome is Outcome.UNEXPLAINED:
        line = f"contradicted: {site} says {read.code}, which no delivery explains"
        return [line, f"expected {read.expected}"]
    assert told is not None
    after = f"{site} after delivery {told.state.sequence}"
    found = [f"{read.outcome.value}: {after} says {read.code}"]
    if read.repeat:
        found[0] += "; it had said so before"
    if read.outcome is Outcome.CONTRADICTED:
        found[0] += f", expected {read.expected}"
    found += [f"delivery {one} never came" for one in read.lost]
    found += [str(one) for one in read.differences]
    found += [f"its store has lost blob {one}" for one in told.state.lacking]
    said = read.receipt
    if said is None:
        return found
    found += [
        f"it refused delivery {one.sequence}: {one.reason.value}"
        for one in said.refused
    ]
    if said.incomplete:
        found.append(f"of {len(said.incomplete)} deliveries volumes have yet to come")
    if said.waiting:
        found.append(f"{len(said.waiting)} release(s) wait in quarantine")
    return found


def _as_json(read: Read) -> Json:
    said, told = read.receipt, read.confirmed
    return {
        "site": read.site,
        "outcome": read.outcome.value,
        "repeat": read.repeat,
        "sequence": told.state.sequence if told else None,
        "code": read.code,
        "expected": read.expected,
        "lost": read.lost,
        "lacking": told.state.lacking if told else (),
        "differences": [
            {
                "kind": one.kind,
                "name": one.name,
                "expected": _releases(one.expected),
                "found": _releases(one.found),
            }
            for one in read.differences
        ],
        "refused": [
            {"sequence": one.sequence, "reason": one.reason.value}
            for one in (said.refused if said else ())
        ],
        "incomplete": said.incomplete if said else (),
        "waiting": said.waiting if said else (),
        "generation": said.generation if said else None,
        "advice": read.advice,
    }


def _releases(some: tuple[tuple[int, str], ...]) -> list[Json]:
    return [{"counter": counter, "revision": revision} for counter, revision in some]
