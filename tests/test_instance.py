"""Instances of hand-built definitions: weights, shapes, requirements, bounds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnxc import ir
from nnxc.dims import Dim, const, func, symbol
from nnxc.instance import instantiate
from nnxc.instance.evaluate import evaluate, resolve
from nnxc.instance.nodes import Instance, InstanceError, TooLarge, bind, type_bytes
from nnxc.instance.work import MAX_WORK
from nnxc.ir.static_values import EvaluationError, TooMuch, Undecided
from nnxc.ops.base import Call, Kind, Op, Param, Weight
from nnxc.shapes import TensorType, tensor
from nnxc.source import NOWHERE, Source, Span

LINEAR = Op(
    "Linear",
    "layer",
    "",
    Call("nnx.Linear"),
    params=(Param("out", Kind.SIZE), Param("bias", Kind.BOOL, True)),
)
B, D, HIDDEN = symbol("B"), symbol("d"), symbol("hidden")


def place(n: int) -> Span:
    """A span that differs from the others."""
    return Span(Source("t.nnx", "x" * 100), n, n + 1)


def parameter(name: str, default: Any) -> ir.Parameter:
    return ir.Parameter(name, Kind.INT, ir.Literal(default), NOWHERE)


def var(name: str, *sizes: Dim | int | str) -> ir.Var:
    return ir.Var(name, tensor("float", *sizes), NOWHERE)


def linear(
    name: str, before: Dim, after: Dim, span: Span = NOWHERE, **args: ir.Static
) -> ir.Declare:
    weights = {"kernel": Weight((before, after)), "bias": Weight((after,), when="bias")}
    layer = ir.Layer(
        name, LINEAR, (("out", ir.Size(after)), *args.items()), {}, weights, span
    )
    return ir.Declare(layer)


def apply(layer: str, x: ir.Expr, after: Dim, flops: Dim | None = None) -> ir.Apply:
    assert isinstance(x.type, TensorType)
    type = tensor("float", *x.type.sizes[:-1], after)
    return ir.Apply(layer, (("x", x),), None, type, NOWHERE, flops)


def define(
    name: str,
    body: tuple[ir.Stmt, ...],
    params: tuple[ir.Parameter, ...] = (),
    inputs: tuple[ir.ModelInput, ...] = (),
    inferred: tuple[str, ...] = (),
) -> ir.Definition:
    return ir.Definition(
        name, True, "", params, inferred, inputs, (), body, (), (), NOWHERE
    )


def program(*definitions: ir.Definition) -> ir.Program:
    return ir.Program("t.nnx", "", definitions, (), ())


def at(definition: ir.Definition, args: Mapping[str, Any] | None = None) -> Instance:
    return instantiate(program(definition), definition.name, args or {})


def returning(value: ir.Expr) -> ir.Return:
    return ir.Return((value,), NOWHERE)


MLP = define(
    "MLP",
    (
        linear("up", const(2), HIDDEN),
        linear("down", HIDDEN, const(1), bias=ir.Literal(False)),
        returning(
            apply(
                "down",
                apply("up", var("x", "B", 2), HIDDEN, B * HIDDEN * 4),
                const(1),
                B * HIDDEN * 2,
            )
        ),
    ),
    params=(parameter("hidden", 4),),
    inputs=(ir.ModelInput("x", tensor("float", "B", 2), False, NOWHERE),),
)


def test_weights_and_outputs_of_an_mlp() -> None:
    found = at(MLP)
    assert {n: w.sizes for n, w in found.weights().items()} == {
        "up.kernel": (const(2), const(4)),
        "up.bias": (const(4),),
        "down.kernel": (const(4), const(1)),
    }
    assert str(found.outputs) == "[B, 1]"
    assert found.root.parameters == 2 * 4 + 4 + 4
    assert found.root.total_flops == B * 24


def test_axes_make_shapes_and_flops_numbers() -> None:
    found = instantiate(program(MLP), "MLP", {"hidden": 5}, {"B": 3})
    assert str(found.outputs) == "[3, 1]"
    assert found.root.total_flops == 3 * 5 * 6
    assert type_bytes(found.outputs) == 12


BLOCK = define(
    "Block",
    (
        ir.Require(
            ir.StaticBinary(
                "==",
                ir.StaticBinary("%", ir.Ref("d"), ir.Ref("heads")),
                ir.Literal(0),
            ),
            "heads must divide d",
            place(7),
        ),
        linear("fc", D, D),
        returning(apply("fc", var("x", "N", D), D, symbol("N") * D * D * 2)),
    ),
    params=(parameter("heads", 2),),
    inputs=(ir.ModelInput("x", tensor("float", "N", "d"), False, NOWHERE),),
    inferred=("d",),
)


def stacked(count: Any, heads: int = 2) -> ir.Definition:
    layer = ir.Layer(
        "h",
        "Block",
        (("heads", ir.Literal(heads)),),
        {"d": symbol("width")},
        {},
        place(3),
        count=ir.Literal(count),
    )
    call = apply("h", var("x", "B", symbol("width")), symbol("width"))
    return define("Net", (ir.Declare(layer), returning(call)), (parameter("width", 6),))


def test_a_stack_is_walked_once_and_repeated() -> None:
    found = instantiate(program(BLOCK, stacked(3)), "Net")
    assert list(found.weights()) == [
        f"h.{i}.fc.{w}" for i in range(3) for w in ("kernel", "bias")
    ]
    assert found.root.parameters == 3 * (36 + 6)
    assert found.root.total_flops == B * (3 * 72)
    assert [str(r.type) for r in found.rows() if r.path == "h.1.fc"] == ["[B, 6]"]


def test_a_failure_carries_the_layers_that_led_to_it() -> None:
    (failure,) = instantiate(program(BLOCK, stacked(3, heads=4)), "Net").failures
    assert failure.message == "heads must divide d"
    assert (failure.span.start, [s.start for s in failure.chain]) == (7, [3])


def test_an_empty_stack_requires_nothing() -> None:
    found = instantiate(program(BLOCK, stacked(0, heads=4)), "Net")
    assert found.failures == () and found.weights() == {}


@pytest.mark.parametrize("count", [-1, "two", 1.5])
def test_a_stack_needs_a_count(count: Any) -> None:
    with pytest.raises(InstanceError, match="number of layers"):
        instantiate(program(BLOCK, stacked(count)), "Net")


def test_a_huge_stack_is_counted_but_not_listed() -> None:
    found = instantiate(program(BLOCK, stacked(10**9)), "Net")
    assert found.root.parameters == 42 * 10**9
    with pytest.raises(TooLarge):
        found.rows()


def loop(iterable: ir.Static) -> ir.Definition:
    """Each pass maps `c` features to `w`, from 3 on."""
    c, w = symbol("c"), symbol("w")
    body = (
        linear("fc", c, w),
        ir.Assign(("x",), apply("fc", var("x", "B", c), w), NOWHERE),
    )
    carried = (ir.Carried("c", ir.Size(const(3)), ir.Size(w)),)
    return define(
        "Net",
        (
            ir.For(("w",), iterable, body, carried, place(5)),
            returning(var("x", "B", c)),
        ),
    )


def listed(*items: Any) -> ir.StaticList:
    return ir.StaticList(tuple(map(ir.Literal, items)))


def test_a_loop_carries_sizes() -> None:
    found = at(loop(listed(8, 5)))
    kernels = {n: w.sizes for n, w in found.weights().items() if "kernel" in n}
    assert kernels == {
        "fc.0.kernel": (const(3), const(8)),
        "fc.1.kernel": (const(8), const(5)),
    }
    assert str(found.outputs) == "[B, 5]"


def test_elements_of_nested_loops_are_numbered_like_nested_lists() -> None:
    two = ir.StaticCall("range", (ir.Literal(2),))
    inner = ir.For(("j",), two, (linear("fc", const(2), const(2)),), (), NOWHERE)
    net = define("Net", (ir.For(("i",), two, (inner,), (), NOWHERE),))
    kernels = [n for n in at(net).weights() if "kernel" in n]
    assert kernels == [f"fc.{i}.{j}.kernel" for i in (0, 1) for j in (0, 1)]


def test_a_condition_in_a_loop_leaves_gaps() -> None:
    odd = ir.StaticBinary(
        "==", ir.StaticBinary("%", ir.Ref("i"), ir.Literal(2)), ir.Literal(1)
    )
    choice = ir.If(odd, (linear("fc", const(2), const(2)),), (), NOWHERE)
    four = ir.StaticCall("range", (ir.Literal(4),))
    net = define("Net", (ir.For(("i",), four, (choice,), (), NOWHERE),))
    assert [r.path for r in at(net).rows()] == ["", "fc.1", "fc.3"]


def test_an_empty_loop_leaves_the_first_size() -> None:
    assert str(at(loop(listed())).outputs) == "[B, 3]"


def test_a_weight_without_elements_is_a_failure() -> None:
    messages = {f.message for f in at(loop(listed(0))).failures}
    assert "a size below 1: `kernel` would be [3, 0]" in messages


@pytest.mark.parametrize("value", [ir.Literal(7), ir.Literal(None), ir.Literal("ab")])
def test_a_loop_needs_a_list(value: ir.Static) -> None:
    with pytest.raises(InstanceError, match="not a list") as caught:
        at(loop(value))
    assert caught.value.span.start == 5


def test_endless_work_is_refused() -> None:
    many = ir.StaticCall(
        "range",
        (
            ir.Literal(1),
            ir.Literal(MAX_WORK),
        ),
    )
    with pytest.raises(TooLarge):
        at(loop(many))
    with pytest.raises(TooLarge, match="too long"):
        at(loop(ir.StaticCall("range", (ir.Literal(10**18),))))


def doubling(depth: int) -> ir.Program:
    """Each block holds two of the one before: 2**depth layers."""
    x = var("x", "B", 2)
    inputs = (ir.ModelInput("x", tensor("float", "B", 2), False, NOWHERE),)
    blocks = [
        define(
            "B0",
            (linear("fc", const(2), const(2)), returning(apply("fc", x, const(2)))),
            inputs=inputs,
        )
    ]
    for i in range(depth):
        layers = [ir.Layer(n, f"B{i}", (), {}, {}, place(i)) for n in ("f", "g")]
        value = apply("g", apply("f", x, const(2)), const(2))
        body = (*map(ir.Declare, layers), returning(value))
        blocks.append(define(f"B{i + 1}", body, inputs=inputs))
    return program(*blocks)


def test_a_tree_of_equal_blocks_is_walked_once_per_level() -> None:
    found = instantiate(doubling(40), "B40")
    assert found.root.parameters == 6 * 2**40
    with pytest.raises(TooLarge):
        found.weights()


def test_a_shared_layer_has_its_weights_once_and_works_twice() -> None:
    layer = ir.Layer("b", "Block", (), {"d": const(4)}, {}, NOWHERE)
    once = apply("b", var("x", "B", 4), const(4))
    body = (ir.Declare(layer), returning(apply("b", once, const(4))))
    found = instantiate(program(BLOCK, define("Net", body)), "Net")
    assert found.root.parameters == 20
    assert found.root.total_flops == B * 64


def test_a_condition_chooses_layers() -> None:
    choice = ir.If(
        ir.StaticBinary("!=", ir.Ref("wide"), ir.Literal(None)),
        (linear("a", const(2), symbol("wide")),),
        (linear("b", const(2), const(1)),),
        NOWHERE,
    )
    net = define("Net", (choice,), (parameter("wide", None),))
    assert list(at(net).weights()) == ["b.kernel", "b.bias"]
    assert list(at(net, {"wide": 9}).weights()) == ["a.kernel", "a.bias"]


def test_an_optional_input_is_there_only_where_given() -> None:
    inputs = (ir.ModelInput("mask", tensor("bool", "B"), True, NOWHERE),)
    branch = (linear("a", const(1), const(2)),)
    inner = define("Inner", (ir.If(ir.Given("mask"), branch, (), NOWHERE),), (), inputs)
    layer = ir.Layer("inner", "Inner", (), {}, {}, NOWHERE)
    mask = ir.Var("mask", tensor("bool", "B"), NOWHERE)
    call = ir.Apply("inner", (("mask", mask),), None, (), NOWHERE)
    outer = define("Outer", (ir.Declare(layer), returning(call)), (), inputs)
    both = program(inner, outer)
    assert instantiate(both, "Outer").weights() == {}
    given = instantiate(both, "Outer", given=["mask"]).weights()
    assert list(given) == ["inner.a.kernel", "inner.a.bias"]


def test_call_time_sizes_leave_a_requirement_open() -> None:
    holds = ir.StaticBinary("==", ir.Ref("T"), ir.Literal(8))
    net = define("Net", (ir.Require(holds, "T must be 8", NOWHERE, True),))
    assert at(net).failures == ()
    assert instantiate(program(net), "Net", axes={"T": 8}).failures == ()
    assert instantiate(program(net), "Net", axes={"T": 9}).failures != ()


def test_a_required_parameter_without_value_is_an_error() -> None:
    missing = ir.Parameter("width", Kind.SIZE, None, place(2))
    with pytest.raises(InstanceError, match="`width` needs a value"):
        at(define("Net", (), (missing,)))


# --------------------------------------------------------------------- values


def binary(op: str, left: Any, right: Any) -> ir.StaticBinary:
    return ir.StaticBinary(op, ir.Literal(left), ir.Literal(right))


@pytest.mark.parametrize(
    ("static", "message"),
    [
        (binary("//", 1, 0), "division by zero"),
        (binary("%", 1, 0), "division by zero"),
        (binary("<", None, 1), "`<` does not apply to none and 1"),
        (binary("+", "a", 1), "does not apply"),
        (binary("**", -1, 0.5), "root of a negative"),
        (ir.StaticIndex(ir.StaticList((ir.Literal(1),)), ir.Literal(1)), "outside"),
        (ir.StaticIndex(ir.Literal(3), ir.Literal(1)), "not a list"),
        (ir.StaticCall("sqrt", (ir.Literal(-1),)), "does not apply to -1"),
        (ir.StaticCall("int", (ir.Literal(float("inf")),)), "too large"),
        (
            ir.StaticCall("range", (ir.Literal(1), ir.Literal(5), ir.Literal(0))),
            "apply",
        ),
        (ir.StaticCall("zip", (listed(1), listed(1, 2))), "one length"),
        (ir.StaticUnary("-", ir.Literal(None)), "does not apply to none"),
    ],
)
def test_values_that_cannot_be(static: ir.Static, message: str) -> None:
    with pytest.raises(EvaluationError, match=message):
        evaluate(static, {})


@pytest.mark.parametrize(
    "static",
    [
        binary("**", 10, 10**30),
        binary("**", 10**600, 2),
        binary("*", "ab", 10**12),
        binary("*", (1, 2), 10**12),
        binary("**", 10.0, 400),
    ],
)
def test_values_that_are_too_large(static: ir.Static) -> None:
    with pytest.raises(TooMuch):
        evaluate(static, {})


ints = st.integers(-50, 50)


@given(st.sampled_from(["+", "-", "*", "//", "%", "==", "<", ">="]), ints, ints)
def test_arithmetic_is_pythons(op: str, left: int, right: int) -> None:
    if right == 0 and op in ("//", "%"):
        return
    assert evaluate(binary(op, left, right), {}) == eval(f"{left} {op} ({right})")


@given(st.sampled_from(["+", "-", "*", "==", "!=", "<", "<=", ">", ">="]), ints, ints)
def test_arithmetic_over_axes_agrees_with_numbers(op: str, left: int, by: int) -> None:
    static = ir.StaticBinary(
        op, ir.StaticBinary("*", ir.Ref("T"), ir.Literal(left)), ir.Literal(by)
    )
    try:
        symbolic = evaluate(static, {})
    except Undecided:
        return
    for size in (1, 2, 7):
        expected = evaluate(static, {"T": size})
        assert (
            resolve(symbolic, {"T": size}).value == expected
            if isinstance(symbolic, Dim)
            else symbolic == expected
        )


def test_sizes_look_lists_up() -> None:
    env = {"widths": (4, 8), "i": 1}
    size = func("index", symbol("widths"), symbol("i")) * symbol("B")
    assert resolve(size, env) == symbol("B") * 8
    assert resolve(func("len", symbol("widths")), env) == const(2)
    chosen = func("if", symbol("a"), symbol("i"), symbol("b"))
    assert resolve(chosen, {"i": False}) == symbol("b")
    with pytest.raises(EvaluationError, match="outside a list of 2"):
        resolve(func("index", symbol("widths"), const(5)), env)
    with pytest.raises(EvaluationError, match="none where a size is needed"):
        resolve(symbol("d"), {"d": None})


def test_bind_puts_sizes_into_types() -> None:
    assert str(bind(tensor("int", "B", D * 2), {"d": 3})) == "int[B, 6]"
