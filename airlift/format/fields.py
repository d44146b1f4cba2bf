"""Typed access to decoded JSON that names the place at fault.

A ``Fields`` wraps one object of a record and knows where in the record it is, so
that an error reads "unexpected string (expected integer) in `files[3].size`".
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Final, NoReturn, TypeVar

from airlift import naming
from airlift.artifact import Json
from airlift.digest import Sha256, is_sha256
from airlift.errors import AirliftError, FormatError

T = TypeVar("T")
E = TypeVar("E")

_ABSENT: Final = object()
_NAMES: Final = {
    str: "string",
    int: "integer",
    bool: "boolean",
    dict: "object",
    list: "array",
    type(None): "null",
}


class Fields:
    """One object of a record; every getter raises with the full place.

    A place is put into words only for an error: a list of 100,000 files has a
    million values, and naming each took longer than reading them.

    Args:
        value: The decoded object; anything else is refused at once.
        record: What to call the record in an error (a file name).
        place: Path inside the record; empty at the top.
        error: The branch of errors to raise.
        index: Which element of the array at *place* it is; None where it is at
            *place* itself.
    """

    __slots__ = ("_error", "_index", "_place", "_record", "_table")

    def __init__(
        self,
        value: object,
        *,
        record: str,
        place: str = "",
        error: type[AirliftError] = FormatError,
        index: int | None = None,
    ) -> None:
        self._record, self._place, self._error = record, place, error
        self._index = index
        self._table: Mapping[str, Json] = (
            value
            if type(value) is dict
            else self._typed(value, dict, self._here() or "the top")
        )

    def refuse(self, key: str, problem: str, *, hint: str = "") -> NoReturn:
        """Raise the error that says *problem* about *key* here."""
        text = f"{self._record}: `{self._at(key)}` {problem}"
        raise self._error(text, hint=hint)

    def expect(self, key: str, value: str) -> None:
        """Refuse any text but *value* at *key*: a format name this version reads."""
        if (found := self.text(key)) != value:
            problem = f"is `{naming.show(found)}`, expected `{value}`"
            self.refuse(key, problem, hint="a newer airlift may be needed to read this")

    def only(self, *keys: str) -> None:
        """Refuse every key but *keys*: a misspelt key must not be ignored."""
        for key in self._table:
            if key not in keys:
                known = ", ".join(f"`{name}`" for name in keys)
                problem = f"is not known here; known are {known}"
                self.refuse(naming.show(str(key)), problem)

    def exactly(self, *keys: str) -> None:
        """Refuse every key but *keys*, and the lack of one: records have one form."""
        if self._table.keys() == set(keys):
            return
        self.only(*keys)
        for key in keys:
            self.raw(key)

    def has(self, key: str) -> bool:
        """Say whether *key* is there and not null."""
        return self._table.get(key) is not None

    def names(self) -> tuple[str, ...]:
        """Return the keys that are there."""
        return tuple(self._table)

    def raw(self, key: str) -> Json:
        """Return the value of *key* as decoded."""
        if key not in self._table:
            self.refuse(key, "is missing")
        return self._table[key]

    def text(self, key: str, default: str | None = None) -> str:
        """Return a string; *default* where the key is absent and one is given."""
        return self._get(key, str, default)

    def number(self, key: str, default: int | None = None, *, least: int = 0) -> int:
        """Return an integer of at least *least*."""
        value = self._get(key, int, default)
        if value < least:
            self.refuse(key, f"is {value}, expected at least {least}")
        return value

    def flag(self, key: str, *, default: bool | None = None) -> bool:
        """Return a boolean."""
        return self._get(key, bool, default)

    def sha256(self, key: str) -> Sha256:
        """Return a SHA-256 in lower-case hexadecimal."""
        value = self.text(key)
        if not is_sha256(value):
            self.refuse(key, "is not 64 lower-case hexadecimal digits")
        return Sha256(value)

    def sha256s(self, key: str) -> tuple[Sha256, ...]:
        """Return an array of SHA-256s, sorted, each once."""
        found = self.texts(key)
        if not all(is_sha256(text) for text in found) or list(found) != sorted(
            set(found)
        ):
            self.refuse(key, "is not a sorted array of SHA-256 digests, each once")
        return tuple(Sha256(text) for text in found)

    def table(self, key: str) -> "Fields":
        """Return the object at *key*."""
        return Fields(
            self.raw(key), record=self._record, place=self._at(key), error=self._error
        )

    def mapping(self, key: str) -> Mapping[str, Json]:
        """Return the object at *key* as decoded, whatever is in it."""
        return self._get(key, dict, None)

    def tables(self, key: str) -> Iterator["Fields"]:
        """Yield each object of the array at *key*; nothing where it is absent."""
        record, place, error = self._record, self._at(key), self._error
        for index, value in enumerate(self._list(key)):
            yield Fields(value, record=record, place=place, error=error, index=index)

    def each(
        self, key: str, quick: Callable[[Json], T | None], read: Callable[["Fields"], T]
    ) -> Iterator[T]:
        """Yield what each object of the array at *key* reads as.

        Args:
            key: Where the array is.
            quick: Reads an object of the usual shape; None for any other. It may only
                read what *read* would read the same.
            read: Reads any object, and names what is wrong with it.
        """
        record, place, error = self._record, self._at(key), self._error
        for index, value in enumerate(self._list(key)):
            found = quick(value)
            yield (
                found
                if found is not None
                else read(
                    Fields(value, record=record, place=place, error=error, index=index)
                )
            )

    def texts(self, key: str) -> tuple[str, ...]:
        """Return the array of strings at *key*; empty where it is absent."""
        return tuple(
            self._typed(value, str, f"{self._at(key)}[{index}]")
            for index, value in enumerate(self._list(key))
        )

    def choice(self, key: str, make: Callable[[str], E], default: E | None = None) -> E:
        """Return ``make(text)``, an enumeration's member.

        A ValueError of *make* becomes the error, with the place.
        """
        if default is not None and key not in self._table:
            return default
        value = self.text(key)
        try:
            return make(value)
        except ValueError:
            self.refuse(key, f"has the unknown value `{naming.show(value)}`")

    def _list(self, key: str) -> list[Json]:
        if key not in self._table:
            return []
        return self._get(key, list, None)

    def _get(self, key: str, kind: type[T], default: T | None) -> T:
        value = self._table.get(key, _ABSENT)
        # Not isinstance: bool is an int in Python and must not be one in a record.
        if type(value) is kind:
            return value
        if value is _ABSENT and default is not None:
            return default
        return self._typed(self.raw(key), kind, self._at(key))

    def _typed(self, value: object, kind: type[T], place: str) -> T:
        # bool is an int in Python and must not be one in a record.
        if isinstance(value, kind) and not (kind is int and isinstance(value, bool)):
            return value
        found = _NAMES.get(type(value), type(value).__name__)
        problem = f"{self._record}: `{place}` is {found}, expected {_NAMES[kind]}"
        raise self._error(problem)

    def _at(self, key: str) -> str:
        here = self._here()
        return f"{here}.{key}" if here else key

    def _here(self) -> str:
        return self._place if self._index is None else f"{self._place}[{self._index}]"
