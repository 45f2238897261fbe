"""The formatter: what it writes, and the laws that it keeps."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from trees import FILES

from nnxc.diagnostics import Sink
from nnxc.driver import reformat
from nnxc.source import Source
from nnxc.syntax import tree
from nnxc.syntax.formatting.format import WIDTH, format_file, format_source
from nnxc.syntax.parse import parse

ZOO = sorted((Path(__file__).parents[1] / "dsl/nnxc/zoo").rglob("*.nnx"))


def read(text: str) -> tree.File:
    sink = Sink()
    file = parse(Source("a.nnx", text), sink)
    assert not sink.diagnostics, [d.message for d in sink.diagnostics]
    return file


def formatted(text: str) -> str:
    return format_file(read(text))


@settings(max_examples=100, deadline=None)
@given(FILES)
def test_formatted_text_means_the_same_tree(file: tree.File) -> None:
    text = format_file(file)
    assert read(text) == file
    assert formatted(text) == text


@pytest.mark.parametrize("path", ZOO, ids=lambda path: path.stem)
def test_formatting_keeps_the_zoo_and_every_comment(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    result = formatted(text)
    assert read(result) == read(text)
    assert sorted(comments(result)) == sorted(comments(text))
    assert all(
        len(line.split("#")[0].rstrip()) <= WIDTH for line in result.splitlines()
    )


def comments(text: str) -> list[str]:
    return [
        line[line.index("#") :].strip() for line in text.splitlines() if "#" in line
    ]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("x=f( a,b = 1, )", "x = f(a, b=1)"),
        ("x = 'it''s'", None),
        ("x = 'say \"hi\"\\n'", 'x = "say \\"hi\\"\\n"'),
        ("x = ((a + b)) * (c)", "x = (a + b) * c"),
        ("x = a - (b - c)", "x = a - (b - c)"),
        ("x = (a**b)**c", "x = (a**b)**c"),
        ("x = a ** b ** c", "x = a**b**c"),
        ("x = (-a) ** b", "x = (-a)**b"),
        ("x = not (a and b) or c", "x = not (a and b) or c"),
        ("x = (a if b else c) if d else e", "x = (a if b else c) if d else e"),
        ("x = (a -> f) + b", "x = (a -> f) + b"),
        ("x = (a -> f) -> g", "x = (a -> f) -> g"),
        (
            "x = a->(f|g->h)->concat(axis = C)",
            "x = a -> (f | g -> h) -> concat(axis=C)",
        ),
        ("x[ ..., :, none, 1 : -1 ]", "x[..., :, none, 1:-1]"),
        ("x : f32 [ B,T ]", "x : f32[B, T]"),
        ("(state)", "(state)"),
        ("input x:[B,3*d], c:Cache=none", "input x: [B, 3 * d], c: Cache = none"),
        ("rngs  params,dropout", "rngs params, dropout"),
        ("require a==b,'differ'", 'require a == b, "differ"'),
        ("freeze  h.attn,h[0]", "freeze h.attn, h[0]"),
    ],
)
def test_statements(before: str, after: str | None) -> None:
    text = f"model M:\n    {before}\n"
    if after is None:
        assert format_source(Source("a.nnx", text), Sink()) is None
    else:
        assert formatted(text) == f"model M:\n    {after}\n"


def test_long_lists_of_parameters_fill_their_lines() -> None:
    names = [f"parameter_{i} = {i}" for i in range(12)]
    head = formatted(f"model M({', '.join(names)}):\n    return x\n")
    first, *lines, last, _ = head.splitlines()
    assert (first, last) == ("model M(", "):") and len(lines) == 2
    assert " ".join(line.strip() for line in lines) == ", ".join(names) + ","


BEFORE = """\
use A,B   from 'b.nnx'
config  base = M( 3 )
# A model.
model M(d=3): # head

    input x:[B,d]
    y = x
      # first
      -> Linear(d) as f # one


      # second
      -> relu
    z = Attention(y, heads, causal=true, window=none, positions=positions, # why
       theta=10_000, cache=cache_of_keys_and_values_of_this_layer)
    z = Attention(y, heads_of_the_whole_transformer_model, causal=true, positions=positions, cache=cache_of_keys)
    if  a :
        y = z
    elif b:  # or
        y = 2*z
    else :
        if c:
            y = 3*z


    return y+aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa+bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb
train M:
    batch x: [B, d]
    loss = mse(model(x), y) -> maximum(0.0) -> minimum(100.0) -> log -> exp -> sqrt -> square -> abs -> softplus -> tanh
# end
"""

AFTER = """\
use A, B from "b.nnx"
config base = M(3)

# A model.
model M(d = 3):  # head
    input x: [B, d]
    y = x
        # first
        -> Linear(d) as f  # one
        # second
        -> relu
    # why
    z = Attention(
        y, heads, causal=true, window=none, positions=positions, theta=10_000,
        cache=cache_of_keys_and_values_of_this_layer,
    )
    z = Attention(
        y, heads_of_the_whole_transformer_model, causal=true, positions=positions, cache=cache_of_keys
    )
    if a:
        y = z
    elif b:  # or
        y = 2 * z
    elif c:
        y = 3 * z

    return (
        y
        + aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
        + bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb
    )

train M:
    batch x: [B, d]
    loss = mse(model(x), y) -> maximum(0.0) -> minimum(100.0) -> log -> exp -> sqrt -> square -> abs
        -> softplus -> tanh

# end
"""


def test_a_whole_file() -> None:
    assert formatted(BEFORE) == AFTER
    assert formatted(AFTER) == AFTER


@pytest.mark.parametrize(
    "text",
    [
        "f(" * 99 + "a" + ")" * 99,
        "[" * 99 + "]" * 99,
        "a + " * 98 + "b",
        "-" * 99 + "a",
        "a if b else " * 98 + "c",
    ],
    ids=lambda text: text[:4],
)
def test_the_deepest_expressions(text: str) -> None:
    file = read(f"model M:\n    x = {text}\n")
    assert read(format_file(file)) == file


def test_mistakes_are_reported_and_nothing_is_formatted() -> None:
    sink = Sink()
    assert format_source(Source("a.nnx", "model M(\n"), sink) is None
    assert [d.code for d in sink.diagnostics] == ["N110"]


def test_an_operator_of_other_libraries_is_written_as_it_stands() -> None:
    """It is refused by the checker, which names what to write instead."""
    spec = "model Net:\n    input x: [B, d]\n    return x @ (x + x)\n"
    assert reformat(spec) == (spec, ())
