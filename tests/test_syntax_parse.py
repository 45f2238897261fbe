"""What is written, and the tree that it is."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from nnxc.diagnostics import Sink
from nnxc.source import Source
from nnxc.syntax import tree
from nnxc.syntax.parse import parse
from nnxc.syntax.tree import (
    Arg,
    Assertion,
    Attribute,
    Binary,
    Branch,
    Call,
    Constant,
    Dots,
    IfElse,
    Index,
    ListOf,
    Name,
    Named,
    Number,
    Pipe,
    Slice,
    Stage,
    String,
    TypeOf,
    Unary,
    Window,
)

ZOO = sorted((Path(__file__).parents[1] / "dsl/nnxc/zoo").rglob("*.nnx"))


def read(text: str) -> tree.File:
    sink = Sink()
    file = parse(Source("a.nnx", text), sink)
    assert not sink.diagnostics, [d.message for d in sink.diagnostics]
    assert not file.broken
    return file


def body(text: str) -> tuple[tree.Statement, ...]:
    indented = "".join(f"    {line}\n" for line in text.splitlines())
    (model,) = read(f"model M:\n{indented}").items
    assert isinstance(model, tree.Definition)
    return model.body


def value(text: str) -> tree.Expr:
    (statement,) = body(f"x = {text}")
    assert isinstance(statement, tree.Assign)
    return statement.value


def call(name: str, *args: tree.Expr) -> Call:
    return Call(Name(name), tuple(Arg(None, arg) for arg in args))


A, B, C, D = (Name(letter) for letter in "abcd")
ONE, TWO = Number(1, "1"), Number(2, "2")

EXPRESSIONS = {
    "a or b and c": Binary("or", A, Binary("and", B, C)),
    "not a == b": Unary("not", Binary("==", A, B)),
    "not a and b": Binary("and", Unary("not", A), B),
    "a + b < c": Binary("<", Binary("+", A, B), C),
    "a - b - c": Binary("-", Binary("-", A, B), C),
    "a + b * c": Binary("+", A, Binary("*", B, C)),
    "a // b % c": Binary("%", Binary("//", A, B), C),
    "-a * b": Binary("*", Unary("-", A), B),
    "-a ** 2": Unary("-", Binary("**", A, TWO)),
    "a ** -b ** c": Binary("**", A, Unary("-", Binary("**", B, C))),
    "a if b else c if d else a": IfElse(B, A, IfElse(D, C, A)),
    "a if b or c else d": IfElse(Binary("or", B, C), A, D),
    "a + b -> f": Pipe(Binary("+", A, B), (Stage(Name("f")),)),
    "a -> f if b else c": Pipe(A, (Stage(IfElse(B, Name("f"), C)),)),
    "a -> f as g -> h": Pipe(A, (Stage(Named(Name("f"), "g")), Stage(Name("h")))),
    "f(a)(b) as c": Named(Call(call("f", A), (Arg(None, B),)), "c"),
    "a as b -> f": Pipe(Named(A, "b"), (Stage(Name("f")),)),
    "a -> [b, ...]": Pipe(A, (Stage(ListOf((B, Dots()))),)),
    "a -> f : [b]": Assertion(Pipe(A, (Stage(Name("f")),)), TypeOf(None, (B,))),
    "a : f32[b, 4 * d]": Assertion(
        A, TypeOf("f32", (B, Binary("*", Number(4, "4"), D)))
    ),
    "a : KVCache": Assertion(A, TypeOf("KVCache", None)),
    "a : int[]": Assertion(A, TypeOf("int", ())),
    "(a : bool[...])": Assertion(A, TypeOf("bool", (Dots(),))),
    "a -> (b | c -> d)": Pipe(A, (Stage(Branch((B, Pipe(C, (Stage(D),))))),)),
    "a -> b as (c, d,)": Pipe(
        A, (Stage(Branch((Named(B, "c"), Named(B, "d")), alike=True)),)
    ),
    "f(a -> b, c=d,)": Call(Name("f"), (Arg(None, Pipe(A, (Stage(B),))), Arg("c", D))),
    "f * 3": Binary("*", Name("f"), Number(3, "3")),
    "a.b.c": Attribute(Attribute(A, "b"), "c"),
    "a[1:, ::2, :-1, ..., none, b]": Index(
        A,
        (
            Slice(ONE, None, None),
            Slice(None, None, TWO),
            Slice(None, Unary("-", ONE), None),
            Dots(),
            Constant(None),
            B,
        ),
    ),
    "a[:]": Index(A, (Slice(None, None, None),)),
    "[]": ListOf(()),
    "[true, false, none]": ListOf((Constant(True), Constant(False), Constant(None))),
    "3x3": Window((3, 3)),
    "7x1x12": Window((7, 1, 12)),
    "1_000": Number(1000, "1_000"),
    "1e-3": Number(1e-3, "1e-3"),
    ".5": Number(0.5, ".5"),
    "0": Number(0, "0"),
    "'a\\'b\\n\\\\'": String("a'b\n\\"),
    '"a\'b"': String("a'b"),
    "state + model": Binary("+", Name("state"), Name("model")),
}


@pytest.mark.parametrize("text", EXPRESSIONS)
def test_expressions(text: str) -> None:
    assert value(text) == EXPRESSIONS[text]


STATEMENTS = {
    "rngs params, dropout": tree.Rngs((Name("params"), Name("dropout"))),
    "input x: [a], c: Cache = none": tree.Declare(
        "input",
        (
            tree.Field("x", TypeOf(None, (A,)), None),
            tree.Field("c", TypeOf("Cache", None), Constant(None)),
        ),
    ),
    "param w: [a] = ones": tree.Declare(
        "param", (tree.Field("w", TypeOf(None, (A,)), Name("ones")),)
    ),
    "state state: int[] = 1": tree.Declare(
        "state", (tree.Field("state", TypeOf("int", ()), ONE),)
    ),
    "a, b = c": tree.Assign((A, B), "=", C),
    "a *= b": tree.Assign((A,), "*=", B),
    "state -= a": tree.Assign((Name("state"),), "-=", A),
    "for a, b in c:\n    a += b": tree.For((A, B), C, (tree.Assign((A,), "+=", B),)),
    "if a:\n    b\nelif c:\n    d\nelse:\n    a": tree.If(
        A,
        (tree.Evaluate(B),),
        (tree.If(C, (tree.Evaluate(D),), (tree.Evaluate(A),)),),
    ),
    "init a.b = c, d = a(b)": tree.Init(
        (tree.Initial(("a", "b"), C), tree.Initial(("d",), call("a", B)))
    ),
    "require a == b": tree.Require(Binary("==", A, B), None),
    "require a, 'why'": tree.Require(A, "why"),
    "return a, b -> c": tree.Return((A, Pipe(B, (Stage(C),)))),
    "return a=a, b=b -> c": tree.Return((A, Pipe(B, (Stage(C),))), (A, B)),
    "return (\n    a=a,\n    b=b,\n)": tree.Return((A, B), (A, B)),
    "model(a)": tree.Evaluate(call("model", A)),
    "metric error = a": tree.Metric("error", A),
    "freeze a.b, c[1]": tree.Select("freeze", (Attribute(A, "b"), Index(C, (ONE,)))),
    "decays a, b.c": tree.Select("decays", (A, Attribute(B, "c"))),
    "only a": tree.Select("only", (A,)),
    "frozen a = a(b)": tree.Frozen(
        "a", tree.Call(A, (tree.Arg(None, tree.Name("b")),))
    ),
    "adapt a(on) on a.b, c": tree.Adapt(
        tree.Call(A, (tree.Arg(None, tree.Name("on")),)), (Attribute(A, "b"), C)
    ),
}


@pytest.mark.parametrize("text", STATEMENTS)
def test_statements(text: str) -> None:
    assert body(text) == (STATEMENTS[text],)


def test_items() -> None:
    file = read(
        "use A, b from 'c.nnx'\n"
        "defaults Linear(bias=false), Norm()\n"
        "block A:\n    return a\n"
        "model B(a, b = 1,):\n    return b\n"
        "config small = B(1)\n"
        "train B:\n    loss = a\n"
    )
    bias = Arg("bias", Constant(False))
    assert file.items == (
        tree.Use((Name("A"), Name("b")), String("c.nnx")),
        tree.Defaults((Call(Name("Linear"), (bias,)), call("Norm"))),
        tree.Definition("block", Name("A"), (), (tree.Return((A,)),)),
        tree.Definition(
            "model",
            Name("B"),
            (tree.Parameter("a", None), tree.Parameter("b", ONE)),
            (tree.Return((B,)),),
        ),
        tree.Config(Name("small"), call("B", ONE)),
        tree.Train(Name("B"), (tree.Assign((Name("loss"),), "=", A),)),
    )


def test_lines_continue_in_brackets_and_before_arrows() -> None:
    first, second = body("x = f(a,\n\n# why\nb\n  )\ny = a\n\n-> f\n        -> g")
    assert isinstance(first, tree.Assign) and isinstance(second, tree.Assign)
    assert first.value == call("f", A, B)
    assert first.trivia.above == ("# why",)
    assert isinstance(second.value, Pipe)
    assert [stage.new_line for stage in second.value.stages] == [True, True]


def test_comments_have_places() -> None:
    text = (
        "# top\n\n# first\nmodel M:  # head\n    # above\n\n    x = a  # source\n"
        "        # before\n        -> f  # f's\n        -> g  # after\n"
        "    if x:  # if\n        y = x\n    # over else\n    else:  # else\n"
        "        y = a\n    return y\n    # late\n\n# tail\n"
    )
    file = read(text)
    (model,) = file.items
    assert isinstance(model, tree.Definition)
    assert model.trivia == tree.Trivia(("# top", "", "# first"), after="# head")
    first, choice, _ = model.body
    assert first.trivia == tree.Trivia(("# above", ""), after="# after")
    assert isinstance(first, tree.Assign) and isinstance(first.value, Pipe)
    assert first.value.comment == "# source"
    before, last = first.value.stages
    assert (before.above, before.comment) == (("# before",), "# f's")
    assert (last.above, last.comment) == ((), None)
    assert isinstance(choice, tree.If)
    assert choice.else_trivia == tree.Trivia(("# over else",), after="# else")
    assert file.tail == ("# late", "", "# tail")


def test_spans_cover_what_was_written() -> None:
    source = Source("a.nnx", "model M(d = 1):\n    x = (a + b).c -> f(d) as g : [B]\n")
    (model,) = parse(source, Sink()).items
    assert isinstance(model, tree.Definition)
    assert model.span.text == "model M(d = 1):"
    assert model.params[0].name_span.text == "d"
    (assign,) = model.body
    assert isinstance(assign, tree.Assign)
    assert isinstance(assign.value, Assertion)
    assert assign.value.type.span.text == "[B]"
    pipe = assign.value.value
    assert isinstance(pipe, Pipe)
    assert pipe.source.span.text == "(a + b).c"
    assert pipe.stages[0].span.text == "-> f(d) as g"
    assert isinstance(pipe.stages[0].value, Named)
    assert pipe.stages[0].value.name_span.text == "g"


@pytest.mark.parametrize("path", ZOO, ids=lambda path: path.stem)
def test_the_zoo_is_read(path: Path) -> None:
    assert read(path.read_text(encoding="utf-8")).items


def test_work_grows_with_the_text() -> None:
    line = "    x += x -> LayerNorm as n{0} -> Linear(4 * d) as c{0} -> gelu -> Dropout(0.1)\n"

    def calls(numbers: range) -> int:
        """How many functions are called to read so many lines, none of them read before."""
        text, count = "model M:\n" + "".join(map(line.format, numbers)), 0

        def counted(frame: object, event: str, argument: object) -> None:
            nonlocal count
            count += event == "call"

        sys.setprofile(counted)
        try:
            read(text)
        finally:
            sys.setprofile(None)
        return count

    assert calls(range(1000, 1480)) < 9 * calls(range(60))
