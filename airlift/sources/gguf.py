"""Chosen GGUF files of a Hugging Face repository: shards, and the projector.

A repository of GGUF files holds one model many times, in as many quantisations; one
of them is wanted, named by file, by quantisation, or by the memory it must fit in.

Names are read as llama.cpp reads them: the quantisation is the last part of the name
before the shard number, ``mmproj`` begins or is in the name of a projector.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import PurePosixPath
from typing import Final

from airlift import naming
from airlift.artifact import Json, Pinned, PinnedFile, Wish
from airlift.errors import FormatError, RequestError, SourceError
from airlift.fetch import Settings, newest
from airlift.fetch.hub import Hub, Snapshot
from airlift.format import ranges
from airlift.payload import gguf, gguf_memory
from airlift.sources.source import Source

CONTEXT: Final = 8192
"""Tokens of context that memory is reckoned for where the wish names none."""

_SHARD = re.compile(r"-(\d{5})-of-(\d{5})$", re.ASCII)
_QUANT = re.compile(
    r"(?:^|[-._])((?:UD-)?(?:I?Q\d(?:_[A-Z0-9]+)*|TQ\d_\d|BF16|F16|FP16|F32|FP32"
    r"|(?:MX|NV)FP4(?:_[A-Z0-9]+)*))$",
    re.ASCII | re.IGNORECASE,
)
_ASIDE = re.compile(r"(^|[-._])(mmproj|imatrix)([-._]|$)", re.ASCII | re.IGNORECASE)
_PROJECTORS = ("f16", "bf16", "f32")
"""Precisions of a projector, the best first: f16 is what every backend computes in."""

_FIRST_LOOK = 1 << 20  # bytes; holds all but the vocabulary of most headers


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One quantisation of one model: all its shards.

    Attributes:
        base: Name without folder, quantisation and shard number.
        quant: Upper case; empty where the name has none.
        files: In the order of the shards.
        shards: How many the names say there are.
    """

    base: str
    quant: str
    files: tuple[PinnedFile, ...]
    shards: int

    @property
    def size(self) -> int:
        """Bytes of all shards."""
        return sum(file.size or 0 for file in self.files)

    @property
    def first(self) -> PinnedFile:
        """The shard that holds the metadata."""
        return self.files[0]


class Gguf(Source):
    """The source of GGUF files.

    Args:
        settings: How to reach the network; ``endpoints["huggingface"]`` and
            ``token`` where they are not the usual ones.
    """

    def __init__(self, settings: Settings) -> None:
        self._hub = Hub(settings)

    def resolve(self, wish: Wish) -> Pinned:
        """Pin *wish* to a commit and choose one model's files.

        Raises:
            RequestError: No file, quantisation or projector is as asked, or none
                fits in the memory.
            SourceError: The repository cannot be had, or lacks a shard.
        """
        if wanted := ranges.text(wish.options, ranges.RANGE):
            tags = self._hub.tags(wish.kind, wish.name)
            pin = partial(self._pin, wish)
            return newest.first_fit(tags, wanted, wish.name, pin)
        return self._pin(wish, ranges.text(wish.options, "revision") or "main")

    def _pin(self, wish: Wish, revision: str) -> Pinned:
        snapshot = self._hub.snapshot(wish.kind, wish.name, revision)
        ranges.check_licence(wish.options, snapshot.licence, wish.name)
        projector = _projector(wish, snapshot.files)
        candidates = candidates_of(snapshot.files)
        if not candidates:
            problem = f"`{naming.show(wish.name)}` holds no GGUF model"
            raise RequestError(problem, hint="ask for it as a `[[model]]` instead")
        chosen, estimate = self._choose(wish, candidates, projector)
        _check_shards(chosen)
        files = [*chosen.files, *([projector] if projector else [])]
        return Pinned(
            kind=wish.kind,
            name=wish.name,
            revision=snapshot.commit,
            files=tuple(sorted(files, key=lambda file: file.path)),
            refs=snapshot.refs,
            upstream=_upstream(snapshot, chosen, projector, estimate),
            licence=snapshot.licence,
            base_models=snapshot.base_models,
        )

    @contextmanager
    def read(
        self, file: PinnedFile, *, start: int = 0, stop: int | None = None
    ) -> Iterator[Iterator[bytes]]:
        """Open *file* from byte *start* to *stop*.

        Raises:
            SourceError: As ``Source.read`` promises.
        """
        with self._hub.read(file, start=start, stop=stop) as chunks:
            yield chunks

    def _choose(
        self,
        wish: Wish,
        candidates: tuple[Candidate, ...],
        projector: PinnedFile | None,
    ) -> tuple[Candidate, Mapping[str, Json]]:
        options = wish.options
        if isinstance(path := options.get("file"), str):
            return _by_file(wish.name, candidates, path), {}
        if isinstance(quant := options.get("quant"), str):
            return _by_quant(wish.name, candidates, quant), {}
        beside = (projector.size or 0) if projector else 0
        if (most := ranges.room(options)) is not None:
            return _by_size(wish, candidates, most - beside), {}
        memory, context = options.get("memory"), options.get("context", CONTEXT)
        if not isinstance(memory, str) or not isinstance(context, int):
            problem = f"`{naming.show(wish.name)}`: no file, quant or memory is named"
            raise RequestError(problem, hint='add `quant = "Q4_K_M"`')
        room = ranges.size_bytes(memory)
        _refuse_mixture(wish.name, candidates)
        smallest = 0
        for candidate in candidates:
            # Weights alone may not fit: then its header need not be read.
            if candidate.size <= room or candidate is candidates[-1]:
                estimate = self._estimate(candidate, context, beside)
                if estimate.bytes <= room:
                    return candidate, estimate.facts()
                smallest = estimate.bytes
        problem = (
            f"no quantisation of `{naming.show(wish.name)}` fits in {memory} with"
            f" {context} tokens of context; the smallest needs about {smallest} bytes"
        )
        raise RequestError(problem, hint="allow more `memory` or a smaller `context`")

    def _estimate(
        self, candidate: Candidate, context: int, projector: int
    ) -> gguf_memory.Estimate:
        header = self._header(candidate.first)
        try:
            return gguf_memory.estimate(
                header, weights=candidate.size, context=context, projector=projector
            )
        except FormatError as error:
            problem = f"`{naming.show(candidate.first.path)}`: {error}"
            raise SourceError(problem, hint=error.hint) from error

    def _header(self, file: PinnedFile) -> gguf.Header:
        """Return the header of *file*, reading little more of it than that."""
        prefix, wanted = b"", _FIRST_LOOK
        while True:
            with self.read(file, start=len(prefix), stop=wanted) as chunks:
                prefix += b"".join(chunks)
            try:
                return gguf.read(prefix, name=f"`{file.path}`", size=file.size)
            except gguf.ShortError as short:
                # Twice as much each time: a header of 32 MB takes six requests.
                wanted = min(max(short.needed, 2 * wanted), file.size or short.needed)
            except FormatError as error:
                raise SourceError(str(error), hint=error.hint) from error


def candidates_of(files: Iterable[PinnedFile]) -> tuple[Candidate, ...]:
    """Return the models among *files*, the largest first."""
    shards: dict[tuple[str, str, str, int], dict[int, PinnedFile]] = {}
    for file in files:
        path = PurePosixPath(file.path)
        if path.suffix.casefold() != ".gguf" or _ASIDE.search(path.stem):
            continue
        stem, number, total = _unsharded(path.stem)
        found = _QUANT.search(stem)
        base = stem[: found.start()] if found else stem
        quant = found[1].upper() if found else ""
        key = (str(path.parent), base, quant, total)
        shards.setdefault(key, {})[number] = file
    models = [
        Candidate(
            base=base,
            quant=quant,
            files=tuple(file for _, file in sorted(numbered.items())),
            shards=total,
        )
        for (_, base, quant, total), numbered in shards.items()
    ]
    return tuple(sorted(models, key=lambda one: (-one.size, one.first.path)))


def _unsharded(stem: str) -> tuple[str, int, int]:
    found = _SHARD.search(stem)
    return (
        (stem[: found.start()], int(found[1]), int(found[2])) if found else (stem, 1, 1)
    )


def _check_shards(chosen: Candidate) -> None:
    numbers = [_unsharded(PurePosixPath(file.path).stem)[1] for file in chosen.files]
    missing = sorted(set(range(1, chosen.shards + 1)) - set(numbers))
    if not missing and len(numbers) == chosen.shards:
        return
    path = chosen.first.path
    lost = (missing or numbers)[0]
    name = re.sub(r"-\d{5}-of-", f"-{lost:05}-of-", path)
    problem = f"upstream lacks `{naming.show(name)}`, shard {lost} of {chosen.shards}"
    raise SourceError(
        problem, hint="wait until its upload is complete, or ask its owner"
    )


def _by_file(name: str, candidates: tuple[Candidate, ...], path: str) -> Candidate:
    for candidate in candidates:
        if any(file.path == path for file in candidate.files):
            return candidate
    raise _none_of(name, f"no GGUF model `{naming.show(path)}`", _paths(candidates))


def _by_quant(name: str, candidates: tuple[Candidate, ...], quant: str) -> Candidate:
    wanted = quant.upper()
    # `UD-` marks a publisher's own recipe for a quantisation of the same name.
    found = [one for one in candidates if one.quant == wanted] or [
        one for one in candidates if one.quant == f"UD-{wanted}"
    ]
    if not found:
        quants = sorted({one.quant for one in candidates if one.quant})
        raise _none_of(name, f"no quantisation `{naming.show(quant)}`", quants)
    if len(found) > 1:
        problem = f"`{naming.show(name)}` has {quant} of several models"
        listed = ", ".join(f"`{naming.show(path)}`" for path in _paths(found))
        raise RequestError(problem, hint=f"name one as `file`: {listed}")
    return found[0]


def _by_size(wish: Wish, candidates: tuple[Candidate, ...], room: int) -> Candidate:
    _refuse_mixture(wish.name, candidates)
    for candidate in candidates:  # the largest first
        if candidate.size <= room:
            return candidate
    stated, smallest = ranges.text(wish.options, ranges.SIZE), candidates[-1].size
    problem = (
        f"no quantisation of `{naming.show(wish.name)}` fits in {stated}; the smallest"
        f" has {smallest} bytes"
    )
    hint = (
        f"allow more `{ranges.SIZE}`, or leave the projector with `projector = false`"
    )
    raise RequestError(problem, hint=hint)


def _refuse_mixture(name: str, candidates: tuple[Candidate, ...]) -> None:
    bases = sorted({one.base for one in candidates})
    if len(bases) > 1:
        listed = ", ".join(f"`{naming.show(base)}`" for base in bases)
        problem = f"`{naming.show(name)}` holds several models: {listed}"
        raise RequestError(problem, hint="name one as `file` instead")


def _paths(candidates: Iterable[Candidate]) -> list[str]:
    return sorted(one.first.path for one in candidates)


def _none_of(name: str, what: str, there: list[str]) -> RequestError:
    listed = ", ".join(f"`{naming.show(one)}`" for one in there) or "none"
    problem = f"`{naming.show(name)}` has {what}; there are: {listed}"
    return RequestError(problem, hint="use one of these")


def _projector(wish: Wish, files: Iterable[PinnedFile]) -> PinnedFile | None:
    """Return the projector *wish* wants: picked, stated by precision, or none."""
    wanted = wish.options.get("projector", True)
    if wanted is False:
        return None
    found: dict[str, PinnedFile] = {}
    for file in files:
        path = PurePosixPath(file.path)
        if path.suffix.casefold() == ".gguf" and _is_projector(path.stem):
            quant = _QUANT.search(path.stem)
            precision = quant[1].casefold().replace("fp", "f") if quant else ""
            found.setdefault(precision, file)
    if isinstance(wanted, str):
        if wanted not in found:
            what = f"no projector of precision `{naming.show(wanted)}`"
            raise _none_of(wish.name, what, sorted(found))
        return found[wanted]
    order = [*_PROJECTORS, *sorted(found)]
    return next((found[precision] for precision in order if precision in found), None)


def _is_projector(stem: str) -> bool:
    found = _ASIDE.search(stem)
    return found is not None and found[2].casefold() == "mmproj"


def _upstream(
    snapshot: Snapshot,
    chosen: Candidate,
    projector: PinnedFile | None,
    estimate: Mapping[str, Json],
) -> Mapping[str, Json]:
    facts = dict(snapshot.facts)
    if chosen.quant:
        facts["quantisation"] = chosen.quant
    if projector is not None:
        facts["projector"] = projector.path
    if estimate:
        facts["memory"] = estimate
    return facts
