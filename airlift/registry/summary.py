"""The summary of a registry: all that no signature can tell, in one small record."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, insert, select

from airlift.artifact import Json
from airlift.digest import Sha256, sha256
from airlift.errors import RegistryError
from airlift.format.dispatch import Earlier
from airlift.format.fields import Fields
from airlift.registry import intake, rows, schema
from airlift.registry.held import Generation

FORMAT = "airlift/state/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    """A release is live from generation *since* to before *until*; None: it still is."""

    release: Sha256
    since: int
    until: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A pin or a denial: of what, why, since when, by whom."""

    digest: Sha256
    why: str
    since: str
    actor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What a registry holds besides what is signed.

    Attributes:
        site: Whose it is.
        anchor: SHA-256 of the root accepted at the first installation.
        floor: The largest verified time.
        newest: The newest delivery; None before the first.
        releases: The releases held, and the sequence of the delivery that brought
            each; collected ones are not among them.
        generations: Oldest first; their ``releases`` are empty here.
        members: Which release was live when.
        pins: What is never collected.
        denied: What is never served.
        least: The oldest delivery that the site takes.
    """

    site: str
    anchor: Sha256
    floor: str
    newest: Earlier | None
    releases: Mapping[Sha256, int]
    generations: tuple[Generation, ...]
    members: tuple[Membership, ...]
    pins: tuple[Mark, ...]
    denied: tuple[Mark, ...]
    least: int = 0

    @property
    def generation(self) -> int:
        """The number of the current generation; 0 before the first."""
        return self.generations[-1].number if self.generations else 0

    @property
    def sequence(self) -> int:
        """The sequence of the newest delivery; 0 before the first."""
        return self.newest.sequence if self.newest else 0


def of(connection: Connection) -> Summary:
    """Return the summary of a database."""
    state = rows.trust_state(connection)
    release, member = schema.release, schema.member
    pin, deny = schema.pin, schema.deny
    held = select(release.c.id, release.c.delivery).order_by(release.c.id)
    spans = (
        select(release.c.id, member.c.since, member.c.until)
        .join(release, release.c.number == member.c.release)
        .order_by(release.c.id, member.c.since)
    )
    pins = (
        select(release.c.id.label("digest"), pin.c.why, pin.c.since, pin.c.actor)
        .join(release, release.c.number == pin.c.release)
        .order_by(release.c.id)
    )
    denials = select(deny).order_by(deny.c.digest)
    line = select(schema.generation).order_by(schema.generation.c.number)
    return Summary(
        site=state.site,
        anchor=sha256(state.anchor),
        floor=state.floor,
        newest=state.deliveries[0] if state.deliveries else None,
        releases={row.id: row.delivery for row in connection.execute(held)},
        generations=tuple(
            Generation(**row, releases=())
            for row in connection.execute(line).mappings()
        ),
        members=tuple(
            Membership(release=row.id, since=row.since, until=row.until)
            for row in connection.execute(spans)
        ),
        pins=tuple(Mark(**row) for row in connection.execute(pins).mappings()),
        denied=tuple(Mark(**row) for row in connection.execute(denials).mappings()),
        least=state.least,
    )


def put(connection: Connection, told: Summary) -> None:
    """Record generations, members, pins and denials in a database without any.

    What concerns a release that the database does not hold is left out.
    """
    for one in told.generations:
        intake.add_generation(connection, one)
    numbers = rows.numbers(connection, told.releases)
    members = [
        {"release": numbers[one.release], "since": one.since, "until": one.until}
        for one in told.members
        if one.release in numbers
    ]
    pins = [
        {"release": numbers[one.digest], **_mark(one)}
        for one in told.pins
        if one.digest in numbers
    ]
    # What is signed for is in the database already, in the words of who signed.
    signed = set(connection.execute(select(schema.deny.c.digest)).scalars())
    denied = [
        {"digest": one.digest, **_mark(one)}
        for one in told.denied
        if one.digest not in signed
    ]
    for table, found in (
        (schema.member, members),
        (schema.pin, pins),
        (schema.deny, denied),
    ):
        if found:
            connection.execute(insert(table), found)


def _mark(told: Mark) -> dict[str, str]:
    return {"why": told.why, "since": told.since, "actor": told.actor}


def encode(told: Summary) -> Mapping[str, Json]:
    """Return the record of *told*."""
    newest: Json = None
    if told.newest:
        newest = {"sequence": told.newest.sequence, "sha256": told.newest.sha256}
    return {
        "format": FORMAT,
        "site": told.site,
        "anchor": told.anchor,
        "floor": told.floor,
        "newest": newest,
        "releases": {str(one): told.releases[one] for one in told.releases},
        "generations": [
            {
                "number": one.number,
                "created": one.created,
                "reason": one.reason,
                "actor": one.actor,
                "note": one.note,
                "members": one.members,
            }
            for one in told.generations
        ],
        "members": [
            {"release": one.release, "since": one.since, "until": one.until}
            for one in told.members
        ],
        "pins": [{"digest": one.digest, **_mark(one)} for one in told.pins],
        "denied": [{"digest": one.digest, **_mark(one)} for one in told.denied],
        "least": told.least,
    }


def decode(record: Json) -> Summary:
    """Return what *record* says.

    Raises:
        RegistryError: It is not a summary this version understands.
    """
    top = Fields(record, record="state.json", error=RegistryError)
    top.expect("format", FORMAT)
    newest = None
    if top.has("newest"):
        table = top.table("newest")
        newest = Earlier(
            sequence=table.number("sequence", least=1), sha256=table.sha256("sha256")
        )
    held = top.table("releases")
    table_of = top.raw("releases")
    assert isinstance(table_of, dict)
    return Summary(
        site=top.text("site"),
        anchor=top.sha256("anchor"),
        floor=top.text("floor"),
        newest=newest,
        releases={Sha256(one): held.number(one, least=1) for one in table_of},
        generations=tuple(_generation(one) for one in top.tables("generations")),
        members=tuple(_membership(one) for one in top.tables("members")),
        pins=tuple(_read_mark(one) for one in top.tables("pins")),
        denied=tuple(_read_mark(one) for one in top.tables("denied")),
        least=top.number("least", 0),
    )


def _generation(entry: Fields) -> Generation:
    return Generation(
        number=entry.number("number", least=1),
        created=entry.text("created"),
        reason=entry.text("reason"),
        actor=entry.text("actor"),
        note=entry.text("note"),
        members=entry.number("members"),
        releases=(),
    )


def _membership(entry: Fields) -> Membership:
    return Membership(
        release=entry.sha256("release"),
        since=entry.number("since", least=1),
        until=entry.number("until", least=1) if entry.has("until") else None,
    )


def _read_mark(entry: Fields) -> Mark:
    return Mark(
        digest=entry.sha256("digest"),
        why=entry.text("why"),
        since=entry.text("since"),
        actor=entry.text("actor"),
    )
