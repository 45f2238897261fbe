"""Specs that are broken, hostile or merely strange: none may do more than be refused.

Most are valid specs with a few things changed; the rest are built around hostile names, texts,
numbers and nestings.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from .valid import specs

Draw = Callable[[st.SearchStrategy[Any]], Any]

TOKEN = re.compile(
    r"[A-Za-z_]\w*|\d[\w.]*|\"[^\"\n]*\"|->|\*\*|//|[-+*/%=<>!]=?|\S|\n *"
)
NAME = re.compile(r"[A-Za-z_]\w*")

NAMES = (
    "__class__", "__init__", "__import__", "__dict__", "_", "__", "import", "self", "cls",
    "nnx", "jax", "jnp", "optax", "rngs", "flax", "math", "dataclass", "Config", "cfg",
    "lambda", "class", "def", "None", "True", "print", "exec", "eval", "open", "super",
    "train", "eval_step", "loss_fn", "train_step", "create_model", "model", "Module",
    "Param", "x", "d", "B", "T", "i", "type", "range", "len", "list", "tuple", "dtype",
    "state", "params", "dropout", "loss", "batch", "optimizer", "config", "block", "use",
    "relu", "Linear", "linear", "mean", "none", "true", "inf", "nan", "e1", "l", "O", "I",
    "d\u0435f", "\u0445", "\uff58", "\u00aa", "\u2118", "na\u00efve", "x\u0301", "\u05d0",
    "a" * 300, "A" * 300, "sow", "perturb", "set_attributes", "_pytree__state", "hidden",
)  # fmt: skip
TEXTS = (
    '"""', "'''", '\\"\\"\\"', "\\", "\\n", "{", "}", "{{ 1 / 0 }}", "{% for %}", "{#",
    "%s %d %(a)s", "{0.__class__}", "\u202e", "\u2028", "\x0c", "\x85", "\x00", "\r",
    '""" + __import__("os").system("true") + """', "# nnxc: spec 0 body 0", "# fmt: off",
    "# type: ignore", "# -*- coding: utf-7 -*-", "a b -> b a", "... -> ...", "-> a", "x" * 3000,
    "\\u0041", "\\N{BULLET}", "\\x41", "é" * 50, "🦊",
)  # fmt: skip
NUMBERS = (
    "0", "-1", "00", "1e999", "1e-999", "9" * 18, "9" * 400, "1_000_000_000_000", "0.0",
    "10**10**10", "2**64", "2**-1", "1//0", "1 % 0", "0x10", "1__0", "1e", ".5.", "3x3x3x3x3",
    "0x0", "1x1000000", "999999999x3", "1e18", "1.5", "0.1 + 0.2", "(1)", "-(-1)", "[1, 2]",
    "[]", "none", "true", "10**17 * 99", "d // 0", "d - d", "d % 7", "range(10**9)",
)  # fmt: skip
LINES = (
    "return x", "    return x", "    input x: [B]", "    rngs", "    x = x", "else:", "model M:",
    "block B:", "    for i in range(10**9):", "        x = x -> Linear(1)", "    if x:", "\tx = 1",
    "use A from \"a.nnx\"", "use Net0 from \"spec.nnx\"", "config c = Net0()", "train Net0:",
    "defaults Linear(bias=false)", "    require d == 1, \"{}\"", "    state s: [] = 0", "    s += 1",
    "    param p: [B] = ones", "# \"\"\" comment", "    x -> (Linear(1) | Linear(2))",
    "    loss = mse(x, x)", "    y, z = x", "    x = x[::0]", "    x = x[..., ..., 0]",
    "    x = einsum(\"a a a, , -> \", x)", "    x = rearrange(x, \"(a b c) -> a\")", "    x = x.shape",
    "    x = x -> x -> x", "    x = (x)(x)(x)", "    x = Linear(Linear(1))", "    x = Block0",
    "    x = 1 if x else 2", "    for i in [1, none, \"a\", [2]]:", "    x: [B] = x", "    x = x : int[B]",
    "    x = Net0()(x)", "    x = normal([B], rng=nothing)", "    rngs params, a, b", "scan x:",
)  # fmt: skip
WRAPS = (
    ("(", ")"), ("[", "]"), ("-", ""), ("not ", ""), ("Linear(", ")"), ("x[", "]"),
    ("x if ", " else x"), ("", " -> relu"), ("", " + x"), ("", "**2"), ("(x | ", ")"), ("", "[0]"),
    ("f(a=", ")"), ("", ".a"), ("2**", ""), ("", " // 2"), ("", " as a"), ("", " if x else x"),
)  # fmt: skip


def replace_one(draw: Draw, text: str, pattern: re.Pattern[str], by: str) -> str:
    """One match of a pattern replaced."""
    found = list(pattern.finditer(text))
    if not found:
        return by
    match = draw(st.sampled_from(found))
    return text[: match.start()] + by + text[match.end() :]


def tokens_changed(draw: Draw, text: str) -> str:
    """A token deleted, doubled, swapped with another, or replaced by another."""
    tokens = list(TOKEN.finditer(text))
    if not tokens:
        return text
    one, two = sorted(
        (draw(st.sampled_from(tokens)), draw(st.sampled_from(tokens))),
        key=lambda m: m.start(),
    )
    match draw(st.sampled_from(["delete", "double", "swap", "copy", "cut"])):
        case "delete":
            return text[: one.start()] + text[one.end() :]
        case "double":
            return text[: one.end()] + " " + text[one.start() :]
        case "copy":
            return text[: one.start()] + two[0] + text[one.end() :]
        case "cut":
            return text[: one.start()] + text[two.start() :]
    if one.start() == two.start():
        return text
    middle = text[one.end() : two.start()]
    return text[: one.start()] + two[0] + middle + one[0] + text[two.end() :]


def name_changed(draw: Draw, text: str) -> str:
    """One name, or all of its occurrences, made hostile or mistyped."""
    names = NAME.findall(text)
    if not names:
        return text
    old = draw(st.sampled_from(names))
    new = draw(st.sampled_from([*NAMES, old[:-1], old + "s", old[::-1], old.upper()]))
    if draw(st.booleans()):
        return re.sub(rf"\b{re.escape(old)}\b", lambda _: new, text)
    return replace_one(draw, text, re.compile(rf"\b{re.escape(old)}\b"), new)


def number_changed(draw: Draw, text: str) -> str:
    """A number made huge, zero, or no number."""
    return replace_one(
        draw, text, re.compile(r"\b\d[\d.]*\b"), draw(st.sampled_from(NUMBERS))
    )


def text_added(draw: Draw, text: str) -> str:
    """Hostile text as a comment above a definition, in a string, or in the open."""
    hostile = draw(st.sampled_from(TEXTS))
    match draw(st.sampled_from(["comment", "require", "string", "open"])):
        case "comment":
            return re.sub(r"(?m)^(?=model|block)", lambda _: f"# {hostile}\n", text)
        case "require":
            line = f'    require 1 == 1, "{hostile}"\n    return'
            return replace_one(draw, text, re.compile(r"    return"), line)
        case "string":
            return replace_one(
                draw, text, re.compile(r'"[^"\n]*"|\b\d+\b'), f'"{hostile}"'
            )
    place = draw(st.integers(0, len(text)))
    return text[:place] + hostile + text[place:]


def lines_changed(draw: Draw, text: str) -> str:
    """A line removed, doubled, moved, indented, or brought in."""
    lines = text.split("\n")
    place = draw(st.integers(0, len(lines) - 1))
    match draw(st.sampled_from(["remove", "double", "indent", "dedent", "add", "tab"])):
        case "remove":
            del lines[place]
        case "double":
            lines.insert(place, lines[place])
        case "indent":
            lines[place] = " " * draw(st.integers(1, 5)) + lines[place]
        case "dedent":
            lines[place] = lines[place].lstrip()
        case "tab":
            lines[place] = lines[place].replace("    ", "\t", 1)
        case _:
            lines.insert(place, draw(st.sampled_from(LINES)))
    return "\n".join(lines)


def deepened(draw: Draw, text: str) -> str:
    """An expression wrapped many times over."""
    before, after = draw(st.sampled_from(WRAPS))
    times = draw(st.sampled_from([3, 60, 120, 1500]))
    inner = draw(st.sampled_from(["x", "1", "d", "Linear(1)"]))
    expr = before * times + inner + after * times
    return replace_one(draw, text, re.compile(r"(?<=return ).*"), expr)


CHANGES = (
    tokens_changed,
    tokens_changed,
    name_changed,
    name_changed,
    number_changed,
    text_added,
    lines_changed,
    lines_changed,
    deepened,
)


@st.composite
def broken(draw: Draw) -> bytes:
    """A spec with one to four changes, as bytes that may be no UTF-8."""
    text = draw(specs()).text
    for _ in range(draw(st.sampled_from([1, 1, 1, 2, 4]))):
        text = draw(st.sampled_from(CHANGES))(draw, text)
    data = text.encode("utf-8", "surrogatepass")
    if draw(st.sampled_from([False] * 9 + [True])):
        place = draw(st.integers(0, len(data)))
        data = data[:place] + draw(st.binary(max_size=8)) + data[place:]
    return data
