"""Model and dataset repositories of a Hugging Face hub, at one commit.

What is carried can be narrowed in three steps, each on what the last one left:
``include`` and ``exclude`` patterns, then ``format``, then ``variant``. Weights are
told apart by their names, as their own libraries do; what is not a weight file
(configuration, tokenizers, code) is kept unless it lies in another variant's folder.
"""

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import PurePosixPath
from typing import Final

from huggingface_hub.utils import (  # type: ignore[attr-defined]  # exported lazily
    filter_repo_objects,
)

from airlift import naming
from airlift.artifact import Json, Pinned, PinnedFile, Wish
from airlift.errors import RequestError
from airlift.fetch import Settings, newest
from airlift.fetch.hub import Hub, Snapshot
from airlift.format import ranges
from airlift.sources.source import Source

FORMATS: Final = ("all", "safetensors")

_SPELLINGS: Final = {
    "fp16": ("fp16", "f16", "float16", "half"),
    "bf16": ("bf16", "bfloat16"),
    "fp32": ("fp32", "f32", "float32"),
    "fp8": ("fp8", "f8", "f8_e4m3", "f8_e5m2", "float8"),
    "int8": ("int8", "i8", "quantized"),
    "uint8": ("uint8", "u8"),
    "int4": ("int4", "i4"),
    "q4": ("q4",),
    "q8": ("q8",),
    "q4f16": ("q4f16",),
    "nf4": ("nf4",),
    "fp4": ("fp4",),
    "nvfp4": ("nvfp4",),
    "mxfp4": ("mxfp4",),
    "bnb4": ("bnb4",),
    "awq": ("awq",),
    "gptq": ("gptq",),
    "8bit": ("8bit",),
    "4bit": ("4bit",),
}
"""Precision to how file names and hubs spell it; ``model_quantized.onnx`` is int8."""
_PRECISIONS: Final = {
    spelling: name for name, spellings in _SPELLINGS.items() for spelling in spellings
}
_WEIGHTS: Final = re.compile(
    r"\.(safetensors|bin|pt|pth|ckpt|h5|msgpack|ot|onnx|onnx_data(_\d+)?|onnx\.data|gguf"
    r"|tflite)(\.index(\.\w+)?\.json)?$",
    re.ASCII,
)
_NOT_WEIGHTS: Final = re.compile(r"(training_args|optimizer|scheduler|rng_state)[^/]*$")
_OTHER_FORMATS: Final = re.compile(
    r"\.(bin|pt|pth|ckpt|h5|msgpack|ot)(\.index(\.\w+)?\.json)?$", re.ASCII
)
_ELSEWHERE: Final = re.compile(
    r"\.(onnx|onnx_data(_\d+)?|onnx\.data|tflite)$", re.ASCII
)
_PARTS: Final = re.compile(r"[./_-]")


class HuggingFace(Source):
    """The source of models and datasets.

    Args:
        settings: How to reach the network; ``endpoints["huggingface"]`` and
            ``token`` where they are not the usual ones.
    """

    def __init__(self, settings: Settings) -> None:
        self._hub = Hub(settings)

    def resolve(self, wish: Wish) -> Pinned:
        """Pin *wish* to a commit and choose its files.

        Raises:
            RequestError: The repository has no such revision, variant or file, or
                none that fits.
            SourceError: It is missing, private, gated or cannot be reached.
        """
        if wanted := ranges.text(wish.options, ranges.RANGE):
            tags = self._hub.tags(wish.kind, wish.name)
            pin = partial(self._pin, wish)
            return newest.first_fit(tags, wanted, wish.name, pin)
        return self._pin(wish, _text(wish, "revision") or "main")

    def _pin(self, wish: Wish, revision: str) -> Pinned:
        snapshot = self._hub.snapshot(wish.kind, wish.name, revision)
        ranges.check_licence(wish.options, snapshot.licence, wish.name)
        return Pinned(
            kind=wish.kind,
            name=wish.name,
            revision=snapshot.commit,
            files=choose(wish, snapshot),
            refs=snapshot.refs,
            upstream=snapshot.facts,
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


def choose(wish: Wish, snapshot: Snapshot) -> tuple[PinnedFile, ...]:
    """Return the files of *snapshot* that *wish* asks for, sorted by path.

    Raises:
        RequestError: Its options leave nothing, or name what is not there.
    """
    shown = naming.show(wish.name)
    kept = _matching(wish, snapshot.files)
    if not kept:
        problem = f"none of the {len(snapshot.files)} files of `{shown}` is asked for"
        hint = "check `include` and `exclude`; `*` crosses folders, case counts"
        raise RequestError(problem, hint=hint)
    wanted = _text(wish, "format") or "all"
    if wanted not in FORMATS:
        known = ", ".join(f"`{name}`" for name in FORMATS)
        problem = f"`{shown}`: format `{naming.show(wanted)}` is not one of {known}"
        raise RequestError(problem, hint="or choose files with `include`")
    if wanted == "safetensors":
        kept = _in_safetensors(kept)
    if variant := _text(wish, "variant"):
        kept = _of_variant(wish.name, variant, kept, snapshot.precisions)
    elif (room := ranges.room(wish.options)) is not None:
        kept = _largest(kept, room)
    ranges.check_size(wish.options, _size(kept), wish.name)
    return tuple(kept)


def _size(files: Iterable[PinnedFile]) -> int:
    return sum(file.size or 0 for file in files)


def _largest(files: list[PinnedFile], room: int) -> list[PinnedFile]:
    """Return the largest precision of *files* that has at most *room* bytes.

    All of them where they fit, or are there in one precision; the smallest where none
    fits.
    """
    weights = [file.path for file in files if _is_weight(file.path)]
    names = sorted({precision_of(path) for path in weights})
    if len(names) < 2 or _size(files) <= room:
        return files
    choices = [
        _of_variant("", name, files, frozenset()) if name else _plain(files)
        for name in names
    ]
    choices.sort(key=_size)
    fitting = [one for one in choices if _size(one) <= room]
    return (fitting or choices[:1])[-1]


def _plain(files: list[PinnedFile]) -> list[PinnedFile]:
    """Keep of *files* those that are of no precision by name."""
    return [
        file
        for file in files
        if not precision_of(file.path if _is_weight(file.path) else _folder(file.path))
    ]


def _text(wish: Wish, key: str) -> str:
    value = wish.options.get(key, "")
    return value if isinstance(value, str) else ""


def _matching(wish: Wish, files: tuple[PinnedFile, ...]) -> list[PinnedFile]:
    include, exclude = (_patterns(wish.options.get(k)) for k in ("include", "exclude"))
    found = filter_repo_objects(
        files,
        allow_patterns=include or None,
        ignore_patterns=exclude or None,
        key=lambda file: file.path,
    )
    return list(found)


def _patterns(value: Json) -> list[str]:
    values = value if isinstance(value, list | tuple) else ()
    return [pattern for pattern in values if isinstance(pattern, str)]


def _is_weight(path: str) -> bool:
    return bool(_WEIGHTS.search(path)) and not _NOT_WEIGHTS.search(path)


def _folder(path: str) -> str:
    return str(PurePosixPath(path).parent)


def _in_safetensors(files: list[PinnedFile]) -> list[PinnedFile]:
    """Leave out weights that a safetensors file beside them has too.

    Other frameworks' formats are duplicates of what lies in the same folder; ONNX
    and TFLite exports have folders of their own and are duplicates of the whole.
    """
    paths = [file.path for file in files]
    has = {_folder(path) for path in paths if path.endswith(".safetensors")}
    if not has:
        return files

    def is_other(path: str) -> bool:
        if _NOT_WEIGHTS.search(path):
            return False
        if _ELSEWHERE.search(path):
            return True
        return bool(_OTHER_FORMATS.search(path)) and _folder(path) in has

    return [file for file in files if not is_other(file.path)]


def precision_of(path: str) -> str:
    """Return the precision that *path* names, in one spelling; empty for none.

    The last that is named counts: ``int8/model_fp16.onnx`` is of ``fp16``.
    """
    found = [
        _PRECISIONS[part]
        for part in _PARTS.split(path.casefold())
        if part in _PRECISIONS
    ]
    return found[-1] if found else ""


def _of_variant(
    name: str, variant: str, files: list[PinnedFile], known: frozenset[str]
) -> list[PinnedFile]:
    """Keep of the weights in *files* those of *variant*.

    In a pipeline of several models (diffusers) a component that does not come in
    the variant is kept as it is, because the pipeline does not load without it; its
    root, where such repositories keep single-file copies of everything, is not one.
    """
    wanted = _PRECISIONS.get(variant.casefold(), variant.casefold())
    weights = [file.path for file in files if _is_weight(file.path)]
    chosen = {path for path in weights if _is_of(path, wanted)}
    if not chosen:
        # Not in any name; but the hub may know that the plain files are of it.
        if wanted not in {_PRECISIONS.get(text, text) for text in known}:
            raise _no_variant(name, variant, weights, known)
        chosen = {path for path in weights if not precision_of(path)}
    if any(file.path == "model_index.json" for file in files):
        served = {_component(path) for path in chosen} | {"."}
        chosen |= {
            path
            for path in weights
            if not precision_of(path) and _component(path) not in served
        }
    return [
        file
        for file in files
        if file.path in chosen
        or (
            not _is_weight(file.path)
            and precision_of(_folder(file.path)) in ("", wanted)
        )
    ]


def _is_of(path: str, wanted: str) -> bool:
    # The second is diffusers' way for variants of any other name (`non_ema`).
    name = PurePosixPath(path).name.casefold()
    return precision_of(path) == wanted or f".{wanted}." in name


def _component(path: str) -> str:
    return PurePosixPath(path).parts[0] if "/" in path else "."


def _no_variant(
    name: str, variant: str, weights: list[str], known: frozenset[str]
) -> RequestError:
    found = sorted(
        {precision_of(path) for path in weights} - {""}
        | {_PRECISIONS.get(text, text) for text in known}
    )
    there = ", ".join(f"`{naming.show(one)}`" for one in found) or "none by name"
    problem = f"`{naming.show(name)}` has no variant `{naming.show(variant)}`; there are: {there}"
    return RequestError(problem, hint="leave `variant` out to take all weights")
