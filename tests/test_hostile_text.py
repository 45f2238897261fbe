"""Text of a spec stays text: no place of it adds code to a module, or a line to a comment."""

from __future__ import annotations

import ast
import warnings
from collections import Counter

import pytest
from flax import nnx

import nnxc
from nnxc.check.definitions.streams import METHODS

SPEC = """# <0>
use Other from "<1>"

extern "<2>" taken(x: [B, d]) -> [B, d]

# <3>
block Inner(w = 3):
    input x: [B, d]
    return x -> Linear(w) as lin -> Linear(d) as back

# <4>
model Net(p = 5, mode = "<5>", kinds = ["<6>", "b"], depth = 2):   # <7>
    input x: [B, 5]
    y = x -> Linear(p) as fc
    require p > 0, "<8>"
    for i, kind in enumerate(kinds):
        if kind == "<9>":
            y = y -> Linear(p) as arm
    if mode == "<10>":
        y = y * 2
    for i in range(depth):
        y = y -> Inner(p) as body
    y = einsum("<11>", y) -> rearrange("<12>")
    return taken(y) -> Other

config one = Net(mode="<13>")

weights Net from "<14>":
    fc = "<15>"
    body[i].lin = "<16>"
    fc.kernel = "<17>" -> rearrange("<18>")
    rename "<19>" as "<20>"
    ignore "<21>"
    config p = "<22>"
    config depth = "<23>" or 3
    config require "<24>" == "<25>"
    config ignore "<26>"

train Net:
    batch x: [B, 5], y: [B, 5]
    loss = mse(model(x), y)
    optimizer = adam(1e-3)
"""
TEXTS = [
    "notes",
    "other.nnx",
    "tables.py",
    "notes",
    "notes",
    "a",
    "a",
    "notes",
    "why",
    "a",
    "a",
    "b d -> b d",
    "b d -> b d",
    "b",
    "{path}",
    "a",
    "b.{i}",
    "c",
    "o i -> i o",
    "x*",
    "y*",
    "z*",
    "hidden",
    "layers",
    "act",
    "silu",
    "dtype",
]
COMMENTS = (0, 3, 4, 7)
SENTINEL = "sentinel"
PAYLOADS = (
    f'"); {SENTINEL}(); ("',
    f"'''\n{{{SENTINEL}()}}\n\"\"\"\n{SENTINEL}()\n",
    f"\\\u2028\u202e\x00\x1b\x0b\x85\ud800{SENTINEL}()",
)
CONTROLS = set("\u2028\u202e\x00\x1b\x0b\x85\ud800\r")


def read(path: str) -> bytes:
    if path != "other.nnx":
        raise FileNotFoundError(path)
    return b"block Other:\n    input x: [B, d]\n    return x -> Linear(d)\n"


def made(place: int, text: str) -> nnxc.Output:
    spec = SPEC
    for i, usual in enumerate(TEXTS):
        spec = spec.replace(f"<{i}>", text if i == place else usual)
    return nnxc.compile(spec, path="net.nnx", read=read)


def calls(text: str) -> Counter[str]:
    """What a module calls and reads by name, but for text."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # such as escapes that Python does not know
        nodes = ast.walk(ast.parse(text))
    return Counter(type(n).__name__ for n in nodes if not isinstance(n, ast.Constant))


def test_the_spec_itself_is_written() -> None:
    output = made(-1, "")
    assert output.ok, output.diagnostics
    text = next(iter(output.files.values()))
    assert SENTINEL not in text and calls(text)["Call"] > 50


@pytest.mark.parametrize("place", range(len(TEXTS)))
def test_text_stays_text(place: int) -> None:
    for payload in PAYLOADS:
        escaped = payload.replace("\\", "\\\\").replace('"', '\\"')
        escaped = escaped.replace("\n", "\\n")
        for text in (payload,) if place in COMMENTS else (payload, escaped):
            output = made(place, text)
            if not output.files:
                assert output.diagnostics
                assert not any("bug" in d.message for d in output.diagnostics)
                continue
            module = next(iter(output.files.values()))
            assert not CONTROLS & set(module)
            names = {getattr(n, "id", None) for n in ast.walk(ast.parse(module))}
            assert calls(module) and SENTINEL not in names


def test_streams_are_no_methods_of_flax() -> None:
    public = {name for name in dir(nnx.Rngs) if not name.startswith("_")}
    assert public <= METHODS
    for spec in ("    rngs params, {}\n", ""):
        for name in ("t", "normal", "_pytree__state"):
            body = f"    return x + normal([B, 4], rng={name}) -> Linear(4)\n"
            head = "model Net:\n" + spec.format(name) + "    input x: [B, 4]\n"
            found = nnxc.compile(head + body).diagnostics
            assert [d.code for d in found] == ["N219"]


def test_a_tensor_has_so_many_axes() -> None:
    lines = "    x = x[:, none]\n" * 2000
    spec = f"model Net:\n    input x: [B, 4]\n{lines}    return x\n"
    assert [d.code for d in nnxc.compile(spec).diagnostics] == ["N303"]
