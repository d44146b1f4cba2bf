"""What is asked of the signing side for a delivery, and whether it can be signed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from airlift import naming
from airlift.artifact import Kind, Release
from airlift.digest import Sha256, sha256
from airlift.errors import RequestError
from airlift.format import release
from airlift.format.dispatch import HISTORY, Dispatch, Earlier
from airlift.trust import metadata, records
from airlift.trust.delivery import TrustState
from airlift.trust.metadata import Target, Targets
from airlift.trust.verifier import verify

Latest = Callable[[Kind, str], tuple[Sha256, Release] | None]
"""Tells the release of a kind and name with the highest counter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A delivery to be signed.

    Attributes:
        site: Whom it is for.
        record: The dispatch record.
        dispatch: Its bytes.
        packing: The packing list's bytes.
        releases: Release documents given with it, by id.
    """

    site: str
    record: Dispatch
    dispatch: bytes
    packing: bytes
    releases: Mapping[Sha256, bytes]

    @property
    def target(self) -> Target:
        """How the site's role names the dispatch record."""
        return Target(sha256=sha256(self.dispatch), length=len(self.dispatch))

    def check(
        self, deliveries: tuple[Earlier, ...], targets: Targets, now: str
    ) -> None:
        """Check that it is the next delivery to its site and complete.

        Args:
            deliveries: The deliveries to the site so far, newest first.
            targets: What the approvers vouch for so far.
            now: The clock.

        Raises:
            RequestError: It is not; the message says what does not fit.
        """
        record = self.record
        last = deliveries[0].sequence if deliveries else 0
        packing = (sha256(self.packing), len(self.packing))
        strays = sorted(self.releases.keys() - set(record.releases))
        unknown = [
            release_id
            for release_id in record.releases
            if release_id not in self.releases
            and metadata.release_target(release_id) not in targets.targets
        ]
        checks = (
            (record.site != self.site, f"is for site `{naming.show(record.site)}`"),
            (
                record.sequence != last + 1,
                f"has sequence {record.sequence}, expected {last + 1}",
            ),
            (
                record.earlier != deliveries[:HISTORY],
                "does not name the deliveries before it",
            ),
            (record.issued > now, f"was issued at {record.issued}, and it is {now}"),
            (
                packing != (record.packing_sha256, record.packing_size),
                "names another packing list",
            ),
            (bool(strays), f"does not name releases {strays} given with it"),
            (bool(unknown), f"names releases {unknown}, which nobody approved"),
        )
        if problem := next((text for wrong, text in checks if wrong), ""):
            text = f"the dispatch record for site `{self.site}` {problem}"
            raise RequestError(text, hint="make it from what was delivered last")

    def approved(self, targets: Targets, latest: Latest) -> dict[str, Target]:
        """Return the targets once the new releases are among them.

        Raises:
            RequestError: The counter of a new release does not rise.
            FormatError: A release document is not one.
        """
        merged = dict(targets.targets)
        highest: dict[tuple[Kind, str], int] = {}
        new = [
            (release.decode(document), release_id, document)
            for release_id, document in self.releases.items()
            if metadata.release_target(release_id) not in merged
        ]
        for one, release_id, document in sorted(new, key=lambda each: each[0].counter):
            key = (one.kind, one.name)
            if key not in highest:
                held = latest(*key)
                highest[key] = held[1].counter if held else 0
            if one.counter <= highest[key]:
                problem = (
                    f"{one.kind} `{naming.show(one.name)}` has release {highest[key]}"
                    f" already, so the next cannot be {one.counter}"
                )
                raise RequestError(problem, hint="number it one higher")
            highest[key] = one.counter
            target = Target(sha256=release_id, length=len(document))
            merged[metadata.release_target(release_id)] = target
        return merged


def prove(travelling: Mapping[str, bytes], site: str, now: str) -> None:
    """Return if a site with a sound clock believes the records *travelling*.

    Raises:
        FormatError, TrustError: As ``verifier.verify``.
        StoreError: The folder for temporary files cannot be written.
    """
    anchor = travelling[records.metadata_name(metadata.ROOT, 1)]
    verify(travelling, TrustState(site=site, anchor=anchor), now=now)
