"""Whose keys are to count for what, and for how long."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

from airlift import naming
from airlift.artifact import Json
from airlift.errors import RequestError
from airlift.format import canonical
from airlift.format.fields import Fields
from airlift.trust import metadata
from airlift.trust.people import FAMILIES, holders, is_paired, person
from airlift.trust.profile import PROFILES, shortfalls
from airlift.trust.public import PublicKey
from airlift.trust.quorum import Quorum, quorum

FORMAT = "airlift/authority/1"
_LIMIT = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Lives:
    """Days after which each document must have been replaced by a newer version.

    Short where a thief would gain from an old one and where replacing is cheap:
    snapshot and timestamp are signed anew with every delivery.
    """

    root: int = 3 * 365
    targets: int = 365
    site: int = 182
    snapshot: int = 90
    timestamp: int = 45

    def __post_init__(self) -> None:
        """Refuse a life that is over at once, or that no calendar can hold."""
        for each in fields(self):
            if not 1 <= (days := getattr(self, each.name)) <= 36_500:
                problem = f"the life of `{each.name}` is {days} days"
                raise RequestError(problem, hint="choose 1 to 36500 days")


@dataclass(frozen=True, slots=True, kw_only=True)
class RolePlan:
    """Whose keys count for what.

    Attributes:
        approvers: Keys of the people who decide what may be carried and whose keys
            count; they sign root and targets.
        approver_threshold: How many people of them must sign.
        dispatchers: Keys that sign each delivery: every site's role unless it is
            given its own, snapshot and timestamp.
        dispatch_threshold: How many people of them must sign.
        either: Whether approvals count keys, of either family, and not people who
            signed with both; only where each approver has a key of each.
        profile: The profile the root promises; empty for none.
        lives: How long documents are good for.
    """

    approvers: tuple[PublicKey, ...]
    dispatchers: tuple[PublicKey, ...]
    approver_threshold: int = 1
    dispatch_threshold: int = 1
    lives: Lives = Lives()
    either: bool = False
    profile: str = ""

    @classmethod
    def single(cls, key: PublicKey, *, lives: Lives | None = None) -> "RolePlan":
        """Return the plan of one person with one key for everything."""
        return cls(approvers=(key,), dispatchers=(key,), lives=lives or Lives())

    def roles(self) -> Mapping[str, Quorum]:
        """Return the quorums of the four top-level roles.

        Raises:
            RequestError: A threshold cannot be met, two keys of one family have the
                same holder, or they fall short of the profile.
        """
        approve = paired_quorum(self.approvers, self.approver_threshold, "approvers")
        if self.either:
            approve = replace(approve, people=0)
        send = paired_quorum(self.dispatchers, self.dispatch_threshold, "dispatchers")
        roles = {
            metadata.ROOT: approve,
            metadata.TARGETS: approve,
            metadata.SNAPSHOT: send,
            metadata.TIMESTAMP: send,
        }
        if self.profile:
            meet(self.profile, roles)
        return roles


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A site that deliveries can be made for, and whose keys sign them."""

    name: str
    keys: tuple[PublicKey, ...]
    threshold: int


def sound_quorum(keys: tuple[PublicKey, ...], threshold: int, who: str) -> Quorum:
    """Return the quorum of *threshold* of *keys*.

    Raises:
        RequestError: A key is named twice, two keys have the same holder, or the
            threshold is not between 1 and the number of keys.
    """
    made = quorum(keys, threshold)
    names = [person(key.name) for key in keys]
    twice = sorted({name for name in names if names.count(name) > 1})
    if len(made.keys) != len(keys) or twice:
        shown = naming.show(twice[0]) if twice else "one key"
        problem = f"among the {who}, `{shown}` is named twice"
        hint = "each person counts once, with one key"
        raise RequestError(problem, hint=hint)
    if not 1 <= threshold <= len(keys):
        problem = f"{threshold} of {len(keys)} {who} cannot sign"
        raise RequestError(problem, hint=f"choose a threshold of 1 to {len(keys)}")
    return made


def paired_quorum(keys: tuple[PublicKey, ...], threshold: int, who: str) -> Quorum:
    """Return the quorum of *threshold* people of *keys*, with every key of theirs.

    Where nobody has a key of each family, as ``sound_quorum``.

    Raises:
        RequestError: As ``sound_quorum``, or some have a key of each family and some
            have not.
    """
    people = holders(keys)
    if len(people) == len(keys):
        return sound_quorum(keys, threshold, who)
    if not is_paired(keys) or len({key.key_id for key in keys}) != len(keys):
        odd = next((held for held in people.values() if not is_paired(held)), keys)
        problem = f"among the {who}, `{naming.show(odd[0].name)}` has {len(odd)} key(s)"
        hint = "each person has one key, or everybody has one of each family"
        raise RequestError(problem, hint=hint)
    if not 1 <= threshold <= len(people):
        problem = f"{threshold} of {len(people)} {who} cannot sign"
        raise RequestError(problem, hint=f"choose a threshold of 1 to {len(people)}")
    return quorum(keys, threshold * FAMILIES, people=threshold)


def meet(name: str, roles: Mapping[str, Quorum]) -> None:
    """Return if *roles* meet the profile *name*.

    Raises:
        RequestError: They do not, or there is no such profile.
    """
    asked = PROFILES.get(name)
    if asked is None:
        problem = f"there is no profile `{naming.show(name)}`"
        raise RequestError(problem, hint=f"choose one of {', '.join(PROFILES)}")
    if short := shortfalls(asked, roles):
        problem = f"this falls short of the profile {asked.name}: " + "; ".join(short)
        raise RequestError(problem, hint='see docs/trust.md, "Profiles"')


def encode_lives(lives: Lives) -> bytes:
    """Return the bytes of a repository's settings file."""
    table: dict[str, Json] = {
        each.name: getattr(lives, each.name) for each in fields(lives)
    }
    return canonical.encode({"format": FORMAT, "lives_days": table})


def decode_lives(data: bytes, *, name: str) -> Lives:
    """Return the lives that a settings file states.

    Raises:
        FormatError: It is not such a file.
    """
    top = Fields(canonical.decode(data, name=name, limit=_LIMIT), record=name)
    top.only("format", "lives_days")
    top.expect("format", FORMAT)
    table = top.table("lives_days")
    names = [each.name for each in fields(Lives)]
    table.only(*names)
    return Lives(**{each: table.number(each, least=1) for each in names})
