"""nnxc compiles compact model specs (`.nnx`) to Flax NNX modules and train steps.

`compile` is pure: text in, texts and diagnostics out. `build` reads and writes files.
Importing this package loads nothing else; each name is loaded when it is first used.
"""

__version__ = "0.1.0"

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .diagnostics import Diagnostic, Fix, Label
    from .driver import Options, Output, compile
    from .make import BuildResult, build

__all__ = [
    "BuildResult",
    "Diagnostic",
    "Fix",
    "Label",
    "Options",
    "Output",
    "__version__",
    "build",
    "compile",
]

_HOMES = {
    "BuildResult": "make",
    "Diagnostic": "diagnostics",
    "Fix": "diagnostics",
    "Label": "diagnostics",
    "Options": "driver",
    "Output": "driver",
    "build": "make",
    "compile": "driver",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'nnxc' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f".{_HOMES[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
