"""Requests of this site: signed, kept, and followed until a delivery answers them.

A request's number and digest stand in the log before its file does, so that no two
requests ever have one number, whatever is lost of the home.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from airlift.artifact import Json
from airlift.digest import Sha256, sha256
from airlift.errors import FormatError, RequestError
from airlift.format import canonical, request, state
from airlift.format.answer import Answer, AnswerLine, Outcome
from airlift.format.catalogue import Catalogue
from airlift.format.fields import Fields
from airlift.format.receipt import Refusal
from airlift.format.request import PREFIX, REFUSALS, Request
from airlift.format.request_text import entry_label, want_label
from airlift.inbound import request_draft
from airlift.inbound.request_draft import FOLDER, Draft
from airlift.registry.account import account
from airlift.registry.answers import Answered, answers
from airlift.registry.held import Event
from airlift.registry.registry import Registry
from airlift.store.durable import Disk, names, read_file, there
from airlift.store.store import Store
from airlift.trust import site_request
from airlift.trust.site_key import SIGNATURE_BYTES, SiteKey

ACTION = "request"
"""Of the event that a request was signed."""
FORMAT = "airlift/sent-request/1"
_LIMIT = 1 << 20


class Held(NamedTuple):
    """The newest catalogue that this site holds."""

    id: Sha256
    catalogue: Catalogue


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A request that was signed.

    Attributes:
        request: What it says.
        sealed: Its bytes, with the signature.
        time: When it was signed, by this site's clock.
        actor: By whom.
        labels: What each of its lines asks for, in words.
        answers: What deliveries said to it, oldest first.
    """

    request: Request
    sealed: bytes
    time: str
    actor: str
    labels: tuple[str, ...]
    answers: tuple[Answered, ...] = ()

    @property
    def id(self) -> Sha256:
        """SHA-256 of its sealed bytes, by which it is answered."""
        return sha256(self.sealed)

    def line(self, place: int) -> tuple[int, AnswerLine] | None:
        """Return the answer to line *place*, from 0, and its delivery's number.

        What was sent or held once is so, whatever a later delivery refuses; else the
        newest answer counts. None as long as there is none.
        """
        found = [
            (one.sequence, one.answer.lines[place])
            for one in self.answers
            if place < len(one.answer.lines)
        ]
        good = [one for one in found if one[1].outcome is not Outcome.REFUSED]
        return (good or found)[-1] if found else None

    @property
    def is_open(self) -> bool:
        """Whether no delivery has answered it."""
        return not self.answers


@dataclass(frozen=True, slots=True, kw_only=True)
class Requests:
    """The requests of one site.

    Attributes:
        home: Its folder.
        registry: Its registry.
        store: Its blobs.
        now: ``YYYY-MM-DDThh:mm:ssZ``.
        actor: Who asks.
    """

    home: Path
    registry: Registry
    store: Store
    now: str
    actor: str

    def sign(
        self,
        newest: Held | None,
        key: Callable[[], SiteKey],
        *,
        refused: Callable[[int], Sequence[Refusal]] = lambda _: (),
        padded: bool = False,
    ) -> Sent:
        """Sign the draft, keep it, and begin a new one.

        Args:
            newest: The newest catalogue; None where none has come.
            key: Gives the site's key.
            refused: What was refused after the event of a number, oldest first: asked
                for what was since the last request.
            padded: Hide how much is asked for.

        Raises:
            RequestError: The draft is empty, or has what the catalogue has no longer.
            RegistryError: The registry is busy or cannot answer.
            StoreError: The disk refuses.
            AirliftError: As *key*.
        """
        with self.registry.exclusive("request"):
            draft = request_draft.read(self.home)
            told = self._request(draft, newest, refused)
            sealed = site_request.seal(told, key(), padded=padded)
            sent = Sent(
                request=told,
                sealed=sealed,
                time=self.now,
                actor=self.actor,
                labels=_labels(told, newest and newest.catalogue),
            )
            detail: dict[str, Json] = {"number": told.number, "sha256": sent.id}
            self.registry.log(
                Event(time=self.now, actor=self.actor, action=ACTION, detail=detail)
            )
            self._keep(sent)
            request_draft.write(self.home, Draft())
        return sent

    def sent(self, number: int) -> Sent:
        """Return the request of *number*, with what deliveries said to it.

        Raises:
            RequestError: There is none.
            FormatError: Its file is damaged.
            StoreError: It cannot be read.
        """
        found = [one for one in self.all() if one.request.number == number]
        if not found:
            problem = f"there is no request {number} here"
            raise RequestError(problem, hint="`airlift request show` lists them")
        return found[0]

    def all(self) -> tuple[Sent, ...]:
        """Return every request, oldest first, with what deliveries said to it.

        Raises:
            FormatError: A file is damaged.
            RegistryError: The database cannot answer.
            StoreError: A file cannot be read.
        """
        folder = self.home / FOLDER
        listed = names(folder) if folder.is_dir() else []
        found = [folder / name for name in sorted(listed) if name[:1].isdigit()]
        given = answers(self.home) if found else {}
        return tuple(_read(path, given.get) for path in found)

    def _request(
        self,
        draft: Draft,
        newest: Held | None,
        refused: Callable[[int], Sequence[Refusal]],
    ) -> Request:
        if draft == Draft():
            problem = "nothing is asked for"
            raise RequestError(problem, hint="`airlift request add ITEM` first")
        items = request_draft.numbers(draft, newest and newest.catalogue)
        held = account(self.home, self.store).state
        last, event = self._last()
        told = sorted(
            {*refused(event)[-REFUSALS:]},
            key=lambda one: (one.sequence, one.reason.value),
        )
        return Request(
            site=held.site,
            number=1 + last,
            day=self.now[:10],
            accepted=held.sequence,
            root=bytes.fromhex(state.root(held))[:PREFIX],
            catalogue=bytes.fromhex(newest.id)[:PREFIX] if items and newest else b"",
            items=items,
            wants=draft.wants,
            refused=tuple(told),
            anchor=draft.anchor,
        )

    def _last(self) -> tuple[int, int]:
        """Return the number of the last request that was signed, and of its event."""
        events = self.registry.events(newest=1, action=ACTION)
        if not events:
            return 0, 0
        number = events[-1].detail["number"]
        assert isinstance(number, int), events
        return number, events[-1].number

    def _keep(self, sent: Sent) -> None:
        table: dict[str, Json] = {
            "format": FORMAT,
            "sealed": sent.sealed.hex(),
            "time": sent.time,
            "actor": sent.actor,
            "labels": sent.labels,
        }
        disk = Disk()
        disk.make_folder(self.home / FOLDER, mode=0o700)
        path = _path(self.home, sent.request.number)
        disk.write_file(path, canonical.encode(table))


def answered(home: Path, answer: Answer) -> tuple[str, ...]:
    """Return what each line of *answer* is about, in words.

    Args:
        home: This site's folder.
        answer: As a delivery brought it.

    Raises:
        FormatError: The file of the request is damaged.
        StoreError: It cannot be read.
    """
    path = _path(home, answer.number)
    if there(path) and (sent := _read(path, lambda _: None)).id == answer.id:
        return sent.labels
    return tuple(f"line {place}" for place in range(1, 1 + len(answer.lines)))


def _path(home: Path, number: int) -> Path:
    return home / FOLDER / f"{number:06d}.json"


def _labels(told: Request, catalogue: Catalogue | None) -> tuple[str, ...]:
    entries = tuple(
        entry_label(catalogue.entry(number)) for number in told.items if catalogue
    )
    return (*entries, *(want_label(one) for one in told.wants))


def _read(path: Path, given: Callable[[Sha256], tuple[Answered, ...] | None]) -> Sent:
    data = read_file(path, limit=_LIMIT)
    top = Fields(canonical.decode(data, name=path.name, limit=_LIMIT), record=path.name)
    top.exactly("format", "sealed", "time", "actor", "labels")
    top.expect("format", FORMAT)
    try:
        sealed = bytes.fromhex(top.text("sealed"))
    except ValueError:
        top.refuse("sealed", "is not hexadecimal")
    told = request.decode(sealed[:-SIGNATURE_BYTES], name=path.name)
    labels = top.texts("labels")
    if len(labels) != len(told.lines):
        problem = f"{path.name}: `labels` are not one for each line of the request"
        raise FormatError(problem, hint="restore the file from a backup")
    return Sent(
        request=told,
        sealed=sealed,
        time=top.text("time"),
        actor=top.text("actor"),
        labels=labels,
        answers=given(sha256(sealed)) or (),
    )
