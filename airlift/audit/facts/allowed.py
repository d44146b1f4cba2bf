"""What a pickle of weights may import; anything else is a finding.

A list of what is bad leaks by construction: Python has more ways to run code than anybody
has named. This is a list of what is good, and short: what rebuilds tensors, arrays and
plain containers, and does nothing else.

Source: ``torch.load(weights_only=True)``, the globals it takes by default.
"""

from typing import Final

_STORAGES: Final = (
    *("Bool", "Byte", "Char", "Short", "Int", "Long", "Half", "BFloat16", "Float"),
    *("Double", "ComplexFloat", "ComplexDouble", "Untyped", "Typed"),
    *("QInt8", "QInt32", "QUInt8", "QUInt4x2", "QUInt2x4"),
)
_DTYPES: Final = (
    *("bool", "uint8", "int8", "int16", "int32", "int64", "bfloat16"),
    *("float16", "float32", "float64", "half", "float", "double"),
    *("float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz"),
    *("complex32", "complex64", "complex128"),
)
_ARRAYS: Final = ("numpy.core.multiarray", "numpy._core.multiarray")

ALLOWED: Final = frozenset(
    (
        "collections.OrderedDict",
        "collections.Counter",
        "collections.defaultdict",
        "_codecs.encode",
        *(f"{where}.set" for where in ("builtins", "__builtin__")),
        *(f"{where}.frozenset" for where in ("builtins", "__builtin__")),
        *(f"{where}.complex" for where in ("builtins", "__builtin__")),
        *(f"{where}.bytearray" for where in ("builtins", "__builtin__")),
        *(
            f"{where}.{what}"
            for where in _ARRAYS
            for what in ("_reconstruct", "scalar")
        ),
        "numpy.dtype",
        "numpy.ndarray",
        "torch.Size",
        "torch.Tensor",
        "torch.device",
        "torch.nn.parameter.Parameter",
        "torch.serialization._get_layout",
        "torch._utils._rebuild_parameter",
        "torch._utils._rebuild_parameter_with_state",
        "torch._utils._rebuild_qtensor",
        "torch._utils._rebuild_sparse_tensor",
        "torch._utils._rebuild_tensor",
        "torch._utils._rebuild_tensor_v2",
        "torch.storage.UntypedStorage",
        "torch.storage.TypedStorage",
        *(f"torch.{name}Storage" for name in _STORAGES),
        *(f"torch.{name}" for name in _DTYPES),
    )
)
"""Globals as ``module.name``. Not ``torch.storage._load_from_bytes``: it unpickles."""


def is_allowed(name: str) -> bool:
    """Say whether a pickle of weights may import *name*, ``module.name``."""
    return name in ALLOWED
