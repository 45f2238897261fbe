"""Mistakes: each is reported once, at its place, and costs no more than its line."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nnxc.codes import CODES
from nnxc.diagnostics import Diagnostic, Sink
from nnxc.source import Source
from nnxc.syntax import tree
from nnxc.syntax.decode import source_from_bytes
from nnxc.syntax.formatting.format import format_source
from nnxc.syntax.parse import parse
from nnxc.syntax.text_limits import MAX_SIZE

ZOO = sorted((Path(__file__).parents[1] / "dsl/nnxc/zoo").rglob("*.nnx"))
TEXTS = [path.read_text(encoding="utf-8") for path in ZOO]


def check(text: str) -> tuple[tree.File, tuple[Diagnostic, ...]]:
    sink = Sink()
    file = parse(Source("a.nnx", text), sink)
    return file, sink.diagnostics


def places(text: str) -> list[str]:
    """Each mistake as `code line:column`."""
    _, found = check(text)
    positions = [d.primary.span.source.position(d.primary.span.start) for d in found]
    return [f"{d.code} {at[0]}:{at[1]}" for d, at in zip(found, positions, strict=True)]


STATEMENTS = {
    "if a\n        x = 1": "N105 2:9",
    "x = f(a": "N110 2:10",
    "x = f([a)": "N110 2:11",
    "x = f(a]": "N111 2:12",
    "x = a)": "N111 2:10",
    "x = 'abc": "N112 2:9",
    "x = f('abc)": "N112 2:11",
    "x = 'a\\q'": "N113 2:11",
    "x = 1__0": "N114 2:9",
    "x = 01": "N114 2:9",
    "x = 3xx3": "N114 2:9",
    "x = 1.": "N114 2:9",
    "x = 0x1F": "N114 2:9",
    "x = 1e999": "N115 2:9",
    "x = " + "9" * 301: "N115 2:9",
    "x = a $ b ? c": "N116 2:11",
    "x = caf\u00e9": "N116 2:12",
    "x = a \u2192 f": "N116 2:11",
    "x = " + "-" * 101 + "a": "N117 2:9",
    "x = " + "(" * 101 + "a" + ")" * 101: "N117 2:109",
    "x = * 3": "N120 2:9",
    "x = y = 3": "N120 2:11",
    "x = a if b": "N120 2:15",
    "x, y = a, b": "N120 2:13",
    "x = +3": "N120 2:9",
    "input x": "N120 2:11",
    "input": "N120 2:10",
    "for i in x -> f:\n        y = i": "N120 2:16",
    "if x = 3:\n        y = 1": "N121 2:10",
    "require x = 3": "N121 2:15",
    "x = f((a = b))": "N121 2:14",
    "while x:\n        y += 1 +": "N122 2:5",
    "x = lambda y: y": "N122 2:9",
    "pass": "N122 2:5",
    "x = True": "N123 2:9",
    "lambda = 3": "N124 2:5",
    "input for: [B]": "N124 2:11",
    "x = f(in=3)": "N124 2:11",
    "x -> f as if": "N124 2:15",
    "x = a ->": "N125 2:11",
    "x = a -> -> f": "N125 2:11",
    "x = -> f": "N125 2:9",
    "x = f(a b)": "N126 2:13",
    "rngs a b": "N126 2:12",
    "x = a < b < c": "N127 2:15",
    "return a=x, x": "N128 2:17",
    "x = f(a=1, b)": "N130 2:16",
    "x = f(a=1, a=2)": "N131 2:16",
    "f(x) = 3": "N132 2:5",
    "x, y.z = a": "N132 2:8",
    "inpt x: [B]": "N133 2:5",
    "model N:\n        return x": "N135 2:5",
    "else:\n        x = 1": "N136 2:5",
    "x = a && b": "N138 2:11",
    "x /= 2": "N138 2:7",
    "B = 3": "N141 2:5",
    "input X: [B]": "N141 2:11",
    "x -> f as Head": "N141 2:15",
    "scan xt in x over T with h = h0\n        h = xt": "N105 2:36",
    "scan xt in x over T:\n        h = xt": "N120 2:24",
    "scan xt in x with h = h0:\n        h = xt": "N120 2:18",
    "scan xt over T with h = h0:\n        h = xt": "N120 2:13",
    "scan xt in x over T with h:\n        h = xt": "N120 2:31",
    "scan Xt in x over T with h = h0:\n        h = Xt": "N141 2:10",
    "scan xt in x over T with h = h0:": "N108 2:36",
    "collect h": "N120 2:14",
    "collect": "N120 2:12",
}


@pytest.mark.parametrize("statement", STATEMENTS)
def test_a_mistake_in_a_statement(statement: str) -> None:
    text = f"model M:\n    {statement}\n    return x\n"
    assert places(text) == [STATEMENTS[statement]]
    file, _ = check(text)
    last = file.items[0]
    assert isinstance(last, tree.Definition)
    assert isinstance(last.body[-1], tree.Return)


FILES = {
    "extern": "N120 1:7",
    "": "N103 1:1",
    "# nothing\n": "N103 1:1",
    "model M:\n    x = '\0'\n": "N104 2:10",
    "model M\n    return x\n": "N105 1:8",
    "model M:\n\treturn x\n\treturn y\n": "N106 2:1",
    "  model M:\n    return x\n": "N107 1:3",
    "model M:\n    x = 1\n      y = 1\n      z = 1\n": "N107 3:7",
    "use A from 'a.nnx'\n    x = 1\n": "N107 2:5",
    "model M:\nmodel N:\n    return x\n": "N108 1:8",
    "model M:\nx = 1\nreturn x\n": "N108 2:1",
    "model M:\n    if a:\n    return x\n": "N108 2:9",
    "model M: return x\n": "N108 1:10",
    "model M:\n    if a:\n        x = 1\n      y = 1\n      z = 1\n": "N109 4:7",
    "model M(d = 1:\n    y = f(x)\n    return y\n": "N110 1:8",
    "model M:\n    x = f(\n    y = 1\n\ntrain M:\n    loss = y\n": "N110 2:10",
    "def f(x):\n    return lambda: x\n": "N122 1:1",
    "import jax\n": "N122 1:1",
    "model if:\n    return x\n": "N124 1:7",
    "modle M:\n    return x\n": "N133 1:1",
    "x = 1\nreturn x\n": "N134 1:1",
    "for i in range(3):\n    y = x\n": "N134 1:1",
    "use A 'a.nnx'\n": "N137 1:7",
    "use A\n": "N137 1:6",
    "use A from a\n": "N137 1:12",
    "model m_lp:\n    return x\n": "N140 1:7",
    "block B(Rate):\n    return x\n": "N141 1:9",
    "config Big = M(1)\n": "N141 1:8",
    "shard M over data:\n    B: [data]\n": "N190 1:1",
    "shard Net over data:\n    B: data\n": "N190 1:1",
    'extern "a.py" f(T)\n': "N120 1:19",
    "extern f(T) -> int[T]\n": "N120 1:8",
    'extern "a.py" f(t: int) -> \n': "N125 1:25",
    "weight M from 'm.{path}':\n    a, b = 'a', 'b'\n    config d = 'd'\n": "N133 1:1",
    "weights M from 5:\n    a, b = 'a', 'b'\n    config d = 'd'\n": "N120 1:16",
    "a, b = 'a', 'b'\nignore 'c'\n": "N134 1:1",
    "#" * (MAX_SIZE + 1): "N102 1:1",
    "model M:\n" + "".join(f"{'    ' * n}if a:\n" for n in range(1, 30)): "N117 22:85",
    "model M:\n    if a:\n        b\n" + "    elif a:\n        b\n" * 100: "N117 2:5",
}


@pytest.mark.parametrize("text", FILES, ids=lambda text: repr(text[:40]))
def test_a_mistake_in_a_file(text: str) -> None:
    assert places(text) == [FILES[text]]


def test_every_syntax_code_is_covered() -> None:
    covered = {place[:4] for place in (*STATEMENTS.values(), *FILES.values())}
    syntax = {code for code in CODES if code.startswith("N1")}
    assert syntax - covered == {"N101"}


def test_all_mistakes_of_a_file_are_found_in_one_run() -> None:
    text = (
        "use A 'a.nnx'\n"
        "block B(rate, Size = 1)\n"
        "    inpt x: [B]\n"
        "    if rate = 1:\n"
        "        y = f(a b)\n"
        "    else:\n"
        "        y = 1__0\n"
        "    return y ->\n"
        "model C(:\n"
        "    x = a < b < c\n"
        "    return x\n"
    )
    assert [place.split(":")[0] for place in places(text)] == [
        "N137 1", "N141 2", "N105 2", "N133 3", "N121 4", "N126 5", "N114 7", "N125 8",
        "N110 9", "N127 10",
    ]  # fmt: skip


def test_what_is_left_out_is_marked() -> None:
    file, _ = check(
        "use A 'a.nnx'\nblock B:\n    x = f(a b)\n    return x\n"
        "model C:\n    for i in f(a b):\n        return i\n    return x\n"
        "model D:\n    return x\n"
    )
    b, c, d = file.items
    assert file.broken
    assert [b.broken, c.broken, d.broken] == [True, True, False]
    assert [len(item.body) for item in (b, c, d)] == [1, 1, 1]
    assert file.lost == {"A"}
    assert [item.lost for item in (b, c, d)] == [
        {"x", "f", "a", "b"},
        {"i", "f", "a", "b"},
        frozenset(),
    ]


def test_a_missing_colon_or_a_tab_costs_nothing() -> None:
    file, found = check("model M(d = 1)\n\tif d\n\t\tx = True\n\treturn x\n")
    assert [d.code for d in found] == ["N106", "N105", "N105", "N123"] or len(
        found
    ) == 4
    (model,) = file.items
    assert isinstance(model, tree.Definition)
    assert not model.broken
    assert [type(s) for s in model.body] == [tree.If, tree.Return]


@pytest.mark.parametrize(
    ("text", "help"),
    [
        ("modle M:\n    return x\n", "did you mean `model`?"),
        ("model M:\n    x = f(a\n", "close it with `)`"),
        ("model M:\n    x = f(a]\n", "write `)`"),
        ("model M:\n    retrun x\n", "did you mean `return`?"),
        ("model M:\n    x = 3xx3\n", "did you mean `3x3`?"),
        ("model M:\n    x = 1__000\n", "did you mean `1_000`?"),
        ("model M:\n    x = 007\n", "did you mean `7`?"),
        ("model M:\n    x = None\n", "did you mean `none`?"),
        ("model m_lp:\n    return x\n", "did you mean `MLp`?"),
        ("model M:\n    hiddenSize = 1\n", "did you mean `hidden_size`?"),
        ("model M:\n    if x = 1:\n        y = 1\n", "did you mean `==`?"),
        ("model M:\n    x = a || b\n", "write `or`"),
        ("model M:\n    x = \u201ca\u201d\n", 'write plain quotes: `"..."`'),
        ("model M:\n    assert a\n", "write `require condition` for a check on sizes"),
    ],
)
def test_help_names_the_repair(text: str, help: str) -> None:
    _, (found, *_) = check(text)
    assert found.help == help


def test_fixes_repair() -> None:
    text = "model M(d = 1)\n\tx = True\n\tif x = 3:\n\t\ty = 'a\\q'\n\treturn y\n"
    while found := check(text)[1]:
        fix = next(d.fix for d in found if d.fix)
        text = text[: fix.span.start] + fix.text + text[fix.span.end :]
    assert text == (
        "model M(d = 1):\n    x = true\n    if x == 3:\n"
        "        y = 'a\\\\q'\n    return y\n"
    )


def test_a_head_that_stands_deeper_than_its_body_is_one_mistake() -> None:
    text = "     model Net():\n    input x: [B, 2]\n    return x\n"
    file, found = check(text)
    assert [d.code for d in found] == ["N107"]
    (item,) = file.items
    assert isinstance(item, tree.Definition) and len(item.body) == 2


def test_bytes_become_text() -> None:
    sink = Sink()
    source = source_from_bytes("a.nnx", b"\xef\xbb\xbfmodel M:\r\n  x\r\r\n", sink)
    assert source is not None
    assert source.text == "model M:\n  x\n\n"
    assert not sink.diagnostics
    assert source_from_bytes("a.nnx", "# é\r\n# ".encode() + b"\xff", sink) is None
    (found,) = sink.diagnostics
    assert found.code == "N101"
    assert found.primary.span.source.position(found.primary.span.start) == (2, 3)


def test_a_byte_order_mark_and_carriage_returns_are_accepted() -> None:
    assert places("\ufeffmodel M:\r\n    return x\r\n") == []


@settings(max_examples=150, deadline=None)
@given(st.text("model M(x=1):\n\t [],->as'\"\\0.if else#+@é{lambda}", max_size=80))
def test_any_text_is_parsed(text: str) -> None:
    _, found = check(text)
    assert {d.code for d in found} <= set(CODES)


@settings(max_examples=80, deadline=None)
@given(st.sampled_from(TEXTS), st.data())
def test_a_damaged_spec_is_parsed(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text)))
    end = min(len(text), start + data.draw(st.integers(0, 9)))
    patch = data.draw(st.sampled_from(["", "(", "]", "\n", " ", "\t", "->", "'", "if"]))
    damaged = text[:start] + patch + text[end:]
    assert len(places(damaged)) <= 8
    assert formatted_or_faulty(damaged)


def formatted_or_faulty(text: str) -> bool:
    sink = Sink()
    result = format_source(Source("a.nnx", text), sink)
    return (result is None) == bool(sink.diagnostics)


@pytest.mark.parametrize(
    "text",
    ["(" * 90_000, "x = f(\n" * 20_000, ")" * 90_000, "[(" * 9 + "]" * 90_000]
    + ["model M:\n    x = " + part * 9_000 for part in ("not ", "a + ", "a -> ", "a.b")]
    + ["model M:\n" + "    if a:\n        b\n" * 5_000, "?" * 90_000, "\0 " * 40_000],
    ids=lambda text: repr(text[-12:]),
)
def test_extreme_texts_end(text: str) -> None:
    check(text)
