"""Every entry against Flax and JAX: shapes, dtypes, weights and state, in both modes of Flax."""

from __future__ import annotations

import inspect
import operator
from typing import Any

import jax
import jax.numpy as jnp
import pytest
from flax import nnx
from oracle import (
    Case,
    apply,
    cases,
    concrete,
    namespace,
    predict,
    rule_args,
    structs,
)

from nnxc.dims_compare import Comparison, compare
from nnxc.ops import ALL, INITIALIZERS, MODEL_OPS
from nnxc.ops.base import REQUIRED, Kind, Op, Param, Shaped
from nnxc.ops.rules.pattern import shape_of

CASES = cases()
SIZES = ((3, 5, 7, 9, 11, 13, 15), (9, 7, 4, 3, 5, 11, 2))


def name(case: Case) -> str:
    return f"{case.op.name}-{case.op.examples.index(case.example)}"


def environments(case: Case) -> list[dict[str, int]]:
    return [dict(zip(case.symbols, sizes, strict=False)) for sizes in SIZES]


@pytest.mark.parametrize("op", MODEL_OPS.values(), ids=lambda op: op.name)
def test_every_entry_has_an_example(op: Op) -> None:
    assert op.examples
    assert op.doc
    if all(p.default is not REQUIRED for p in op.params):
        assert any(not e.args for e in op.examples), "none for its defaults"


def test_names_are_unique() -> None:
    names = [(op.group, op.name) for op in ALL]
    assert len(names) == len(set(names))
    assert len(MODEL_OPS) >= 90


@pytest.mark.parametrize("op", MODEL_OPS.values(), ids=lambda op: op.name)
def test_entries_are_consistent(op: Op) -> None:
    assert not {p.name for p in op.params} & {i.name for i in op.inputs}
    streams = [p for p in op.params if p.kind is Kind.STREAM]
    assert bool(streams) == bool(op.streams) and len(streams) <= 1
    for param in op.params:
        if param.kind is Kind.INIT:
            assert param.default is None or param.default in INITIALIZERS
        if param.choices and isinstance(param.default, str):
            assert param.default in param.choices
    if op.helper is not None:
        cases = [(Case(op, e), op.build_for(e.args)) for e in op.examples]
        builds = [predict(case).build or build for case, build in cases]
        assert any(op.helper.name in str(build) for build in builds)


UNWRITTEN = (Kind.INIT, Kind.DTYPE, Kind.STREAM)
NONE_MEANS = {"keepdims": False, "strides": 1, "kernel_dilation": 1}


def parameters_of(target: Any) -> dict[str, inspect.Parameter]:
    """Those of a function or a constructor, and of the ones that its `**options` go to."""
    if not inspect.isclass(target) or target is object:
        return dict(inspect.signature(target).parameters)
    own = inspect.signature(target.__init__).parameters
    options = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in own.values())
    return (parameters_of(target.__bases__[0]) if options else {}) | dict(own)


@pytest.mark.parametrize("op", MODEL_OPS.values(), ids=lambda op: op.name)
def test_arguments_left_out_have_flax_s_defaults(op: Op) -> None:
    build = predict(Case(op, op.examples[0])).build or op.build
    if isinstance(build, str):
        return
    names = namespace(op)
    target = eval(build.target, names)
    parameters = parameters_of(target)
    for keyword, source in build.kwargs.items():
        param = op.param(source)
        if source.startswith("=") or {keyword, source} & {*build.always}:
            assert keyword in parameters
        elif param is None or param.default is REQUIRED:  # given always
            continue
        elif param.kind not in UNWRITTEN:
            ours = param.default
            if param.choices and isinstance(ours, str):
                ours = eval(param.choices[ours], names)
            theirs = parameters[keyword].default if keyword in parameters else 0
            assert (NONE_MEANS.get(keyword) if theirs is None else theirs) == ours


@pytest.mark.parametrize("case", CASES, ids=name)
def test_symbols_then_numbers_equals_numbers(case: Case) -> None:
    symbolic = predict(case)
    for env in environments(case):
        numeric = predict(case, env)
        assert shape_at(symbolic.out, env) == shape_at(numeric.out, {})
        assert {n: w.sizes for n, w in numeric.weights.items()} == {
            n: tuple(s.substitute(env) for s in w.sizes)
            for n, w in symbolic.weights.items()
        }
        assert symbolic.flops.substitute(env) == numeric.flops


def shape_at(out: Any, env: dict[str, int]) -> Any:
    if isinstance(out, tuple):
        return tuple(shape_at(t, env) for t in out)
    return out.dtype, tuple(s.substitute(env).value for s in out.sizes)


HOLDS = {">=": operator.ge, "!=": operator.ne}


@pytest.mark.parametrize("case", CASES, ids=name)
def test_requirements_hold_where_the_example_runs(case: Case) -> None:
    for env in environments(case):
        for r in predict(case).requires:
            left, right = r.left.substitute(env), r.right.substitute(env)
            if r.relation == "==":
                assert compare(left, right) is Comparison.EQUAL, r.message
            else:
                assert left.value is not None and right.value is not None
                assert HOLDS[r.relation](left.value, right.value), r.message


LAYERS = [case for case in CASES if case.op.group == "layer"]
FUNCTIONS = [case for case in CASES if case.op.group == "function"]


@pytest.mark.parametrize("case", FUNCTIONS, ids=name)
def test_functions_agree_with_jax(case: Case) -> None:
    for env in environments(case):
        shaped = predict(case, env)
        _, call = apply(case, shaped, env)
        assert outputs(jax.eval_shape(call, arrays(case, env))) == expected(shaped)


@pytest.mark.parametrize("graph", [True, False], ids=["graph", "tree"])
@pytest.mark.parametrize("case", LAYERS, ids=name)
def test_layers_agree_with_flax(case: Case, graph: bool) -> None:
    with nnx.set_graph_mode(graph):
        for env in environments(case)[: 2 if graph else 1]:
            shaped = predict(case, env)
            layer, call = apply(case, shaped, env, abstract=True)
            assert variables(layer) == {
                n: (tuple(s.value for s in w.sizes), w.state)
                for n, w in shaped.weights.items()
            }
            graphdef, state = nnx.split(layer)

            def run(state: Any, arrays: Any) -> Any:
                return call(nnx.merge(graphdef, state), arrays)  # noqa: B023

            got = jax.eval_shape(run, state, arrays(case, env))
            assert outputs(got) == expected(shaped)


def arrays(case: Case, env: dict[str, int]) -> dict[str, Any]:
    return {n: structs(concrete(t, env)) for n, t in case.types.items()}


def expected(shaped: Shaped) -> list[Any]:
    several = shaped.out if isinstance(shaped.out, tuple) else (shaped.out,)
    return [described(structs(type)) for type in several]


def outputs(got: Any) -> list[Any]:
    return [described(leaf) for leaf in jax.tree.leaves(got)]


def described(array: Any) -> tuple[tuple[int, ...], str]:
    return tuple(array.shape), jnp.dtype(array.dtype).name


def variables(layer: nnx.Module) -> dict[str, tuple[tuple[int, ...], bool]]:
    """Every variable by its path; whether it is state rather than a weight."""
    return {
        ".".join(map(str, path)): (variable.shape, not isinstance(variable, nnx.Param))
        for path, variable in nnx.to_flat_state(nnx.state(layer))
    }


def shaped_with(case: Case, name: str, value: Any) -> Shaped:
    """What the rule says where an argument has a value, None being one that is not known."""
    inputs = tuple(case.types.get(i.name) for i in case.op.inputs)
    return shape_of(case.op, inputs, {**rule_args(case), name: value})


def values_of(param: Param) -> list[Any]:
    if param.kind is Kind.BOOL:
        return [True, False]
    return [0.25, 0.75] if param.kind is Kind.NUMBER else [*(param.choices or ())]


@pytest.mark.parametrize("case", CASES, ids=name)
def test_what_decides_a_shape_must_be_written_out(case: Case) -> None:
    for param in case.op.params:
        for value in values_of(param) if not param.literal else ():
            known = shaped_with(case, param.name, value)
            unknown = shaped_with(case, param.name, None)
            on = {n for n, w in unknown.weights.items() if w.when == param.name}
            sides = [
                {n: s.weights[n] for n in s.weights if n not in on}
                for s in (known, unknown)
            ]
            assert sides[0] == sides[1]
            assert (known.out, known.sizes) == (unknown.out, unknown.sizes)
            assert (known.requires, known.build) == (unknown.requires, unknown.build)
