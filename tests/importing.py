"""Generated modules as Python has them: from a text, from a file."""

from __future__ import annotations

import importlib.util
import itertools
import sys
import types
from pathlib import Path
from typing import Any

from nnxc.fresh import SHARED

TEMPLATES = Path(__file__).parents[1] / "templates/shared"
_numbers = itertools.count()


def from_text(text: str, folder: Path = Path(__file__).parent) -> types.ModuleType:
    """Generated text as a module; what it has not itself, it has of the shared modules.

    `folder` has the Python files that it brings along.
    """
    _reach(TEMPLATES)
    module = types.ModuleType(f"generated_{next(_numbers)}")
    module.__file__ = str(folder / "spec.py")
    sys.modules[module.__name__] = module
    vars(module)["__getattr__"] = shared
    code = compile(text, module.__name__, "exec", dont_inherit=True)
    exec(code, module.__dict__)
    return module


def from_file(path: Path) -> types.ModuleType:
    """A generated module by its path; the shared ones are beside it, and their names in it."""
    _reach(path.parent)
    name = f"{path.stem}_{next(_numbers)}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    vars(module)["__getattr__"] = shared
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def shared(name: str) -> Any:
    """What a shared module calls so."""
    _reach(TEMPLATES)
    for file in sorted(SHARED):
        module = importlib.import_module(file.removesuffix(".py"))
        if name in vars(module):
            return vars(module)[name]
    raise AttributeError(name)


def _reach(folder: Path) -> None:
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
