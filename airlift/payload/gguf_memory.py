"""How much memory a GGUF model needs to run, reckoned from its header.

An estimate for llama.cpp with its defaults: weights, a KV cache in f16 as if every
layer attended to the whole context (so on the safe side for sliding windows and
shared caches), the logits of one batch, and an allowance for everything else.
"""

from dataclasses import asdict, dataclass
from typing import Final

from airlift.errors import FormatError
from airlift.payload.gguf import Array, Header, Value

CACHE_BYTES: Final = 2
"""Of one element of the KV cache: llama.cpp keeps f16 unless told otherwise."""
BATCH: Final = 512
"""Tokens of llama.cpp's physical batch, for which logits are kept in f32."""
FIXED: Final = 400 << 20
"""Bytes allowed for compute buffers and the runtime itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """Bytes of memory, by what for.

    Attributes:
        weights: All shards.
        cache: Keys and values of the context.
        overhead: Logits, compute buffers, the runtime.
        projector: The multimodal projector; 0 where there is none.
        context: Tokens it was reckoned for.
    """

    weights: int
    cache: int
    overhead: int
    projector: int
    context: int

    @property
    def bytes(self) -> int:
        """All of it."""
        return self.weights + self.cache + self.overhead + self.projector

    def facts(self) -> dict[str, int]:
        """Return it for a record, with the sum as ``bytes``."""
        return {"bytes": self.bytes, **asdict(self)}


def estimate(
    header: Header, *, weights: int, context: int, projector: int = 0
) -> Estimate:
    """Return what the model of *header* needs.

    Args:
        header: Of its first shard.
        weights: Bytes of all its shards.
        context: Tokens.
        projector: Bytes of the projector loaded beside it.

    Raises:
        FormatError: The header does not say how large the model is.
    """
    arch = header.text("general.architecture")
    layers = header.number(f"{arch}.block_count")
    width = header.number(f"{arch}.embedding_length")
    if not arch or not layers or not width:
        problem = "its header does not say how many layers it has, or how wide"
        raise FormatError(problem, hint="name the file instead of the memory")
    heads = max(_each(header, f"{arch}.attention.head_count", 1), default=0) or 1
    keys = header.number(f"{arch}.attention.key_length") or width // heads
    values = header.number(f"{arch}.attention.value_length") or width // heads
    # Some models state the KV heads of each layer, others one number for all.
    kv_heads = _each(header, f"{arch}.attention.head_count_kv", heads)
    cached = sum(kv_heads) if len(kv_heads) > 1 else layers * sum(kv_heads)
    vocabulary = _length(header.metadata.get("tokenizer.ggml.tokens", ()))
    return Estimate(
        weights=weights,
        cache=cached * (keys + values) * CACHE_BYTES * context,
        overhead=FIXED + BATCH * vocabulary * 4,
        projector=projector,
        context=context,
    )


def _each(header: Header, key: str, default: int) -> tuple[int, ...]:
    value = header.metadata.get(key, default)
    values = value if isinstance(value, tuple) else (value,)
    return tuple(one for one in values if isinstance(one, int) and one >= 0)


def _length(value: Value) -> int:
    if isinstance(value, Array):
        return value.count
    return len(value) if isinstance(value, tuple) else 0
