"""Generated text is only definitions, and reaches for nothing that no spec should bring."""

from __future__ import annotations

import ast
import builtins
import re
from typing import Any

from nnxc.fresh import SHARED

from .laws import Broken, holds

MODULES = {
    "contextlib", "fnmatch", "json", "numpy", "os", "re", "secrets", "types",
    "__future__", "importlib.util", "pathlib", "sys", "collections.abc", "dataclasses", "flax", "functools", "itertools", "jax",
    "jax.numpy", "math", "optax", "typing",
}  # fmt: skip
BUILTINS = {
    "Exception", "RecursionError", "hasattr", "iter", "repr",
    "ImportError", "ValueError", "TypeError", "all", "getattr", "map", "abs", "bool", "dict", "enumerate", "float", "int", "isinstance",
    "len", "list", "max", "min", "object", "range", "reversed", "round", "sorted", "str", "sum",
    "super", "tuple", "type", "zip", "property", "classmethod", "staticmethod", "None",
    "FileNotFoundError", "next", "ArithmeticError", "set", "any", "AttributeError", "setattr",
    "LookupError", "OSError", "callable", "KeyError",
}  # fmt: skip
DUNDERS = {
    "__getattr__",
    "__file__",
    "__name__",
    "__init__",
    "__call__",
    "__future__",
    "__post_init__",
}
ODD = {*dir(builtins)} - BUILTINS - DUNDERS
OF_OS = {"fsync"}
MODULE_CALLS = {
    "dataclass",
    "dataclasses",
    "jax",
    "nnx",
    "optax",
    "functools",
    "partial",
}


def check_safe(text: str, spec: str) -> None:
    """Generated text does nothing on import but define, and reaches for nothing unusual, nor for
    Python code that no `extern` of the spec names."""
    tree = ast.parse(text)
    brought = re.findall(r"""\bextern\s*["'](.*?)["']""", spec)
    defined = {
        n.name for n in tree.body if isinstance(n, (ast.ClassDef, ast.FunctionDef))
    }
    shared = {name.removesuffix(".py") for name in SHARED}
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.module in shared:
            defined |= {alias.name for alias in node.names}
    for statement in tree.body:
        check_statement(statement, defined, {*MODULES, *brought, *shared})
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name):
                hidden = name.startswith("__") and name not in DUNDERS
                bound = isinstance(node.ctx, ast.Store)
                holds(not hidden, "no hidden names", name)
                holds(
                    bound or name not in ODD or is_local(tree, name),
                    "no odd builtins",
                    name,
                )
            case ast.Attribute(value=ast.Name(id="os"), attr=name):
                holds(name in OF_OS, "nothing of the system but files", name)
            case ast.Attribute(attr=name):
                holds(not name.startswith("__") or name in DUNDERS, "no dunders", name)


def is_local(tree: ast.Module, name: str) -> bool:
    """Whether the text gives the name a meaning of its own."""
    return any(
        (isinstance(n, ast.arg) and n.arg == name)
        or (isinstance(n, ast.Name) and n.id == name and isinstance(n.ctx, ast.Store))
        for n in ast.walk(tree)
    )


def check_statement(statement: ast.stmt, defined: set[str], modules: set[str]) -> None:
    """A statement of a module: an import, a definition, or a value built by known calls."""
    match statement:
        case ast.Import(names=names):
            known = {n.name for n in names} <= MODULES
            holds(known, "known imports", ast.dump(statement))
        case ast.ImportFrom(module=module):
            holds(module in modules, "known imports", module)
        case ast.ClassDef() | ast.FunctionDef():
            check_calls([*statement.decorator_list, *defaults_of(statement)], defined)
        case ast.Assign(value=value) | ast.AnnAssign(value=ast.expr() as value):
            check_calls([value], defined)
        case ast.Expr(value=ast.Constant(value=str())):
            pass
        case _:
            raise Broken(f"only definitions: {ast.unparse(statement)[:80]}")


def defaults_of(statement: ast.stmt) -> list[ast.AST]:
    """What a definition evaluates at once."""
    if isinstance(statement, ast.FunctionDef):
        return [*statement.args.defaults, *(d for d in statement.args.kw_defaults if d)]
    return [n for n in getattr(statement, "body", []) if isinstance(n, ast.AnnAssign)]


def check_calls(nodes: list[ast.AST], defined: set[str]) -> None:
    """Only known functions are called at import."""
    for call in (
        n for node in nodes for n in ast.walk(node) if isinstance(n, ast.Call)
    ):
        root: Any = call.func
        while isinstance(root, (ast.Attribute, ast.Call)):
            root = root.value if isinstance(root, ast.Attribute) else root.func
        known = isinstance(root, ast.Name) and root.id in MODULE_CALLS | defined
        known |= isinstance(root, ast.Constant)  # a text taken apart
        holds(known, "known calls at import", ast.unparse(call)[:80])
