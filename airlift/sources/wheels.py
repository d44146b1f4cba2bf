"""Closed sets of wheels for stated Pythons and platforms.

uv resolves once for each Python and platform; the files it chose are carried under
their own names, with their digests as the index states them, and with the METADATA
of each wheel beside it, so that clients on the other side resolve from metadata
alone. What the index says of each file (yanked, requires-python, upload time) comes
along for the pages served there.
"""

import hashlib
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final
from urllib.parse import parse_qs, quote, unquote, urldefrag, urlsplit

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from airlift import naming
from airlift.artifact import Json, Pinned, PinnedFile, Wish
from airlift.digest import Sha256, sha256
from airlift.errors import FormatError, RequestError, SourceError
from airlift.fetch import Settings, own_wheel, resolver, simple_index
from airlift.fetch.resolver import Locked, Question, Target
from airlift.fetch.simple_index import Listed, Project, SimpleIndexes
from airlift.format import canonical
from airlift.payload import wheel
from airlift.payload.zip_directory import Read
from airlift.sources.source import Source

DEFAULT_INDEX: Final = "wheels"
EXTRA_INDEXES: Final = "wheels-extra"
"""Keys of ``Settings.endpoints``: the index; more of them, separated by spaces, which
are asked before it. A project is taken from the first that has it."""

_PAGES_AT_ONCE: Final = 8
_REQUIREMENTS_LIMIT: Final = 1 << 20
_CHUNK: Final = 1 << 20


class Wheels(Source):
    """The source of wheel sets.

    Args:
        settings: How to reach the network; ``endpoints`` may name the indexes.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        extra = settings.endpoints.get(EXTRA_INDEXES, "").split()
        default = settings.endpoints.get(DEFAULT_INDEX, "")
        self._configured = (*extra, default or simple_index.DEFAULT)
        self._opened: dict[tuple[str, ...], SimpleIndexes] = {}
        self._lock = threading.Lock()

    def resolve(self, wish: Wish) -> Pinned:
        """Resolve *wish* for each of its Pythons and platforms and join the files.

        Raises:
            RequestError: The requirements are malformed or cannot be met together.
            SourceError: A project or its digest is not on the index, or the index
                contradicts itself.
        """
        requirements, digests = _requirements(wish)
        own, needed = (
            own_wheel.pinned() if wish.options.get("own") is True else ((), ())
        )
        indexes = self._indexes(wish)
        question = Question(
            name=wish.name,
            requirements=(*requirements, *needed),
            indexes=indexes,
            sdist=wish.options.get("sdist") is True,
        )
        targets = [
            Target(python=python, platform=platform)
            for python in _texts(wish, "python")
            for platform in _texts(wish, "platform")
        ]
        locked = resolver.resolve(question, targets, self._settings)
        _check_digests(wish, locked, digests)
        files = (*self._pin(locked, indexes), *own)
        listed: list[Json] = [[one.filename, one.sha256] for one in locked]
        listed += [[one.path, one.sha256] for one in own[:1]]
        return Pinned(
            kind=wish.kind,
            name=wish.name,
            revision=sha256(canonical.encode(listed)),
            files=tuple(sorted(files, key=lambda file: file.path)),
            upstream={
                "endpoint": simple_index.bare(indexes[-1]),
                "requested": requirements,
                "targets": [str(target) for target in targets],
            },
        )

    def project(self, name: str, index: str = "") -> Project:
        """Return what is known of the project *name*.

        Args:
            name: In PyPA's normal form.
            index: The only index to ask; empty, or one of the usual ones, for those.

        Raises:
            SourceError: An index does not answer.
        """
        usual = {simple_index.bare(one) for one in self._configured}
        alone = index and simple_index.bare(index) not in usual
        return self._open((index,) if alone else self._configured).project(name)

    @contextmanager
    def read(
        self, file: PinnedFile, *, start: int = 0, stop: int | None = None
    ) -> Iterator[Iterator[bytes]]:
        """Open *file* from byte *start* to *stop*.

        Raises:
            SourceError: As ``Source.read`` promises; or METADATA was to be taken
                out of a wheel that is not the one pinned.
        """
        if own_wheel.is_own(file):
            yield iter((own_wheel.read(file)[start:stop],))
            return
        url, _, notes = file.location.partition("#")
        said = {key: values[-1] for key, values in parse_qs(notes).items()}
        indexes = self._open(tuple(said.get("index", "").split()) or self._configured)
        if digest := said.get("wheel"):
            metadata = _metadata(indexes, url, digest)[start:stop]
            yield iter((metadata,) if metadata else ())
            return
        with indexes.read(url, start, stop) as chunks:
            yield chunks

    def _indexes(self, wish: Wish) -> tuple[str, ...]:
        own = wish.options.get("index")
        if not isinstance(own, str) or not own:
            return self._configured
        if "@" in urlsplit(own).netloc:
            problem = f"`{naming.show(wish.name)}`: `index` holds a login"
            hint = "a manifest is no place for passwords: configure the index instead"
            raise RequestError(problem, hint=hint)
        # Alone: another index could answer for a name that this one is trusted for.
        return (own,)

    def _open(self, indexes: tuple[str, ...]) -> SimpleIndexes:
        with self._lock:
            if indexes not in self._opened:
                # With their logins, which no lock has.
                known = {simple_index.bare(one): one for one in self._configured}
                full = [known.get(simple_index.bare(one), one) for one in indexes]
                self._opened[indexes] = SimpleIndexes(self._settings, full)
            return self._opened[indexes]

    def _pin(
        self, locked: Sequence[Locked], indexes: tuple[str, ...]
    ) -> tuple[PinnedFile, ...]:
        place = tuple(simple_index.bare(index) for index in indexes)
        opened = self._open(place)
        projects = sorted({one.project for one in locked})
        with ThreadPoolExecutor(_PAGES_AT_ONCE) as pool:
            pages = dict(zip(projects, pool.map(opened.files, projects), strict=True))
        return tuple(
            file
            for one in locked
            for file in _pinned(one, _listing(one, pages[one.project]), place)
        )


def _listing(one: Locked, page: Mapping[str, tuple[Listed, ...]]) -> Listed:
    found = page.get(one.filename, ())
    for listed in found:
        if listed.sha256 == one.sha256:
            return listed
    shown = naming.show(one.filename)
    if found and found[0].sha256 is None:
        # uv takes the digest of what it happens to download then.
        problem = f"the index states no sha256 of `{shown}`"
        raise SourceError(problem, hint="use an index that states digests")
    problem = f"no index page lists `{shown}` with sha256 {one.sha256}"
    hint = "the index changed meanwhile; run the command again"
    raise SourceError(problem, hint=hint)


def _pinned(
    one: Locked, listed: Listed, indexes: tuple[str, ...]
) -> Iterator[PinnedFile]:
    url, note = urldefrag(one.url).url, f"#index={quote(' '.join(indexes))}"
    facts = dict(listed.facts)
    digest = listed.metadata_sha256 if one.wheel else None
    if digest is not None:
        facts["metadata-sha256"] = digest
    yield PinnedFile(
        path=one.filename,
        size=listed.size if one.size is None else one.size,
        sha256=one.sha256,
        location=simple_index.bare(url) + note,
        facts=facts,
    )
    if one.wheel:
        # An index that states no digest of the metadata is not asked for it: it is
        # taken out of the wheel, whose digest is known.
        location = f"{simple_index.bare(url)}{note}&wheel={one.sha256}"
        if digest is not None:
            location = f"{simple_index.bare(url)}.metadata{note}"
        path = f"{one.filename}.metadata"
        yield PinnedFile(path=path, size=None, sha256=digest, location=location)


def _metadata(indexes: SimpleIndexes, url: str, digest: str) -> bytes:
    """Return the METADATA of the wheel at *url*, after checking the wheel's digest."""
    filename = unquote(url.rpartition("/")[2])
    hasher, size = hashlib.sha256(), 0
    with tempfile.TemporaryFile() as scratch:
        with indexes.read(url) as chunks:
            for chunk in chunks:
                hasher.update(chunk)
                size += scratch.write(chunk)
        if hasher.hexdigest() != digest:
            problem = (
                f"`{naming.show(filename)}` arrived as sha256 {hasher.hexdigest()}, "
                f"upstream states {digest}"
            )
            raise SourceError(
                problem, hint="lock again, or ask those who run the index"
            )
        try:
            return wheel.read_metadata(_reader(scratch), size, filename=filename)
        except FormatError as error:
            raise SourceError(error.problem, hint=error.hint) from error


def _reader(file: IO[bytes]) -> Read:
    def read(offset: int, length: int) -> bytes:
        file.seek(offset)
        return file.read(length)

    return read


def _requirements(wish: Wish) -> tuple[tuple[str, ...], Mapping[str, set[Sha256]]]:
    """Return the requirement lines of *wish*, and what digests its file allows."""
    lines = list(_texts(wish, "requirements"))
    digests: dict[str, set[Sha256]] = {}
    file = wish.options.get("requirements-file")
    if isinstance(file, str) and file:
        for number, line in _lines(Path(file)):
            requirement, hashes = _split(f"{naming.show(file)}, line {number}", line)
            lines.append(str(requirement))
            if hashes:
                name = canonicalize_name(requirement.name)
                digests.setdefault(name, set()).update(hashes)
    return tuple(lines), digests


def _lines(file: Path) -> Iterator[tuple[int, str]]:
    try:
        with file.open("rb") as stream:
            text = stream.read(_REQUIREMENTS_LIMIT).decode()
    except (OSError, UnicodeDecodeError) as error:
        problem = f"cannot read `{naming.show(str(file))}`"
        hint = "`requirements-file` is taken from the manifest's folder"
        raise RequestError(problem, hint=hint) from error
    held = ""
    for number, line in enumerate(text.splitlines(), start=1):
        held += "" if line.lstrip().startswith("#") else line.partition(" #")[0]
        if held.endswith("\\"):
            held = held[:-1]
            continue
        if held.strip():
            yield number, held.strip()
        held = ""


def _split(place: str, line: str) -> tuple[Requirement, set[Sha256]]:
    words = line.split(" --hash=")
    try:
        requirement = Requirement(words[0].strip())
    except InvalidRequirement as error:
        # Also options: `--index-url` would let another index answer, `-r` and `-e`
        # read files nobody reviewed.
        problem = f"{place}: not a requirement: `{naming.show(line)}`"
        hint = "only names with versions are taken; name the index as `index`"
        raise RequestError(problem, hint=hint) from error
    if requirement.url is not None:
        problem = f"{place}: names a URL instead of an index: `{naming.show(line)}`"
        raise RequestError(problem, hint="name the version instead")
    hashes = {word.strip().removeprefix("sha256:") for word in words[1:]}
    return requirement, {Sha256(digest) for digest in hashes}


def _check_digests(
    wish: Wish, locked: Sequence[Locked], digests: Mapping[str, set[Sha256]]
) -> None:
    for one in locked:
        allowed = digests.get(one.project)
        if allowed and one.sha256 not in allowed:
            problem = (
                f"`{naming.show(wish.name)}`: `{naming.show(one.filename)}` is "
                f"sha256 {one.sha256}, which the requirements file does not allow"
            )
            raise RequestError(problem, hint="make the requirements file again")


def _texts(wish: Wish, key: str) -> tuple[str, ...]:
    value = wish.options.get(key, ())
    found = value if isinstance(value, list | tuple) else ()
    return tuple(text for text in found if isinstance(text, str))
