"""Every entry of the library in a language model: refused, or with a cache as without one."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from emitting import load, text_of
from flax import nnx

from nnxc import ops
from nnxc.driver import analyse
from nnxc.ops.base import REQUIRED, Along, Op
from nnxc.record import replace
from nnxc.shapes import tensor
from nnxc.stepwise.along import works_along
from nnxc.stepwise.time import AHEAD

BLOCK = """
block Case{number}(longest):
    input x: [B, T, d], tokens: int[B, T]
    param table: [longest, d] = normal(1.0)
    x = x + table[positions(tokens)] * 0.1
    {line}
    return x
"""
MODEL = """
model Net(vocab = 13, d = 8, longest = 16):
    input tokens: int[B, T]
    x = tokens -> Embed(vocab, d)
    x += x -> Attention(2, causal=true)
{calls}
    return x -> Linear(vocab) as head

generate Net
"""
# Values of a model, by rank; `x` is [B, T, d].
OPERANDS = {
    "x": 3,
    "(x -> transpose([0, 2, 1]))": 3,
    "(x -> transpose([1, 0, 2]))": 3,
    "(x -> [B, T, 2, 4])": 4,
    "x[:, :, 0]": 2,
    '(x -> rearrange("b t (h k) -> (b h) t k", h=2))': 3,
    "shift(x)": 3,
}
# How what comes out of an entry is taken up, the first that fits.
ENDS = (
    "{y}",
    "{y}[..., none]",
    "{y} -> transpose([0, 2, 1])",
    "{y} -> transpose([1, 0, 2])",
    "{y} -> [B, T, d]",
    "mean({y}, axis=-1)[..., none]",
    "mean({y}, axis=[2, 3])[..., none]",
    '{y} -> rearrange("(b h) t k -> b t (h k)", h=2)',
    "mean({y})",
)
# Entries that take more than one value, or arguments.
CALLS = {
    "state_space": ("state_space({h}, -exp(mean({h}, axis=-1)), {h}, {h})",),
    "attend": (
        "attend({q}, {q}, {q}, causal=true)",
        "attend({q}, {q}, {q})",
        "attend({q}, {q}, {q}, causal=true, window=2)",
        "attend({q}, {q}, {q}, causal=true, chunk=2)",
        "attend({q}, {q}, {q}, causal=true, mask=tril(ones([T, T])) > 0)",
        "attend({q}, {q}, {q}, causal=true, segments=tokens // 4)",
        "attend({q}, {q}, {q}, causal=true, slopes=arange(2) + 0.5)",
        "attend({q}, {q}, {q}, causal=true, sinks=table[0, :2])",
        "attend({q}, {k}, {k})",
        "attend({q}, {k}, {k}, causal=true)",
        "attend({q}, {k}, {k}, window=3)",
        "attend({k}, {q}, {q})",
        "attend(swapaxes({q}, 1, 2), swapaxes({q}, 1, 2), swapaxes({q}, 1, 2))",
    ),
    "Attention": (
        "({x} -> Attention(2, causal=true))",
        "({x} -> Attention(2))",
        "Attention(2)({x}, broadcast(table, [B, longest, d]))",
        "Attention(2, causal=true)({x}, broadcast(table, [B, longest, d]))",
    ),
    "Conv": (
        '({x} -> Conv(8, [3], padding="causal"))',
        "({x} -> Conv(8, [3]))",
        "({x} -> Conv(8, [1]))",
        '({x} -> Conv(8, [3], padding="causal", weight_norm="out"))',
        "({h} -> Conv(4, 1x2))",
        "({h} -> Conv(4, 2x1))",
    ),
    "ConvTranspose": ("({x} -> ConvTranspose(8, [3]))",),
    "unfold": (
        "unfold({x}, [3], padding=1)[:, :, 0]",
        "unfold({h}, 1x2)[:, :, :, 0, 0]",
    ),
    "convolve": ("convolve({x}, ones([3, 8, 8]))",),
    "LSTM": ("({x} -> LSTM(8))", "({x} -> LSTM(8, reverse=true))", "({h} -> LSTM(8))"),
    "GRU": ("({x} -> GRU(8))", "({x} -> GRU(8, reverse=true))", "({h} -> GRU(4))"),
    "LSTMCell": ("LSTMCell(8)({x}, {x}, {x})[0]",),
    "GRUCell": ("GRUCell(8)({x}, {x})",),
    "PReLU": ("({x} -> PReLU)",),
    "Linear": ("({x} -> Linear(8))", "({h} -> Linear(8, over=[2, 3]))"),
    "Embed": ("(argmax({x}, axis=-1) -> Embed(8, d))",),
    "LayerNorm": ("({x} -> LayerNorm)", "({h} -> LayerNorm)"),
    "RMSNorm": ("({x} -> RMSNorm)",),
    "BatchNorm": ("({x} -> BatchNorm)",),
    "GroupNorm": ("({x} -> GroupNorm(2))", "({h} -> GroupNorm(2))"),
    "InstanceNorm": ("({x} -> InstanceNorm)",),
    "Dropout": ("({x} -> Dropout(0.5))", "({x} -> Dropout(0.5, axes=[1]))"),
    "DropPath": ("({x} -> DropPath(0.5))",),
    "transpose": ("({h} -> transpose([0, 2, 1, 3]))", "transpose({x}, [1, 0, 2])"),
    "swapaxes": ("swapaxes({h}, 1, 2)", "swapaxes({h}, 2, 3)", "swapaxes({x}, 0, 1)"),
    "squeeze": ("squeeze({x}[:, :, :1])", "squeeze({x}[:, none], axis=1)"),
    "expand": ("expand({x}, axis=1)", "expand({x}, axis=2)"),
    "flatten": ("flatten({h}, axis=2)", "flatten({h})", "flatten({x}, axis=0)"),
    "broadcast": (
        "broadcast({x}[..., :1], [B, T, d])",
        "broadcast(table[0], [B, T, d])",
    ),
    "pad": ("pad({x}, 1)", "pad({x}, 1, axis=1)[:, :T]", "pad({x}, 1, axis=0)"),
    "roll": ("roll({x}, 1)", "roll({x}, 1, axis=1)", "roll({x}, 1, axis=0)"),
    "repeat": ("repeat({x}[..., :2], 4)", "repeat({x}, 2, axis=1)[:, ::2]"),
    "tile": ("tile({x}[..., :2], [1, 1, 4])", "tile({x}, [1, 2, 1])[:, :T]"),
    "arange": ("arange(T)[:, none]", "arange(d)", "arange(1, T + 1)[:, none]"),
    "zeros": ("zeros([B, T, d])", "zeros([T, 1])", "zeros([T, T])"),
    "ones": ("ones([B, T, d])",),
    "full": ("full([T, 1], 2.0)", "full([T, 1], T)"),
    "eye": ("eye(d)[0]", "eye(T)"),
    "tensor": ("tensor([1, 0, 2, 0, 3, 0, 4, 0])",),
    "tril_indices": ("tril_indices(T)[0]",),
    "triu_indices": ("triu_indices(T)[0]",),
    "linspace": ("linspace(0, 1, T)[:, none]", "linspace(0, 1, d)"),
    "normal": ("normal([B, T, d], rng=noise)", "normal([d], rng=noise)"),
    "uniform": ("uniform([B, T, d], rng=noise)",),
    "bernoulli": ("bernoulli([B, T, d], 0.5, rng=noise)",),
    "gumbel": ("gumbel([B, T, d], rng=noise)",),
    "randint": ("randint([B, T, d], 0, 4, rng=noise)",),
    "categorical": ("categorical({x}, rng=noise)",),
    "maximum": ("maximum({x}, shift({x}))", "maximum({x}, table[0])"),
    "minimum": ("minimum({x}, {x}[..., :1])", "minimum({x}, {x}[:, :1])"),
    "logaddexp": ("logaddexp({x}, 0.5)",),
    "power": ("power(abs({x}) + 0.1, 2)",),
    "arctan2": ("arctan2({x}, table[0])",),
    "logical_and": ("logical_and({x} > 0, {x} < 1)",),
    "logical_or": ("logical_or({x} > 0, {x} < -1)",),
    "logical_xor": ("logical_xor({x} > 0, {x} < 1)",),
    "logical_not": ("logical_not({x} > 0)",),
    "any": ("any({x} > 1, axis=-1)", "any({x} > 1, axis=1)[:, none]", "any({x} > 1)"),
    "all": ("all({x} > -1, axis=-1)", "all({x} > -1, axis=1)[:, none]"),
    "clip": ("clip({x}, 0, 1)", "clip({x}, 0, T)"),
    "where": (
        "where({x} > 0, {x}, 0.0)",
        "where(positions(x)[..., none] > 2, {x}, 1.0)",
    ),
    "astype": ("astype({x}, int)",),
    "einsum": (
        'einsum("b t d, b t e -> b t d e", {x}, {x}[..., :2])',
        'einsum("b t d, e d -> b t e", {x}, table[:8])',
        'einsum("b t d, b s d -> b t", {x}, {x})',
        'einsum("b t d, c t d -> b t", {x}, {x})',
        'einsum("b t d, b t d -> b t", {x}, {x})',
        'einsum("... t d -> ... d", {x})[:, none]',
        'einsum("t s, b s d -> b t d", tril(ones([T, T])), {x})',
    ),
    "rearrange": (
        'rearrange({x}, "b t (h k) -> b t k h", h=2)',
        'rearrange({x}, "b t d -> t b d")',
        'rearrange({x}, "b t d -> b (t d)")',
    ),
    "take": (
        "take(table, positions(x))",
        "take(table, tokens)",
        "take({x}, arange(4), axis=2)",
        "take({x}, arange(2), axis=1)",
    ),
    "take_along_axis": (
        "take_along_axis({x}, argsort({x}, axis=-1))",
        "take_along_axis({x}, argsort({x}, axis=1), axis=1)",
    ),
    "expert_dot": (
        "expert_dot({x}, ones([3, d, 5]) * arange(3)[:, none, none], top_k({x}[..., :3], 2)[1])",
    ),
    "one_hot": (
        "one_hot(tokens, 13)",
        "one_hot(positions(x), longest)",
        "one_hot(tokens, T)",
    ),
    "top_k": ("top_k({x}, 4)[0]", "top_k(swapaxes({x}, 1, 2), 1)[0]"),
    "segment_sum": (
        "segment_sum({x}, tokens[0], 4)",
        "segment_sum(table, arange(16) % 4, 8)[0]",
    ),
    "segment_max": ("segment_max({x}[0], tokens[0], 4)",),
    "concat": (
        "concat({x}, {x}, axis=-1)",
        "concat({x}, {x}, axis=1)[:, :T]",
        "concat({x}, {x}, axis=0)",
        "concat(zeros([B, 1, d]), {x}, axis=1)[:, :-1]",
        "concat([{x}, {x}], axis=1)[:, ::2]",
    ),
    "stack": (
        "stack({x}, {x}, axis=2)",
        "stack({x}, {x}, axis=1)",
        "stack({x}, {x})[0]",
    ),
    "split": ("split({x}, 2)[0]", "split({x}, 2, axis=0)[0]"),
    "glu": ("glu({x})", "glu({h})"),
    "resize": (
        "resize({h}, [T, 3])",
        "resize({x}, [T])",
        'resize({h}, [T, 3], method="torch_bicubic")',
        'resize({x}, [T], method="torch_nearest")',
    ),
    "upsample": ("upsample({x}, 1)",),
    "max_pool": ('max_pool({x}, [3], 1, padding="same")', "max_pool({h}, 1x2)"),
    "avg_pool": ('avg_pool({x}, [3], 1, padding="same")',),
    "adaptive_avg_pool": ("adaptive_avg_pool({h}, [1, 1])",),
    "rope": (
        "rope({h}, positions(x))",
        "rope({h}, arange(T))",
        "rope({h}, positions(x) * 2)",
        "rope(swapaxes({h}, 1, 2), arange(2))",
    ),
    "rotate": ("rotate({h}, {x}[..., :2])", "rotate({h}, table[0, :2][none])"),
    "segment_positions": ("segment_positions(tokens // 4)",),
    "sinusoidal": ("sinusoidal(T, 8)", "sinusoidal(longest, 8)[positions(x)]"),
    "matmul": (
        "matmul({x}, table[:8])",
        "matmul({x}, swapaxes({x}, 1, 2))",
        "matmul(swapaxes({x}, 1, 2), {x})[:, :1]",
        "matmul(table[:8, :], swapaxes({x}, 1, 2))",
        "matmul(ones([1, T]), {x})",
    ),
    "vecdot": ("vecdot({x}, {x})", "vecdot(swapaxes({x}, 1, 2), swapaxes({x}, 1, 2))"),
    "outer": ("outer({x}, table[0, :2])", "outer({x}[..., 0], {x}[..., 1])"),
    "fft": ("fft({x})[0]", "fft({x}, axis=1)[0]"),
    "ifft": ("ifft({x})[0]", "ifft({x}, axis=1)[0]"),
    "rfft": ("rfft({x})[0]", "rfft({x}, axis=1)[0]"),
    "irfft": ("irfft({x}, {x})", "irfft({x}, {x}, axis=1)"),
    "positions": ("positions({x})", "positions({h})", "positions(swapaxes({x}, 0, 1))"),
    "shift": (
        "shift({x})",
        "shift({x}, 2)",
        "shift(tokens)",
        "shift(swapaxes({h}, 1, 2))",
    ),
}
VALUES = {
    "x": "x",
    "h": "(x -> [B, T, 2, 4])",
    "q": "(x -> [B, T, 2, 4])",
    "k": "broadcast(table -> [16, 2, 4], [B, longest, 2, 4])",
}


def written(name: str) -> Iterator[str]:
    """Calls of an entry: over several values, along each of their axes."""
    op = ops.MODEL_OPS[name]
    for call in CALLS.get(name, ()):
        yield call.format(**VALUES)
    if op.group == "function" and _takes_one(op):
        operands = dict(list(OPERANDS.items())[: 2 if op.along is Along.EACH else None])
        for operand, rank in operands.items():
            yield f"{name}({operand})"
            if op.param("axis"):
                yield from (f"{name}({operand}, axis={i})" for i in range(rank))


def _takes_one(op: Op) -> bool:
    needed = [p for p in op.params if p.default is REQUIRED]
    return len(op.inputs) == 1 and not op.inputs[0].many and not needed


def spec_of(lines: Sequence[str]) -> str:
    """A model with a block for each line."""
    blocks = [BLOCK.format(number=n, line=line) for n, line in enumerate(lines)]
    calls = [f"    x = Case{n}(longest)(x, tokens)" for n in range(len(lines))]
    return "".join(blocks) + MODEL.format(calls="\n".join(calls))


def accepted(calls: Sequence[str]) -> list[str]:
    """The lines with which the compiler agrees; what is wrong otherwise hides what is refused."""
    lines = fitted(calls)
    while wrong := faulty(lines):
        lines = [line for n, line in enumerate(lines) if n not in wrong]
    return lines


def faulty(lines: Sequence[str]) -> set[int]:
    """The lines of which the compiler says something, at the line or where its block is called."""
    spec = spec_of(lines)
    found = analyse(spec, path="m.nnx", read=lambda _: b"").diagnostics if lines else ()
    ends = [spec.index("\n", d.primary.span.start) for d in found]
    return {int(re.findall(r"\bCase(\d+)\(", spec[:end])[-1]) for end in ends}


def fitted(calls: Sequence[str]) -> list[str]:
    """Lines that take up what calls give, of those for which there is such a line."""
    lines: list[str] = []
    for end in ENDS:
        made = [f"x += {end.format(y=_safe(call))}" for call in calls]
        wrong = faulty(made)
        lines += [line for n, line in enumerate(made) if n not in wrong]
        calls = [call for n, call in enumerate(calls) if n in wrong]
    return lines


def _safe(call: str) -> str:
    """Finite, and small."""
    value = f"astype({call}, float)"
    return f"tanh(where(isfinite({value}), {value}, 0.0))"


def compared(lines: Sequence[str]) -> None:
    """With a cache, two sequences of 7 and 9 tokens in ragged pieces score as they do whole."""
    module = load(text_of(spec_of(lines), black=False))
    model = module.Net(module.Config(), rngs=nnx.Rngs(3))
    model.eval()
    tokens = np.random.default_rng(0).integers(0, 13, (2, 9))
    pieces = [
        np.stack([np.r_[0, 0, tokens[0, :4]], tokens[1, :6]]),
        np.stack([tokens[0, 4:6], tokens[1, 6:8]]),
        np.stack([tokens[0, 6:7], tokens[1, 8:9]]),
    ]
    graphdef, state = nnx.split(model)

    @jax.jit
    def both(state: nnx.State, tokens: Any, pieces: Any) -> Any:
        model = nnx.merge(graphdef, state)
        decoder = module.init_cache(model, jnp.array([2, 0]), 10)
        return model(tokens), [decoder(piece) for piece in pieces]

    whole, parts = both(state, tokens, pieces)
    got = np.concatenate(parts, axis=1)
    assert np.isfinite(whole).all()
    np.testing.assert_allclose(got[0, 2:], whole[0, :7], atol=1e-4, rtol=1e-4)
    np.testing.assert_allclose(got[1], whole[1], atol=1e-4, rtol=1e-4)


def calls() -> list[str]:
    """All calls, those of one entry far from each other."""
    found = list(dict.fromkeys(c for name in ops.MODEL_OPS for c in written(name)))
    random.Random(0).shuffle(found)
    return found


def test_each_entry_is_in_a_model() -> None:
    assert [name for name in ops.MODEL_OPS if not any(written(name))] == []


def test_what_does_not_say_what_it_works_along_is_no_entry() -> None:
    op = replace(ops.MODEL_OPS["relu"], along=None)
    with pytest.raises(TypeError, match="`relu` does not say"):
        ops.registered([op])
    assert works_along(op, [("x", tensor("float", "B", "T", "d"))], {}) == [
        (tensor("float", "B", "T", "d"), {AHEAD, 0, 1, 2})
    ]


@pytest.mark.parametrize("part", [pytest.param(0, marks=pytest.mark.heavy), 1])
def test_with_a_cache_as_without(part: int) -> None:
    compared(accepted(calls()[part * 24 :][:24]))


if __name__ == "__main__":
    every = calls()
    for start in range(0, len(every), 24):
        compared(accepted(every[start : start + 24]))
        print(f"{min(start + 24, len(every))} of {len(every)} calls")
