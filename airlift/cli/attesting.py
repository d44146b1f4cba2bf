"""The options that say what is attested of releases that leave, and by whom."""

import contextlib
import functools
import importlib.metadata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import click

from airlift import __version__, naming
from airlift.cli import config, keyring, model_signer, output, people
from airlift.cli.keyring import Passphrases
from airlift.digest import Sha256
from airlift.errors import RequestError
from airlift.format import scan
from airlift.format.predicates import Making
from airlift.outbound import approvals, scanning
from airlift.outbound.attesting import Attester
from airlift.outbound.scanning import Scanned
from airlift.store.blobs import BlobStore
from airlift.store.durable import read_file
from airlift.trust import approval, attesting, strict
from airlift.trust.approval import Approval
from airlift.trust.keys import UnlockedKey
from airlift.trust.publisher import Publisher
from airlift.trust.repository import Repository


@dataclass(frozen=True, slots=True, kw_only=True)
class Wished:
    """What the command line asks for.

    Attributes:
        statements: Whether where releases come from, their licences and approvals
            are to be stated.
        model_key: The name of the key that signs models; empty where none does.
        trusted: Files of keys, authorities and identities whose model signatures are
            believed.
        scans: Records of scans of deliveries made before, to be stated.
        operator: Who exports, as it is signed.
    """

    statements: bool
    model_key: str
    trusted: tuple[Path, ...]
    scans: tuple[Path, ...]
    operator: str

    @property
    def anything(self) -> bool:
        """Whether anything at all is asked for."""
        return bool(self.statements or self.model_key or self.trusted)


def options(function: config.F) -> config.F:
    """Add the options to a command, which gets them as ``wished``."""
    several: tuple[Callable[[config.F], config.F], ...] = (
        click.option(
            "--attest",
            is_flag=True,
            envvar="AIRLIFT_ATTEST",
            help="State, signed, where each release comes from, its licence and who"
            " approved the lock  [env: AIRLIFT_ATTEST].",
        ),
        click.option(
            "--oms",
            "model_key",
            default="",
            metavar="KEY",
            envvar="AIRLIFT_OMS",
            help="Sign each model for other verifiers too (OpenSSF Model Signing), with"
            " this key  [env: AIRLIFT_OMS].",
        ),
        click.option(
            "--model-signer",
            "trusted",
            multiple=True,
            type=click.Path(path_type=Path, dir_okay=False),
            help="Key or certificate authority (PEM), or identity known to Sigstore"
            " (TOML), whose signatures in models of others are checked and named.",
        ),
        click.option(
            "--scan",
            "scans",
            multiple=True,
            type=click.Path(path_type=Path, dir_okay=False),
            help="With --attest: state the scan of an earlier delivery that this record"
            " of `airlift scan attach` is of.",
        ),
    )

    @functools.wraps(function)
    def command(
        *,
        attest: bool,
        model_key: str,
        trusted: tuple[Path, ...],
        scans: tuple[Path, ...],
        operator: str,
        **others: Any,
    ) -> object:
        wished = Wished(
            statements=attest,
            model_key=model_key,
            trusted=trusted,
            scans=scans,
            operator=operator,
        )
        return function(wished=wished, operator=operator, **others)

    made = cast("config.F", command)
    for option in reversed(several):
        made = option(made)
    return made


def attester(
    home: Path,
    wished: Wished,
    signers: Sequence[UnlockedKey],
    phrases: Passphrases,
    lock: tuple[Path | None, str],
) -> Attester | None:
    """Return who says what is asked for; None where nothing is.

    Args:
        home: Folder of the connected side.
        wished: What is asked for.
        signers: The keys that sign the delivery.
        phrases: How passphrases are given.
        lock: What is exported, a lock or a manifest, and the site it is for.

    Raises:
        RequestError: A key or a file is not there, or is not one.
        TrustError: A passphrase is wrong.
    """
    if wished.scans and not wished.statements:
        problem = "--scan says which scans are stated, and nothing is without --attest"
        raise RequestError(problem, hint="add --attest")
    if not wished.anything:
        return None
    store = BlobStore(home / "store")

    def read(blob: Sha256) -> bytes:
        return b"".join(store.read(blob))

    publisher = Publisher.open(home / "trust")
    return Attester(
        repository=Repository(home / "trust"),
        folder=home / "attested",
        making=Making(operator=wished.operator, at=config.now(), versions=_versions()),
        read=read,
        tell=output.note,
        signers=_with_a_say(publisher, signers) if wished.statements else (),
        model_key=_model_key(home, wished.model_key, signers, phrases),
        trusted=tuple(model_signer.read(path) for path in wished.trusted),
        approvals=_approvals(publisher, *lock) if wished.statements else (),
        scans=tuple(_scan(publisher, path) for path in wished.scans),
    )


def _versions() -> dict[str, str]:
    found = {"airlift": __version__}
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        found["uv"] = importlib.metadata.version("uv")
    return found


def _with_a_say(
    publisher: Publisher, signers: Sequence[UnlockedKey]
) -> tuple[UnlockedKey, ...]:
    """Return those of *signers* that approve or dispatch, and so are known."""
    root = strict.root(publisher.root_bytes(), name="root").body
    known = {key.key_id for one in root.roles.values() for key in one.keys}
    known |= {key.key_id for one in publisher.sites() for key in one.keys}
    found = tuple(one for one in signers if one.public.key_id in known)
    if not found:
        problem = "none of the keys at hand has a say, so nobody can attest anything"
        raise RequestError(problem, hint="name a key of an approver with --key")
    return found


def _model_key(
    home: Path, name: str, signers: Sequence[UnlockedKey], phrases: Passphrases
) -> UnlockedKey | None:
    if not name:
        return None
    at_hand = [one for one in signers if one.public.name == name]
    # One passphrase opens all that is given: nobody is asked for one twice.
    found = at_hand or keyring.unlock(home, [name], phrases)
    good = [one for one in found if one.public.scheme == attesting.MODEL_SCHEME]
    chosen = (good or found)[0]
    attesting.check_model_key(chosen.public)
    return chosen


def _scan(publisher: Publisher, path: Path) -> Scanned:
    data = read_file(path, limit=scan.LIMIT, error=RequestError)
    return scanning.find(publisher, scan.decode(data, name=naming.show(path.name)))


def _approvals(
    publisher: Publisher, path: Path | None, site: str
) -> tuple[Approval, ...]:
    """Return the approvals of a lock that count; none of anything else."""
    if path is None or not (given := approvals.beside(path)):
        return ()
    subject = approvals.subject(path, site)
    return approval.counted(given, subject, people.who(publisher, site))
