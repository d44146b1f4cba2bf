"""A signing side for tests: real keys, a real folder, deliveries to carry about.

``resign`` is the thief's tool: it changes signed metadata and signs it again with
real keys, so that a test meets the one flaw it is about and no other.
"""

import json
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from securesystemslib.formats import encode_canonical

from airlift.artifact import Kind, Release, ReleaseFile
from airlift.digest import Sha256, sha256
from airlift.format import dispatch, packing, release
from airlift.format.answer import Answer
from airlift.format.dispatch import HISTORY, Dispatch
from airlift.trust import keys
from airlift.trust.delivery import TrustState, VerifiedDelivery
from airlift.trust.keys import UnlockedKey
from airlift.trust.plan import RolePlan
from airlift.trust.publisher import Publisher
from airlift.trust.site import accept_root
from airlift.trust.verifier import verify

NOW = "2026-03-01T12:00:00Z"
SITE = "plant7"
CHEAP = keys.Cost(memory_kib=64, passes=1, lanes=1)
"""A cost that lets a test open hundreds of key files."""

Edit = Callable[[dict[str, Any]], None]


@cache
def key(name: str, scheme: str = "ed25519") -> UnlockedKey:
    """Return the key of *name*: the same one throughout a run."""
    return keys.generate(name, scheme=scheme)


def model(name: str = "org/model", *, counter: int = 1, text: str = "x") -> bytes:
    """Return the release document of a small model."""
    data = text.encode()
    file = ReleaseFile(path="config.json", size=len(data), sha256=sha256(data))
    return release.encode(
        Release(
            kind=Kind.MODEL,
            name=name,
            revision="0" * 40,
            counter=counter,
            files=(file,),
        )
    )


def packing_list() -> bytes:
    """Return a packing list of nothing."""
    return packing.encode(packing.PackingList(blobs=()))


class Authority:
    """A signing side in *folder* with its keys at hand.

    Args:
        folder: Where its repository goes.
        plan: Whose keys count; by default `alice` alone, for everything.
        signers: The keys at hand.
        sites: Names of its sites.
        now: When it is set up.

    Attributes:
        answer: To the request that the next deliveries are made for.
    """

    answer: Answer | None = None

    def __init__(
        self,
        folder: Path,
        *,
        plan: RolePlan | None = None,
        signers: Sequence[UnlockedKey] = (),
        sites: Iterable[str] = (SITE,),
        now: str = NOW,
    ) -> None:
        self.folder = folder
        self.signers = signers or (key("alice"),)
        plan = plan or RolePlan.single(self.signers[0].public)
        self.publisher = Publisher.create(
            folder, plan=plan, signers=self.signers, now=now
        )
        for site in sites:
            self.publisher.add_site(
                site, plan.dispatchers, plan.dispatch_threshold, self.signers, now
            )

    def copied(self, folder: Path) -> "Authority":
        """Return a copy in *folder*: faster than to set up another."""
        twin = Authority.__new__(Authority)
        shutil.copytree(self.folder, folder)
        twin.folder, twin.signers = folder, self.signers
        twin.publisher = Publisher.open(folder)
        return twin

    def record(
        self, releases: Sequence[bytes] = (), *, site: str = SITE, issued: str = NOW
    ) -> bytes:
        """Return the next dispatch record for *site*."""
        earlier = self.publisher.deliveries(site)
        listing = packing_list()
        return dispatch.encode(
            Dispatch(
                site=site,
                sequence=earlier[0].sequence + 1 if earlier else 1,
                earlier=earlier[:HISTORY],
                issued=issued,
                operator="alice",
                releases=tuple(sorted(sha256(one) for one in releases)),
                needs=(),
                packing_sha256=sha256(listing),
                packing_size=len(listing),
                answer=self.answer,
            )
        )

    def deliver(
        self,
        *releases: bytes,
        site: str = SITE,
        now: str = NOW,
        signers: Sequence[UnlockedKey] = (),
    ) -> dict[str, bytes]:
        """Make the next delivery to *site*; return the records that travel."""
        return dict(
            self.publisher.publish(
                site=site,
                releases=releases,
                dispatch=self.record(releases, site=site, issued=now),
                packing=packing_list(),
                signers=signers or self.signers,
                now=now,
            )
        )

    def state(self, site: str = SITE) -> TrustState:
        """Return what *site* believes when it has just been set up."""
        return accept_root(self.publisher.root_bytes(), site=site)


def land(
    offered: Mapping[str, bytes], state: TrustState, *, now: str = NOW
) -> VerifiedDelivery:
    """Import *offered*, as far as belief goes."""
    return verify(offered, state, now=now)


def role_of(name: str) -> str:
    """Return the role of the metadata file *name*; empty for other records."""
    if not name.startswith("metadata/"):
        return ""
    return name.removeprefix("metadata/").removesuffix(".json").rpartition(".")[2]


def resign(
    offered: Mapping[str, bytes],
    edits: Mapping[str, Edit],
    signers: Iterable[UnlockedKey],
    *,
    rebind: bool = True,
) -> dict[str, bytes]:
    """Change the signed part of metadata by *edits*, and sign it all again.

    Args:
        offered: Records of a delivery.
        edits: What to do to the signed part of each role.
        signers: Keys that sign every document, whether they may or not.
        rebind: Whether snapshot and timestamp name what was changed as it is now.
    """
    files = dict(offered)
    names = {role_of(name): name for name in files if role_of(name)}
    order = [role for role in names if role not in ("root", "snapshot", "timestamp")]
    digests: dict[str, tuple[int, str]] = {}
    for role in ["root", *order, "snapshot", "timestamp"]:
        signed = json.loads(files[names[role]])["signed"]
        if rebind and role in ("snapshot", "timestamp"):
            for entry, (version, digest) in digests.items():
                if entry in signed["meta"]:
                    signed["meta"][entry] = {
                        "version": version,
                        "x-airlift-signed": digest,
                    }
        if role in edits:
            edits[role](signed)
        payload = covered(signed)
        digests[f"{role}.json"] = (signed["version"], sha256(payload))
        if role in edits or role in ("snapshot", "timestamp"):
            del files[names[role]]
            files[_renamed(names[role], signed["version"])] = envelope(signed, signers)
    return dict(sorted(files.items()))


def covered(signed: dict[str, Any]) -> bytes:
    """Return the bytes that signatures of *signed* cover, by TUF's own library."""
    return str(encode_canonical(signed)).encode()


def envelope(signed: dict[str, Any], signers: Iterable[UnlockedKey]) -> bytes:
    """Return the metadata file that says *signed*, signed by *signers*."""
    payload = covered(signed)
    signatures = {one.public.key_id: one.sign(payload).hex() for one in signers}
    entries = [{"keyid": k, "sig": signatures[k]} for k in sorted(signatures)]
    return json.dumps(
        {"signatures": entries, "signed": signed},
        sort_keys=True,
        separators=(",", ":"),
        ensure_ascii=False,
    ).encode()


def prints(one: UnlockedKey) -> str:
    """Return a key's fingerprint as a signer is shown it: words and digits."""
    found = one.public.fingerprint
    return f"{found.words} ({found.groups})"


def signed_root(data: bytes) -> dict[str, Any]:
    """Return what the signatures of the root *data* cover."""
    signed: dict[str, Any] = json.loads(data)["signed"]
    return signed


def _renamed(name: str, version: int) -> str:
    folder, _, file = name.rpartition("/")
    number, dot, rest = file.partition(".")
    return f"{folder}/{version}{dot}{rest}" if number.isdigit() else name


def release_id(document: bytes) -> Sha256:
    """Return the id of a release document."""
    return release.identify(document)
