"""Specs that are written to break the compiler end in one diagnostic, or work."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import nnxc
from nnxc.diagnostics import MAX_FOUND, Sink
from nnxc.emit.python import text as t
from nnxc.source import Source
from nnxc.syntax.parse import parse

HEAD = "model Net:\n    input x: [B, 4]\n"
NESTED = "block B0:\n    input x: [B, d]\n    return x -> Linear(d)\n" + "".join(
    f"block B{i}:\n    input x: [B, d]\n    return x -> B{i - 1} as a -> B{i - 1} as b\n"
    for i in range(1, 15)
)
MANY = {
    "branches": HEAD
    + f"    return x -> ({' | '.join(['relu'] * 5000)}) -> concat(axis=-1)\n",
    "elif": "model Net(k = 1):\n    input x: [B, 4]\n    if k == 0:\n        x = -x\n"
    + "".join(f"    elif k == {i}:\n        x = x * {i}\n" for i in range(800))
    + "    return x\n",
    "chain": HEAD + "    return x" + " -> Linear(4)" * 3000 + "\n",
    "sizes": "model Net:\n    input x: [B, T, 4]\n"
    + "    x = concat(x, x[:, ::2], axis=1)\n" * 40
    + "    return x -> Linear(3)\n",
    "quotients": "model Net(a0 = 8):\n    input x: [B, 4]\n"
    + "".join(f"    a{i + 1} = max(a{i} // 3, a{i} // 5)\n" for i in range(12))
    + "    return x -> Linear(a12 + 1)\n",
    "configs": "model Net(m = 2, n = 2):\n    input x: [B, 4]\n"
    "    for i in range(m):\n        for j in range(n):\n"
    "            x = x -> Linear(4) as l\n    return x\n"
    + "".join(f"config c{i} = Net(m=100, n=100)\n" for i in range(20)),
    "ignored": HEAD
    + '    return x -> Linear(3) as head\nweights Net from "{path}":\n'
    + "".join(f'    ignore "a{i}"\n' for i in range(20000)),
    "list": f"model Net(xs = [{', '.join(['1'] * 100_000)}]):\n    input x: [B, 4]\n"
    "    return x -> Linear(len(xs))\n",
    "axes": f"model Net:\n    input x: [{', '.join(f'a{i}' for i in range(20_000))}]\n"
    "    return x\n",
    "weights": NESTED
    + "model Net:\n    input x: [B, 4]\n    return x -> B14\n"
    + 'weights Net from "{path}":\n    ignore "a"\n',
}


def found(spec: str) -> list[str]:
    return [d.code for d in nnxc.compile(spec).diagnostics]


@pytest.mark.parametrize("name", MANY)
def test_what_explodes_is_one_mistake(name: str) -> None:
    codes = found(MANY[name])
    assert codes and {*codes} <= {"N117", "N251", "N309", "N322"}


@pytest.mark.parametrize(
    ("lines", "blocks", "told"),
    [
        (7, 400, ""),  # 25,000 words and signs, in blocks of ordinary length
        (3000, 1, "this has more than 20,000 words and signs"),
        (1000, 6, "the definitions up to here are too long together"),
        (7, 2700, "the file has more than 150,000 words and signs"),
    ],
)
def test_text_is_bounded_by_what_it_costs(lines: int, blocks: int, told: str) -> None:
    line = "    x = x -> Linear(d) -> relu\n"
    body = f"    input x: [B, d]\n{line * lines}    return x\n"
    text = "".join(f"block B{i}:\n{body}" for i in range(blocks))
    sink = Sink()
    parse(Source("long.nnx", text), sink)
    assert [d.message for d in sink.diagnostics] == ([told] if told else [])


def test_blocks_nested_twice_each_are_walked_once() -> None:
    spec = NESTED + "model Net:\n    input x: [B, 4]\n    return x -> B14\n"
    assert found(spec) == []


def test_after_many_mistakes_no_more_are_looked_for() -> None:
    for line in ("    return (\n", "    y = lacking + x\n", "    y = nome(x)\n"):
        codes = found(HEAD + line * 1000)
        assert len(codes) == MAX_FOUND + 1 and codes.count("N251") == 1


def test_many_appends_are_no_recursion() -> None:
    appends = "    ys.append(x)\n" * 200
    spec = HEAD + f"    ys = []\n{appends}    return concat(ys, axis=-1)\n"
    assert found(spec) == []


def test_a_body_that_ends_with_an_append_returns_nothing() -> None:
    assert found(HEAD + "    ys = []\n    ys.append(x -> Linear(3))\n") == ["N249"]


def test_a_value_that_nobody_needs_is_not_read() -> None:
    train = (
        "train Net:\n    batch x: [B, 4], y: [B, 3]\n    _ = model(x)\n"
        "    loss = mse(_, y)\n    optimizer = sgd(0.1)\n"
    )
    assert found(HEAD + f"    return x -> Linear(3)\n\n{train}") == ["N200"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("redirected", [">/dev/full", "2>&-", ">&-", "2>/dev/full"])
def test_output_that_goes_nowhere_is_no_crash(tmp_path: Path, redirected: str) -> None:
    spec = tmp_path / "net.nnx"
    spec.write_text(HEAD + "    return y\n")
    program = f"{sys.executable} -m nnxc check --format json {spec}"
    if redirected.startswith("2"):
        program = program.replace("--format json ", "")
    folder = str(Path(nnxc.__file__).parent.parent)
    done = subprocess.run(
        ["sh", "-c", f"{program} {redirected}"],
        env={"PYTHONPATH": folder, "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode in (1, 2)
    assert "Traceback" not in done.stderr + done.stdout


# ------------------------------------------------------------------- literals

BODY = (
    "model Net(depth = 2):\n    input x: [B, 4]\n    for i in range(depth):\n"
    "        x = x -> Linear(4) as body\n    return x -> Linear(3) as head\n\n"
)
CODE = r"\"), __import__(\"os\").system(\"false\"), (\""
PAYLOADS = (CODE, r"\\", "\u202e", "\x1b", "\u2028", "'", "dd), LayerNorm(x=1")


@pytest.mark.parametrize("payload", PAYLOADS)
@pytest.mark.parametrize(
    "line",
    [
        'head = "q@"',
        'head = "q @"',
        'body[i] = "z.{i + depth}@"',
        'body[i] = "z.{i}.{depth@}"',
        'ignore "a@"',
        'rename "a@" as "b"',
        'rename "a" as "b@"',
        'optional "a@."',
    ],
)
def test_a_name_that_no_tensor_has_is_refused(line: str, payload: str) -> None:
    spec = f'{BODY}weights Net from "{{path}}":\n    {line.replace("@", payload)}\n'
    output = nnxc.compile(spec)
    assert not output.ok and not output.files


@pytest.mark.parametrize("hole", ["depth + ", "% for %", "dd), LayerNorm(x=1", "=5"])
def test_a_mistake_inside_braces_is_told(hole: str) -> None:
    spec = f'{BODY}weights Net from "{{path}}":\n    head = "q.{{{hole}}}"\n'
    assert found(spec) == ["N604"]
    assert (
        found(f'{BODY}weights Net from "{{path}}{{{hole}}}":\n    head = "q"\n') != []
    )


@pytest.mark.parametrize("text", ['"', "'", "\"'", "{x}", "\\", "\n", "\u202e", "a"])
def test_literals_give_the_text_that_they_stand_for(text: str) -> None:
    assert ast.literal_eval(t.quoted(text)) == text
    for name in ("1 + 1", 'len("a")'):
        written = t.formatted([text, t.Text(name), text])
        assert eval(written) == f"{text}{eval(name)}{text}"
