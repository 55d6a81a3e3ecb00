"""Rejoinder's runtime: open a verified release and answer. Torch-free; knows directories, not MLflow.

What a program needs can be imported from here. A name is loaded when it is first used: `import rejoinder` is cheap.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from rejoinder.process import disable_telemetry

if TYPE_CHECKING:
    from rejoinder.answer.assistant import Assistant
    from rejoinder.answer.reply import Reply
    from rejoinder.dialogue import Dialogue
    from rejoinder.errors import (
        BundleError,
        ClosedError,
        ConsistencyError,
        FormatError,
        FreshnessError,
        InputError,
        IntegrityError,
        ProbeError,
        QueueFullError,
        RejoinderError,
        SignatureError,
        StoreError,
        SwapError,
        TooLateError,
    )
    from rejoinder.parts.opened import open_current
    from rejoinder.serving.holder import Holder
    from rejoinder.store.store import Store

__version__ = "0.1.0"

__all__ = [
    "Assistant",
    "BundleError",
    "ClosedError",
    "ConsistencyError",
    "Dialogue",
    "FormatError",
    "FreshnessError",
    "Holder",
    "InputError",
    "IntegrityError",
    "ProbeError",
    "QueueFullError",
    "RejoinderError",
    "Reply",
    "SignatureError",
    "Store",
    "StoreError",
    "SwapError",
    "TooLateError",
    "__version__",
    "open_current",
]

#: Where what is no error lives.
_MODULES = {
    "Assistant": "rejoinder.answer.assistant",
    "Dialogue": "rejoinder.dialogue",
    "Holder": "rejoinder.serving.holder",
    "Reply": "rejoinder.answer.reply",
    "Store": "rejoinder.store.store",
    "open_current": "rejoinder.parts.opened",
}

if not TYPE_CHECKING:  # a type checker would take every name for one of ours

    def __getattr__(name: str) -> Any:
        """Load a name when it is first used (PEP 562)."""
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = globals()[name] = getattr(import_module(_MODULES.get(name, "rejoinder.errors")), name)
        return value


def __dir__() -> list[str]:
    """What can be imported from here."""
    return sorted(__all__)


disable_telemetry()  # here, for nothing of ours can import ONNX Runtime before this
