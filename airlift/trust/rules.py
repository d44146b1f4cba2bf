"""What a site's policy says of one release. Pure: the same answer on both sides."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from airlift import naming
from airlift.artifact import ContentClass, Kind, Release
from airlift.payload import licence
from airlift.trust import clock
from airlift.trust.policy import Policy


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    """What of a release a policy asks for.

    Attributes:
        kind: What sort of release it is.
        licence: As upstream states it.
        size: Bytes of all files.
        largest: Bytes of the largest file.
        classes: One path for each class of content it has.
        issued: When the delivery that brought it was signed.
        imported: When this site took it in.
    """

    kind: Kind
    licence: str
    size: int
    largest: int
    classes: Mapping[ContentClass, str]
    issued: str
    imported: str


def traits(release: Release, *, issued: str, imported: str) -> Traits:
    """Return the traits of *release*, whose files are all there."""
    classes: dict[ContentClass, str] = {}
    for file in sorted(release.files, key=lambda one: one.path):
        classes.setdefault(file.content_class, file.path)
    return Traits(
        kind=release.kind,
        licence=release.licence,
        size=release.size,
        largest=max((file.size for file in release.files), default=0),
        classes=classes,
        issued=issued,
        imported=imported,
    )


def objections(policy: Policy, found: Traits) -> tuple[str, ...]:
    """Return why a release does not go live by itself; empty when it does."""
    return (*_content(policy, found), *_measures(policy, found))


def _content(policy: Policy, found: Traits) -> Iterator[str]:
    if policy.kinds is not None and found.kind not in policy.kinds:
        yield f"kind `{found.kind}` is not allowed"
    for content_class, path in sorted(found.classes.items()):
        if policy.classes is not None and content_class not in policy.classes:
            yield f"content of class `{content_class}` is not allowed: {naming.show(path)}"
    if policy.licences is not None:
        stated = f"licence `{naming.show(found.licence)}`"
        if not found.licence.strip():
            yield "no licence is stated"
        elif not licence.is_allowed(found.licence, policy.licences):
            yield f"{stated} is not allowed"


def _measures(policy: Policy, found: Traits) -> Iterator[str]:
    for what, size, most in (
        ("it has", found.size, policy.release_bytes),
        ("a file has", found.largest, policy.file_bytes),
    ):
        if most is not None and size > most:
            yield f"{what} {size} bytes, the limit is {most}"
    if policy.age_days is not None:
        # Not whole days: a day and an hour is more than a day.
        latest = clock.after(found.issued, days=policy.age_days)
        if found.imported > latest:
            yield (
                f"its delivery was issued {found.issued}, more than"
                f" {policy.age_days} days before it was imported"
            )
