"""What must hold of every valid spec, and of every other."""

from __future__ import annotations

import ast
import builtins
import inspect
import re
import signal
import sys
import types
import typing
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import black
import jax
import jax.numpy as jnp
from flax import nnx
from spec_builder import ModelCase, Spec

import nnxc
from nnxc.codes import CODES
from nnxc.driver import analyse
from nnxc.instance import instantiate
from nnxc.ir import Program
from nnxc.shapes import TensorType
from nnxc.syntax.format import format_file

SECONDS = 10
TRAIN_PARTS = (
    "create_model", "create_optimizer", "create_ema", "create_rngs", "train_step",
)  # fmt: skip


class Broken(AssertionError):
    """A law that did not hold; the message begins with its name."""


def holds(condition: object, law: str, detail: object = "") -> None:
    """Raise `Broken` unless the condition is true."""
    if not condition:
        raise Broken(f"{law}: {detail}" if detail else law)


@contextmanager
def time_limit(seconds: int) -> Iterator[None]:
    """Raises `Broken` in what takes longer."""

    def late(*_: object) -> None:
        raise Broken(f"slow: more than {seconds} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


# -------------------------------------------------------------------- invalid


def check_any(data: bytes) -> bool:
    """Holds any bytes to what no spec may do; returns whether they were refused."""
    with time_limit(SECONDS):
        output = nnxc.compile(data, path="spec.nnx")
    for diagnostic in output.diagnostics:
        check_diagnostic(diagnostic)
    holds(bool(output.files) == output.ok, "files exactly where there are no errors")
    for text in output.files.values():
        check_safe(text, data.decode("utf-8", "replace"))
    return not output.ok


def check_diagnostic(diagnostic: nnxc.Diagnostic) -> None:
    """A diagnostic has a known code, a message, and a place within the file."""
    holds(diagnostic.code in CODES, "known code", diagnostic.code)
    holds(diagnostic.message.strip(), "a message", diagnostic.code)
    for label in (diagnostic.primary, *diagnostic.related):
        span = label.span
        inside = 0 <= span.start <= span.end <= len(span.source.text)
        holds(span.source.path == "spec.nnx", "a place in the file", diagnostic)
        holds(inside, "a place in the file", diagnostic)


MODULES = {
    "__future__", "importlib.util", "pathlib", "sys", "collections.abc", "dataclasses", "flax", "functools", "itertools", "jax",
    "jax.numpy", "math", "optax", "typing",
}  # fmt: skip
BUILTINS = {
    "ImportError", "ValueError", "TypeError", "all", "getattr", "map", "abs", "bool", "dict", "enumerate", "float", "int", "isinstance",
    "len", "list", "max", "min", "object", "range", "reversed", "round", "sorted", "str", "sum",
    "super", "tuple", "type", "zip", "property", "classmethod", "staticmethod", "None",
}  # fmt: skip
DUNDERS = {
    "__file__",
    "__name__",
    "__init__",
    "__call__",
    "__future__",
    "__post_init__",
}
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
    for statement in tree.body:
        check_statement(statement, defined, {*MODULES, *brought})
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name):
                hidden = name.startswith("__") and name not in DUNDERS
                odd = name in dir(builtins) and name not in BUILTINS | DUNDERS
                bound = isinstance(node.ctx, ast.Store)
                holds(not hidden, "no hidden names", name)
                holds(bound or not odd or is_local(tree, name), "no odd builtins", name)
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
        holds(known, "known calls at import", ast.unparse(call)[:80])


# ---------------------------------------------------------------------- valid


def check_valid(spec: Spec, *, tree_mode: bool = False, scan: bool = False) -> None:
    """A valid spec compiles, and what it compiles to computes the predicted shapes."""
    text = spec.text
    options = nnxc.Options(stack="scan", remat=tree_mode) if scan else None
    with time_limit(SECONDS):
        output = nnxc.compile(text, path="spec.nnx", read=spec.read, options=options)
    found = [f"{d.code} {d.message}" for d in output.diagnostics]
    holds(not found, "no diagnostics", found)
    (generated,) = output.files.values()
    used = spec.used and format_file(spec.used)
    check_safe(generated, f"{text}\n{used}")
    check_black(generated)
    program = analyse(text, path="spec.nnx", read=spec.read).program
    assert program is not None
    module = loaded(generated)
    with nnx.set_graph_mode(not tree_mode):
        for case in spec.models:
            check_model(module, case, program, stacked=scan)
        for train in program.trains:
            case = next(c for c in spec.models if c.name == train.model)
            check_train(module, case, len(program.trains) > 1)


def check_black(text: str) -> None:
    """Generated text is as Black leaves it."""
    holds(black.format_str(text, mode=black.Mode()) == text, "Black leaves it as it is")


def loaded(text: str) -> types.ModuleType:
    """Generated text as a module."""
    module = types.ModuleType("generated_by_fuzz")
    module.__file__ = str(Path(__file__).with_name("spec.py"))
    sys.modules[module.__name__] = module
    exec(compile(text, "spec.py", "exec"), module.__dict__)
    return module


def check_model(
    module: types.ModuleType, case: ModelCase, program: Program, *, stacked: bool
) -> None:
    """A model, without its optional inputs and with them: outputs and weights as predicted."""
    needed = [n for n in case.inputs if n not in case.optional]
    for given in (needed, [*needed, *case.optional]) if case.optional else (needed,):
        predicted = instantiate(program, case.name, case.args, case.axes, given)
        holds(not predicted.failures, "requirements hold", predicted.failures)
        expected = case.outputs
        shapes = sizes(predicted.outputs)
        holds(shapes == expected, "checker's shapes", (shapes, expected))
        outputs, weights = computed(module, case, given)
        holds(outputs == expected, "JAX's shapes", (outputs, expected))
        listed = {
            n.replace("_.", ".").rstrip("_"): tuple(s.value for s in w.sizes)
            for n, w in predicted.weights().items()
            if not n.endswith("*")  # what Python code has
        }
        if not stacked:
            holds(weights == listed, "weights", {"jax": weights, "predicted": listed})


def computed(
    module: types.ModuleType, case: ModelCase, given: list[str]
) -> tuple[Any, Any]:
    """Shapes of outputs and of weights by path, as JAX has them."""

    def run(*inputs: jax.Array) -> tuple[Any, Any]:
        model = construct(module, case)
        draws = "rngs" in inspect.signature(type(model).__call__).parameters
        rngs = {"rngs": nnx.Rngs(1)} if draws else {}
        state = nnx.state(model, nnx.Any(nnx.Param, nnx.BatchStat))
        return model(*inputs, **rngs), state

    outputs, state = jax.eval_shape(run, *abstract(case, given))
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    weights = {
        ".".join(str(p).rstrip("_") for p in path): leaf.shape
        for path, leaf in nnx.to_flat_state(state)
    }
    return tuple(o.shape for o in outputs), weights


def abstract(case: ModelCase, given: Iterable[str]) -> list[jax.ShapeDtypeStruct]:
    """Inputs without values."""
    dtypes = {"float": "float32", "int": "int32", "bool": "bool_"}
    return [jax.ShapeDtypeStruct(case.inputs[n], dtypes[case.dtypes[n]]) for n in given]


def check_train(module: types.ModuleType, case: ModelCase, several: bool) -> None:
    """A train's step gives a loss in float32, and changes no weight's shape."""
    suffix = f"_{case.name.lower()}" if several else ""
    part = {n: getattr(module, n + suffix, None) for n in TRAIN_PARTS}

    def run(*batch: jax.Array) -> Any:
        model = part["create_model"]()
        before = jax.tree.map(jnp.shape, nnx.state(model, nnx.Param))
        objects = [model, part["create_optimizer"](model)]
        if part["create_ema"]:
            objects.append(part["create_ema"](model))
        if part["create_rngs"]:
            objects.append(part["create_rngs"]())
        loss, _ = part["train_step"](*objects, *batch)
        after = jax.tree.map(jnp.shape, nnx.state(model, nnx.Param))
        holds(before == after, "a step keeps shapes", (before, after))
        return loss

    needed = [n for n in case.inputs if n not in case.optional]
    loss = jax.eval_shape(run, *abstract(case, needed))
    holds((loss.shape, loss.dtype.name) == ((), "float32"), "a loss", loss)


def sizes(output: Any) -> tuple[tuple[int | None, ...], ...]:
    """The shapes of one output or several."""
    types = (output,) if isinstance(output, TensorType) else output
    return tuple(tuple(s.value for s in t.sizes) for t in types)


def construct(module: types.ModuleType, case: ModelCase) -> Any:
    """The model, as its constructor wants its parameters."""
    model = getattr(module, case.name)
    rngs = "rngs" in inspect.signature(model.__init__).parameters
    streams = {"rngs": nnx.Rngs(0)} if rngs else {}
    hints = typing.get_type_hints(model.__init__)
    if "cfg" in hints:
        return model(hints["cfg"](**renamed(hints["cfg"], case.args)), **streams)
    return model(**renamed(model, case.args), **streams)


def renamed(callee: Any, args: Mapping[str, object]) -> dict[str, object]:
    """Arguments by the names that Python lets them have."""
    names = inspect.signature(callee).parameters
    return {n if n in names else f"{n}_": value for n, value in args.items()}
