"""A value computes the same however it is said: as a literal, a choice, a local, a parameter, in a
list, by a loop, on both sides of an `if`, given by a caller; or it is refused, never as a bug.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import jax
import pytest
from disguises import (
    LITERAL,
    Disguise,
    another,
    applications,
    disguises,
    model,
    numbered,
    subjects,
)
from disguises import text as written
from emitting import load
from flax import nnx
from oracle import Case, cases

from nnxc import emit
from nnxc.driver import analyse
from nnxc.ops.base import Param
from nnxc.shapes import DTYPES

Subject = tuple[Case, Param | None, str, Any]
# What a choice may not decide, or is no one value: see `test_written_out.py`.
TOLD = {"N206", "N207", "N223", "N234", "N303", "N304", "N305"}
# One group by itself is Flax's own layer; a number of groups is a kernel with an axis more.
OTHERWISE = {("ConvTranspose", "groups")}


def is_same(subject: Subject) -> bool:
    case, param, argument, value = subject
    return (case.op.name, argument) not in OTHERWISE and another(
        param, value
    ) is not None


SUBJECTS = [s for s in subjects() if is_same(s)]


def name(subject: Subject) -> str:
    case, _, argument, _ = subject
    return f"{case.op.name}-{case.op.examples.index(case.example)}-{argument}"


def computed(spec: str, given: Mapping[str, Any]) -> str | set[str]:
    """What a model computes, as JAX tells it; the codes of its mistakes."""
    analysis = analyse(spec)
    if analysis.program is None or analysis.diagnostics:
        return {d.code for d in analysis.diagnostics}
    module = load(emit.emit(analysis.program, emit.Options(black=False)))
    parameters = inspect.signature(module.Net.__init__).parameters

    def make() -> Any:
        more = {"rngs": nnx.Rngs(0)} if "rngs" in parameters else {}
        if "cfg" in parameters:
            return module.Net(module.Config(**given), **more)
        return module.Net(**given, **more)

    graphdef, state = nnx.split(nnx.eval_shape(make))
    leaves, tree = jax.tree.flatten(state)

    draws = "rngs" in inspect.signature(module.Net.__call__).parameters

    def call(leaves: Any, *inputs: Any) -> Any:
        model = nnx.merge(graphdef, jax.tree.unflatten(tree, leaves))
        return model(*inputs, **({"rngs": nnx.Rngs(1)} if draws else {}))

    inputs = [
        jax.ShapeDtypeStruct([d.value for d in i.type.sizes], DTYPES[i.type.dtype])
        for i in analysis.program.definitions[-1].inputs
    ]
    return str(jax.make_jaxpr(call)(leaves, *inputs))


def differing(subject: Subject) -> dict[str, str | set[str]]:
    """The ways to say an argument that compute something else, or fail as they should not."""
    case, param, argument, value = subject
    args = {
        n: written(case.op.param(n), numbered(case, v))
        for n, v in case.example.args.items()
    }
    own, other = written(param, value), another(param, value)
    assert other is not None

    def said(way: Disguise) -> str | set[str]:
        return computed(model(case, args | {argument: way.value}, way), way.given)

    literal = said(LITERAL._replace(value=own))
    assert isinstance(literal, str), literal
    found = {way.name: said(way) for way in disguises(own, other)}
    return {
        n: r
        for n, r in found.items()
        if r != literal and not (isinstance(r, set) and r <= TOLD)
    }


def is_quick(subject: Subject) -> bool:
    return subject[0].op.name in ("Linear", "max_pool", "softmax", "unfold")


@pytest.mark.parametrize("subject", [*filter(is_quick, SUBJECTS)], ids=name)
def test_a_value_is_the_same_however_it_is_said(subject: Subject) -> None:
    assert differing(subject) == {}


@pytest.mark.heavy
@pytest.mark.parametrize("subject", [s for s in SUBJECTS if not is_quick(s)], ids=name)
def test_so_are_the_arguments_of_all_entries(subject: Subject) -> None:
    assert differing(subject) == {}


def differently_applied(case: Case) -> dict[str, str | set[str]]:
    """The ways to apply an entry that compute something else, or fail as they should not."""
    args = {
        n: written(case.op.param(n), numbered(case, v))
        for n, v in case.example.args.items()
    }
    literal = computed(model(case, args, LITERAL), {})
    several = {"N234"}  # values that a list or a choice does not hold
    found = {w.name: computed(model(case, args, w), {}) for w in applications(case.op)}
    return {n: r for n, r in found.items() if r not in (literal, several)}


def entry(case: Case) -> str:
    return f"{case.op.name}-{case.op.examples.index(case.example)}"


@pytest.mark.heavy
@pytest.mark.parametrize("case", cases(), ids=entry)
def test_an_entry_is_the_same_however_it_is_applied(case: Case) -> None:
    assert differently_applied(case) == {}
