"""MaruHub: one hub for training data, one copy of the bytes, many doors.

    hub = maruhub.create("pool", blades=["/mnt/a", "/mnt/b"])    # or maruhub.connect("pool")
    hub.bucket("photos")["cats/1.jpg"] = data
    version = hub.dataset("cats").commit("photos/cats/")
    for batch in version.split("train").batches(64, seed=7):
        ...

Importing this package imports next to nothing: each name is loaded when first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from maruhub import errors as errors
    from maruhub.api import Hub as Hub
    from maruhub.api import connect as connect
    from maruhub.api import create as create

__version__: Final = "0.1.0"
__all__ = ["Hub", "__version__", "connect", "create", "errors"]

_DOOR: Final = ("Hub", "connect", "create")


def __getattr__(name: str) -> object:
    import importlib

    if name in _DOOR:
        return getattr(importlib.import_module("maruhub.api"), name)
    if name == "errors":
        return importlib.import_module("maruhub.errors")
    raise AttributeError(f"module 'maruhub' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
