"""A spec that says the same in other words computes the same, or is refused: runs of its statements
in both arms of an `if`, in a loop of one, as a block of their own.
"""

from __future__ import annotations

import hashlib
import inspect
import typing
from collections.abc import Callable
from typing import Any

import jax
import pytest
from flax import nnx
from interpreted import Case, published, zoo
from interpreting import Subject, frozen
from rewriting import read, rewritten

from nnxc.driver import analyse
from nnxc.syntax.formatting.format import format_file
from tests.fuzz.build import renamed, unfilled

MAKERS = {m.name: m for m in (*zoo(), *published())}
QUICK = ("actor_critic", "char_gpt", "lstm_classifier", "vae")
SOME = [n for n in MAKERS if "/" not in n and n not in QUICK]
SOME += [n for n in MAKERS if "/" in n][::6]
MOST = 12  # rewritings of one spec


class Traced:
    """What JAX is told of a model, whatever the order of its weights and equations."""

    def __init__(self, subject: Subject, case: Case) -> None:
        cls = getattr(subject.module, case.model)
        hints, given = typing.get_type_hints(cls.__init__), frozen(case.args)
        streams = "rngs" in inspect.signature(cls.__init__).parameters

        def made() -> Any:
            rngs = {"rngs": nnx.Rngs(0)} if streams else {}
            if "cfg" in hints:
                return cls(hints["cfg"](**renamed(hints["cfg"], given)), **rngs)
            return cls(**renamed(cls.__init__, given), **rngs)

        with unfilled():
            graphdef, state = nnx.split(nnx.eval_shape(made))
        leaves, self.tree = jax.tree.flatten(state)
        self.graphdef, self.cls, self.names = graphdef, cls, list(case.inputs)
        closed = jax.make_jaxpr(self.call)(leaves, *case.inputs.values())
        inputs = [f"input {n}" for n in self.names]
        self.digest = outputs(closed.jaxpr, ["weight"] * len(leaves) + inputs)

    def call(self, leaves: Any, *inputs: Any) -> Any:
        model = nnx.merge(self.graphdef, jax.tree.unflatten(self.tree, leaves))
        takes = inspect.signature(self.cls.__call__).parameters
        named = {
            n if n in takes else f"{n}_": x
            for n, x in zip(self.names, inputs, strict=True)
        }
        return model(**named, **({"rngs": nnx.Rngs(1)} if "rngs" in takes else {}))


def outputs(jaxpr: Any, names: list[str]) -> list[str]:
    """A digest of each output: of the equations that it is made of."""
    known = {v: f"constant {v.aval.str_short()}" for v in jaxpr.constvars}
    for var, name in zip(jaxpr.invars, names, strict=True):
        known[var] = f"{name} {var.aval.str_short()}"

    def value(atom: Any) -> str:
        return f"{atom.val} {atom.aval}" if hasattr(atom, "val") else known[atom]

    for equation in jaxpr.eqns:
        given = [value(a) for a in equation.invars]
        params = [f"{n}={said(p)}" for n, p in sorted(equation.params.items())]
        text = "|".join([equation.primitive.name, *given, *params])
        digest = hashlib.sha256(text.encode()).hexdigest()
        for at, var in enumerate(equation.outvars):
            same = equation.primitive.name == "convert_element_type" and (
                var.aval.dtype == equation.invars[0].aval.dtype
            )
            known[var] = given[0] if same else f"{digest} {at}"
    return [value(a) for a in jaxpr.outvars]


def said(param: Any) -> str:
    """A parameter of an equation: functions by what they compute."""
    inner = getattr(param, "jaxpr", param)
    if hasattr(inner, "eqns"):
        return str(outputs(inner, [f"given {n}" for n in range(len(inner.invars))]))
    if isinstance(param, tuple | list):
        return str([said(p) for p in param])
    return getattr(param, "__name__", str(param)) if callable(param) else str(param)


def differing(make: Callable[[], Case]) -> tuple[dict[str, str], int]:
    """The rewritings that compute something else, or fail; and how many compute the same."""
    case = make()
    file, read_file = read(case.subject.text), case.subject.read
    wanted = Traced(Subject(format_file(file), read_file), case).digest
    found = list(rewritten(file, case.subject.program))
    same, wrong = 0, {}
    for one in found[:: len(found) // MOST + 1]:
        text = format_file(one.file)
        analysis = analyse(text, path="spec.nnx", read=read_file)
        if analysis.program is None or analysis.diagnostics:
            continue  # refused, as where a name has no value on every way
        try:
            got = Traced(Subject(text, read_file), case).digest
        except Exception as error:
            wrong[one.label] = repr(error)
            continue
        same += got == wanted
        if got != wanted:
            wrong[one.label] = text
    return wrong, same


@pytest.mark.parametrize("name", QUICK)
def test_other_words_compute_the_same(name: str) -> None:
    wrong, same = differing(MAKERS[name])
    assert wrong == {} and same


@pytest.mark.heavy
@pytest.mark.parametrize("name", SOME)
def test_so_they_do_for_larger_models(name: str) -> None:
    assert differing(MAKERS[name])[0] == {}
