"""The request: what an isolated site asks for (docs/format.md, "Request").

Signed by the site's key (``airlift.trust.site_request``). It leaves the site, so it is
made to be read whole by whoever releases it: fixed fields, no free text, no name of a
host or a person, one order and one spelling of everything, a day and no time of day.
Entries of the catalogue are named by their number in it, and names leave the site only
for what no catalogue has. It says what the site holds too, and so is a small receipt.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from typing import Final, NoReturn

from airlift import naming
from airlift.artifact import Kind
from airlift.errors import FormatError
from airlift.format import compact
from airlift.format.compact import Value
from airlift.format.receipt import Reason, Refusal

LABEL: Final = "AIRLIFT/REQUEST/1"
"""In front of its text forms."""
LIMIT: Final = 16 << 10
"""Most bytes that are signed."""
SIGNED: Final = 64
"""Bytes of the signature that follows what is signed."""
PADDED: Final = 256
"""Bytes of a request that hides how much it asks for, with its signature."""
PREFIX: Final = 8
"""Bytes of a digest that stand for all of it: of a catalogue, of a state root. Both
sides hold what they stand for; nobody gains from another that begins alike."""
ITEMS: Final = 1024
WANTS: Final = 64
REFUSALS: Final = 16
"""Most of each; of refusals the newest."""
ENTRY: Final = 65_535
"""Highest number of a catalogue's entry."""

_SITE, _NUMBER, _DAY, _ACCEPTED, _ROOT = 1, 2, 3, 4, 5
_CATALOGUE, _ITEMS, _WANTS, _REFUSED, _ANCHOR = 6, 7, 8, 9, 10
_FIRST_DAY: Final = date(1970, 1, 1)
_NAME_BYTES: Final = 200
_REVISION: Final = frozenset(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._+-"
)
_REVISION_LENGTH: Final = 64
_REASONS: Final = {Reason.FORMAT: 1, Reason.TRUST: 2, Reason.BASE: 3}
_KINDS: Final = {
    Kind.MODEL: 1,
    Kind.DATASET: 2,
    Kind.GGUF: 3,
    Kind.OLLAMA: 4,
    Kind.OCI: 5,
    Kind.WHEELS: 6,
}
"""What can be wanted by name. A folder lies on the connected host: nobody else knows it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Want:
    """Something that no catalogue has.

    Attributes:
        kind: Which source knows it.
        name: As a manifest would name it; of wheels, the package.
        revision: A branch, tag, commit or version; empty for what is newest.
    """

    kind: Kind
    name: str
    revision: str = ""

    @property
    def order(self) -> tuple[int, str, str]:
        """What wants are sorted by."""
        return _KINDS[self.kind], self.name, self.revision


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a site asks for.

    Attributes:
        site: Whose it is.
        number: 1, 2, 3...: of its requests.
        day: When it was made, ``YYYY-MM-DD``, by the site's clock.
        accepted: Sequence of the newest delivery it took; 0 before the first.
        root: The first 8 bytes of its state root (``format.state``).
        catalogue: The first 8 bytes of the id of the catalogue whose entries it
            means; empty where it means none.
        items: Numbers of these entries, rising.
        wants: What else, sorted.
        refused: Deliveries it refused and why, sorted; the newest 16.
        anchor: Whether it asks for a delivery that builds on nothing.
    """

    site: str
    number: int
    day: str
    accepted: int
    root: bytes
    catalogue: bytes = b""
    items: tuple[int, ...] = ()
    wants: tuple[Want, ...] = ()
    refused: tuple[Refusal, ...] = ()
    anchor: bool = False

    @property
    def lines(self) -> tuple[int | Want, ...]:
        """What is asked for, in the order in which it is answered."""
        return (*self.items, *self.wants)


def want_problem(want: Want) -> str:
    """Say why *want* cannot be asked for; empty when it can."""
    if want.kind not in _KINDS:
        return f"a {want.kind} cannot be asked for by name"
    # An Ollama name has a tag, with a colon that no path of a file may have.
    problem = naming.name_problem(want.name.replace(":", "/"))
    if problem or len(want.name.encode()) > _NAME_BYTES:
        return f"its name {problem or f'has more than {_NAME_BYTES} bytes'}"
    if len(want.revision) > _REVISION_LENGTH or not _REVISION.issuperset(want.revision):
        return f"its revision is not up to {_REVISION_LENGTH} of A-Z, a-z, 0-9 and ._+-"
    return ""


def encode(request: Request, *, padded: bool = False) -> bytes:
    """Return the bytes of *request*, which the site signs.

    Args:
        request: What to say.
        padded: Add zero bytes, so that with its signature it has 256 bytes; where it
            has more than that by itself, nothing is added.
    """
    fields: dict[int, Value] = {
        _SITE: request.site,
        _NUMBER: request.number,
        _DAY: (date.fromisoformat(request.day) - _FIRST_DAY).days,
        _ACCEPTED: request.accepted,
        _ROOT: request.root,
        _CATALOGUE: request.catalogue,
        _ITEMS: request.items,
        _WANTS: tuple(
            (_KINDS[one.kind], one.name, one.revision) for one in request.wants
        ),
        _REFUSED: tuple(
            (one.sequence, _REASONS[one.reason]) for one in request.refused
        ),
        _ANCHOR: int(request.anchor),
    }
    optional = (_CATALOGUE, _ITEMS, _WANTS, _REFUSED, _ANCHOR)
    told = {key: one for key, one in fields.items() if one or key not in optional}
    record = compact.encode(told)
    return record.ljust(PADDED - SIGNED, b"\0") if padded else record


def decode(data: bytes, *, name: str = "request") -> Request:
    """Return the request that *data* states.

    Call it on authenticated bytes only.

    Raises:
        FormatError: It is not a request this version understands, or has another
            order or spelling than the one there is.
    """
    value, rest = compact.split(data, name=name, limit=LIMIT)
    found = _Fields(value, name).request()
    for problem in _problems(found):
        _refuse(name, problem)
    # The last door: whatever would be dropped or put in order here hides something.
    if encode(found, padded=bool(rest)) != data:
        _refuse(name, "is not in the one order and spelling of a request")
    return found


class _Fields:
    """Typed access to the fields of a request."""

    def __init__(self, value: Value, name: str) -> None:
        if not isinstance(value, Mapping):
            _refuse(name, "is not a map")
        if strange := sorted(value.keys() - set(range(_SITE, _ANCHOR + 1))):
            _refuse(name, f"has the unknown field {strange[0]}")
        self._value, self._name = value, name

    def request(self) -> Request:
        """Return what the fields say, not yet checked against each other."""
        return Request(
            site=self._text(self._need(_SITE), _SITE),
            number=self._number(self._need(_NUMBER), _NUMBER),
            day=self._day(),
            accepted=self._number(self._need(_ACCEPTED), _ACCEPTED),
            root=self._bytes(self._need(_ROOT), _ROOT),
            catalogue=self._bytes(self._value.get(_CATALOGUE, b""), _CATALOGUE),
            items=tuple(self._number(one, _ITEMS) for one in self._array(_ITEMS)),
            wants=tuple(self._want(one) for one in self._array(_WANTS)),
            refused=tuple(self._refusal(one) for one in self._array(_REFUSED)),
            anchor=self._number(self._value.get(_ANCHOR, 0), _ANCHOR) == 1,
        )

    def _day(self) -> str:
        days = self._number(self._need(_DAY), _DAY)
        try:
            return (_FIRST_DAY + timedelta(days=days)).isoformat()
        except OverflowError:
            _refuse(self._name, f"is of day {days}, which no calendar has")

    def _want(self, value: Value) -> Want:
        kind, name, revision = self._row(value, 3, _WANTS)
        code = self._number(kind, _WANTS)
        known = {number: one for one, number in _KINDS.items()}
        if code not in known:
            _refuse(self._name, f"wants something of the unknown kind {code}")
        return Want(
            kind=known[code],
            name=self._text(name, _WANTS),
            revision=self._text(revision, _WANTS),
        )

    def _refusal(self, value: Value) -> Refusal:
        sequence, reason = self._row(value, 2, _REFUSED)
        code = self._number(reason, _REFUSED)
        known = {number: one for one, number in _REASONS.items()}
        if code not in known:
            _refuse(self._name, f"refused something for the unknown reason {code}")
        return Refusal(sequence=self._number(sequence, _REFUSED), reason=known[code])

    def _need(self, key: int) -> Value:
        if key not in self._value:
            _refuse(self._name, f"lacks the field {key}")
        return self._value[key]

    def _array(self, key: int) -> tuple[Value, ...]:
        value = self._value.get(key, ())
        return value if isinstance(value, tuple) else self._typed(key, "an array")

    def _row(self, value: Value, length: int, key: int) -> tuple[Value, ...]:
        good = isinstance(value, tuple) and len(value) == length
        return value if good else self._typed(key, f"arrays of {length}")  # type: ignore[return-value]

    def _number(self, value: Value, key: int) -> int:
        return value if isinstance(value, int) else self._typed(key, "a number")

    def _bytes(self, value: Value, key: int) -> bytes:
        return value if isinstance(value, bytes) else self._typed(key, "bytes")

    def _text(self, value: Value, key: int) -> str:
        return value if isinstance(value, str) else self._typed(key, "text")

    def _typed(self, key: int, expected: str) -> NoReturn:
        _refuse(self._name, f"has something in field {key} that is not {expected}")


def _problems(told: Request) -> list[str]:
    """Return what fields say that no request may say."""
    entries = all(one <= ENTRY for one in told.items) and len(told.items) <= ITEMS
    checks = (
        (naming.is_site(told.site), f"is of no site: `{naming.show(told.site[:40])}`"),
        (told.number >= 1, "has the number 0"),
        (len(told.root) == PREFIX, f"has a state root of {len(told.root)} bytes"),
        (
            len(told.catalogue) == (PREFIX if told.items else 0),
            "names a catalogue and no entry of it, or the other way round",
        ),
        (entries and _rising(told.items), "has entries that do not rise, or too many"),
        (
            len(told.wants) <= WANTS and _rising([one.order for one in told.wants]),
            "has wants that are not sorted, each once, or too many",
        ),
        (
            len(told.refused) <= REFUSALS
            and _rising([(one.sequence, one.reason.value) for one in told.refused]),
            "has refusals that are not sorted, each once, or too many",
        ),
    )
    wants = [problem for one in told.wants if (problem := want_problem(one))]
    return [problem for good, problem in checks if not good] + [
        f"has a want that cannot be: {problem}" for problem in wants
    ]


def _rising(
    values: "tuple[int, ...] | list[tuple[int, str, str]] | list[tuple[int, str]]",
) -> bool:
    return all(a < b for a, b in pairwise(values))  # type: ignore[operator]


def _refuse(name: str, problem: str) -> NoReturn:
    text = f"{name} {problem}"
    raise FormatError(text, hint="this is not a request airlift wrote")
