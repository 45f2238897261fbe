"""Generation: with a cache equals without it, for everything that looks back."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from emitting import load, text_of
from flax import nnx

from nnxc import compile
from tests.fuzz.evaluate import evaluated

HEAD = """
model Net(vocab = 23, d = 8, layers = 2):
    input tokens: int[B, T]
    x = (tokens -> Embed(vocab, d) as wte) + (positions(tokens) -> Embed(32, d) as wpe)
    x = x -> Layer * layers as h
    return x -> Linear(vocab) as head

generate Net
"""
ATTENDED = """
block Layer:
    input x: [B, T, d]
    {before}
    q = x -> Linear(4, 6) as query -> rope(positions(x))
    k = x -> Linear(2, 6) as key -> rope(positions(x))
    v = x -> Linear(2, 6) as value
    return x + (attend(q, k, v, causal=true{more}) -> Linear(d, over=[2, 3]) as out)
"""
LAYERS = {
    "attend": ATTENDED.format(before="", more=""),
    "window": ATTENDED.format(before="", more=", window=3, scale=0.3"),
    "chunk": ATTENDED.format(before="", more=", chunk=3"),
    "slopes": ATTENDED.format(
        before="slopes = 0.5 ** (arange(4) + 1)", more=", slopes=slopes, softcap=3.0"
    ),
    "sinks": ATTENDED.format(
        before="param sinks: [4] = normal(1.0)", more=", sinks=sinks, window=4"
    ),
    "values of another width": """
block Layer:
    input x: [B, T, d]
    q = x -> Linear(2, 6) as query
    v = x -> Linear(2, 4) as value
    return x + (attend(q, q, v, causal=true) -> Linear(d, over=[2, 3]) as out)
""",
    "Attention": """
block Layer:
    input x: [B, T, d]
    return x + (x -> LayerNorm -> Attention(2, kv_heads=1, causal=true) as attn)
""",
    "Conv": """
block Layer:
    input x: [B, T, d]
    x += x -> Conv(d, [3], padding="causal", dilation=2, groups=d) as deep -> silu
    return x + (x -> Conv(d, [1]) as wide -> silu)
""",
    "shift": """
block Layer:
    input x: [B, T, d]
    return x + (shift(x) -> Linear(d) as near) + (shift(x, 3) -> Linear(d) as far)
""",
    "LSTM": """
block Layer:
    input x: [B, T, d]
    return x + (x -> LSTM(5) as lstm -> Linear(d) as out)
""",
    "GRU": """
block Layer:
    input x: [B, T, d]
    return x + (x -> GRU(5) as gru -> Linear(d) as out)
""",
    "scan": """
block Layer(hidden = 5):
    input x: [B, T, d]
    inp = Linear(hidden)
    rec = Linear(hidden, bias=false)
    scan xt in x over T with h = 0.3 * ones([B, hidden]), n = zeros([B]):
        h = tanh(inp(xt) + rec(h))
        n = 0.9 * n + mean(h, axis=-1)
        collect ys = h * n[:, none]
    return x + (ys -> Linear(d) as out)
""",
    "a scan without weights": """
block Running:
    input x: [B, T, e]
    scan xt in x over T with h = zeros([B, e]):
        h = 0.9 * h + xt
        collect ys = h
    return ys

block Layer:
    input x: [B, T, d]
    return x + (x -> Linear(5) as near -> Running -> Linear(d) as out)
""",
    "several values": """
block Halves(w):
    input x: [B, T, h, e]
    return x -> Linear(w) as a, x -> Linear(w) as b

block Layer:
    input x: [B, T, d]
    q = x -> [B, T, 2, d // 2]
    y = attend(q, q, q, causal=true) -> Halves(2) -> concat(axis=-1)
    return x + (y -> [B, T, 8] -> Linear(d) as out)
""",
    "one name on three sides": """
block Attend:
    input x: [B, T, d]
    return x + (x -> Attention(2, causal=true) as attn)

block Recur:
    input x: [B, T, d]
    return x + (x -> GRU(d) as gru)

block Feed:
    input x: [B, T, d]
    return x + (x -> Linear(d) as near)

block Layer(kinds = ["a", "b", "c"]):
    input x: [B, T, d]
    for kind in kinds:
        if kind == "a":
            x = x -> Attend as mixer
        elif kind == "b":
            x = x -> Recur as mixer
        else:
            x = x -> Feed as mixer
    return x
""",
    "one layer on two sides": """
block Layer(twice = true):
    input x: [B, T, d]
    mixer = Attention(2, causal=true)
    if twice:
        x += mixer(2 * x)
    else:
        x += mixer(x)
    return x
""",
    "attention to a table": """
block Layer:
    input x: [B, T, d]
    param memory: [3, d] = normal(1.0)
    return x + Attention(2)(x, broadcast(memory, [B, 3, d]))
""",
    "rows of tables": """
block Layer:
    input x: [B, T, d]
    param table: [32, d] = normal(1.0)
    at = positions(x)
    x += table[at] + take(table, at) + astype(sinusoidal(32, d)[at], float)
    return x + (one_hot(at, 32) -> Linear(d) as out)
""",
    "axes that move": """
block Layer:
    input x: [B, T, d]
    y = x -> rearrange("b t (h k) -> (b h) t k", h=2) -> Linear(4) as inner -> softmax
    y = y -> rearrange("(b h) t k -> b t (h k)", h=2) -> transpose([2, 0, 1]) -> cumsum(axis=0)
    return x + (y -> transpose([1, 2, 0]) -> shift -> Linear(d) as out)
""",
    "a loop": """
block Layer:
    input x: [B, T, d]
    for i, window in enumerate([2, 4]):
        q = x -> Linear(2, 4) as query
        x += attend(q, q, q, causal=true, window=window) -> Linear(d, over=[2, 3]) as out
        scan xt in x over T with h = zeros([B, d]):
            h = 0.5 * h + xt
            collect ys = h
        if i > 0:
            x += shift(ys)
    return x
""",
}


@pytest.fixture(params=[True, False], ids=["graph mode", "tree mode"])
def mode(request: pytest.FixtureRequest) -> Iterator[bool]:
    with nnx.set_graph_mode(request.param):
        yield request.param


def made(layer: str, **options: Any) -> tuple[ModuleType, nnx.Module]:
    module = load(text_of(LAYERS[layer] + HEAD, black=False, **options))
    return module, module.Net(module.Config(), rngs=nnx.Rngs(3))


@pytest.fixture(autouse=True)
def quick_compilation() -> Iterator[None]:
    """XLA's optimisations cost more here than they save."""
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


IN_BOTH_MODES = ("sinks", "Conv", "scan")


@pytest.mark.parametrize("layer", LAYERS)
def test_with_a_cache_equals_without(layer: str) -> None:
    check_pieces(layer)


@pytest.mark.parametrize("layer", IN_BOTH_MODES)
def test_with_a_cache_equals_without_in_tree_mode(layer: str) -> None:
    with nnx.set_graph_mode(False):
        check_pieces(layer)


def check_pieces(layer: str, **options: Any) -> None:
    """Two sequences of 7 and 10 tokens, in pieces of 4 and 7 (padded to 7), 2 and 1."""
    module, model = made(layer, **options)
    tokens = np.random.default_rng(0).integers(0, 23, (2, 10))
    pieces = [
        np.stack([np.r_[0, 0, 0, tokens[0, :4]], tokens[1, :7]]),
        np.stack([tokens[0, 4:6], tokens[1, 7:9]]),
        np.stack([tokens[0, 6:7], tokens[1, 9:10]]),
    ]
    graphdef, state = nnx.split(model)

    def both(state: nnx.State, tokens: Any, pieces: Any) -> Any:
        model = nnx.merge(graphdef, state)
        before = model(tokens)
        decoder = module.init_cache(model, jnp.array([3, 0]), 12)
        return before, [decoder(piece) for piece in pieces], model(tokens)

    whole, parts, after = evaluated(both, state, tokens, pieces)
    got = np.concatenate(parts, axis=1)
    np.testing.assert_allclose(got[0, 3:], whole[0, :7], atol=1e-6, rtol=1e-6)
    np.testing.assert_allclose(got[1], whole[1], atol=1e-6, rtol=1e-6)
    np.testing.assert_array_equal(after, whole)


def greedy(model: Any, prompt: list[int], count: int) -> list[int]:
    """One token after the other, each from all before it; what comes after is no matter."""
    graphdef, state = nnx.split(model)
    forward = jax.jit(lambda state, tokens: nnx.merge(graphdef, state)(tokens))
    tokens = np.zeros((1, len(prompt) + count), np.int32)
    tokens[0, : len(prompt)] = prompt
    for at in range(len(prompt), len(prompt) + count):
        tokens[0, at] = np.argmax(forward(state, tokens)[0, at - 1])
    return tokens[0, len(prompt) :].tolist()


PROMPTS = [[5, 6, 7], [1, 2, 3, 4, 5, 6], [4]]


def test_generates_what_the_model_finds_likeliest(mode: bool) -> None:
    """Each prompt as alone; one compilation of each function, streamed or not."""
    module, model = made("slopes")
    want = [greedy(model, prompt, 6) for prompt in PROMPTS]
    functions = module.prefill, module.decode
    before = [function._cache_size() for function in functions]
    assert module.generate(model, PROMPTS, max_new_tokens=6) == want
    seen: list[np.ndarray] = []
    got = module.generate(model, PROMPTS, max_new_tokens=6, on_tokens=seen.append)
    assert got == want and np.stack(seen, axis=1).tolist() == want
    assert [function._cache_size() for function in functions] == [
        size + 1 for size in before
    ]


@pytest.mark.parametrize("layer", ["slopes", "Conv", "scan"])
def test_a_prompt_of_one_token(layer: str) -> None:
    """What is prefilled is padding only."""
    module, model = made(layer)
    want = greedy(model, [4], 4)
    assert module.generate(model, [[4]], max_new_tokens=4) == [want]
    assert module.generate(model, [[4]], max_new_tokens=0) == [[]]


def test_a_model_in_which_nothing_looks_back() -> None:
    spec = """
model Lm:
    input tokens: int[B, T]
    return tokens -> Embed(11, 8) -> Linear(11)

generate Lm
"""
    module = load(text_of(spec))
    model = module.Lm(module.Config(), rngs=nnx.Rngs(0))
    want = [greedy(model, prompt, 3) for prompt in ([1, 2], [3])]
    assert module.generate(model, [[1, 2], [3]], max_new_tokens=3) == want


def test_stops_at_a_token() -> None:
    module, model = made("Attention")
    whole = module.generate(model, PROMPTS, max_new_tokens=6)
    stop = whole[0][2]
    got = module.generate(model, PROMPTS, max_new_tokens=6, stop=[stop])
    for row, ended in zip(whole, got, strict=True):
        end = row.index(stop) + 1 if stop in row else len(row)
        assert ended == row[:end]


def test_draws_from_what_is_left() -> None:
    module, _ = made("Attention")
    logits = jnp.log(jnp.array([[0.5, 0.3, 0.15, 0.05]]))

    def drawn(**options: Any) -> set[int]:
        given = {"temperature": jnp.float32(1), "top_k": None, "top_p": None} | options
        keys = jax.random.split(jax.random.key(0), 200)
        return {
            int(t)
            for t in jax.vmap(lambda k: module.sample(logits, k, **given))(keys)[:, 0]
        }

    assert drawn() == {0, 1, 2, 3}
    assert drawn(top_k=2) == {0, 1}
    assert drawn(top_p=jnp.float32(0.75)) == {0, 1}
    assert drawn(top_p=jnp.float32(0.1)) == {0}
    assert drawn(temperature=jnp.float32(0)) == {0}


def test_seeds_decide_what_is_drawn() -> None:
    module, model = made("GRU")
    runs = [
        module.generate(model, PROMPTS, max_new_tokens=9, temperature=1.0, seed=seed)
        for seed in (1, 1, 2)
    ]
    assert runs[0] == runs[1] != runs[2]


@pytest.fixture(scope="module")
def positioned() -> tuple[ModuleType, nnx.Module]:
    """A model of 23 tokens, with 32 positions."""
    return made("Attention")


ASKED = {
    "a prompt has no tokens": {"prompts": [[1], []]},
    "a prompt is a list of token ids, not 'ab'": {"prompts": ["ab"]},
    "a prompt is a list of token ids, not 1": {"prompts": [1, 2]},
    "a prompt is a list of token ids, not [1.0]": {"prompts": [[1.0]]},
    "token ids are 0 to 22, a prompt has 23": {"prompts": [[1, 23], [2]]},
    "token ids are 0 to 22, a prompt has -1": {"prompts": [[2], [1, -1]]},
    "a prompt and what follows have up to 32 tokens, not 2 and 31 new ones": {
        "max_new_tokens": 31
    },
    "max_new_tokens is a whole number, 0 or more, not -1": {"max_new_tokens": -1},
    "max_new_tokens is a whole number, 0 or more, not 1.5": {"max_new_tokens": 1.5},
    "temperature is 0 or more, not -0.5": {"temperature": -0.5},
    "temperature is 0 or more, not nan": {"temperature": float("nan")},
    "top_k is 1 to 23, or None, not 0": {"top_k": 0},
    "top_k is 1 to 23, or None, not 24": {"top_k": 24},
    "top_p is above 0 and at most 1, or None, not 0": {"top_p": 0},
    "top_p is above 0 and at most 1, or None, not 1.5": {"top_p": 1.5},
    "tokens of stop are 0 to 22, not 23": {"stop": [23]},
}


@pytest.mark.parametrize("message", ASKED)
def test_says_what_is_allowed(
    message: str, positioned: tuple[ModuleType, nnx.Module]
) -> None:
    module, model = positioned
    asked = {"prompts": [[1, 2]], "max_new_tokens": 4} | ASKED[message]
    with pytest.raises(ValueError) as found:
        module.generate(model, **asked)
    assert str(found.value) == message


def test_an_option_that_generate_does_not_have(
    positioned: tuple[ModuleType, nnx.Module],
) -> None:
    module, model = positioned
    with pytest.raises(
        TypeError, match="`generate` has no option max_tokens, it has max_"
    ):
        module.generate(model, [[1, 2]], max_tokens=4)


def test_as_many_tokens_as_there_are_positions(
    positioned: tuple[ModuleType, nnx.Module],
) -> None:
    """Padding of prompts takes no positions."""
    module, model = positioned
    prompt = [3, 5, 7] * 9
    want = greedy(model, prompt, 5)
    assert module.generate(model, [prompt, [1]], max_new_tokens=5)[0] == want
    assert module.generate(model, []) == []


def test_a_cache_has_as_many_places_as_tables_have_rows(
    positioned: tuple[ModuleType, nnx.Module],
) -> None:
    module, model = positioned
    starts = np.array([0])
    for given, size, message in (
        (starts, 33, "size is 1 to 32, not 33"),
        (starts, 0, "size is 1 to 32, not 0"),
        (starts[0], 4, "starts are whole numbers (b,), not int64[]"),
        (starts / 2, 4, "starts are whole numbers (b,), not float64[1]"),
    ):
        with pytest.raises(ValueError) as found:
            module.init_cache(model, given, size)
        assert str(found.value) == message
    assert module.init_cache(model, starts, 32) is not model


TABLES = {
    "x + (positions(tokens) + 2 -> Embed(12, d))": 10,
    "x + table[positions(tokens)]": 16,
    "x + take(table, shift(positions(x)))": 16,
    "x + (one_hot(positions(x), 11) -> Linear(d))": 11,
    "Placed()(x, positions(x))": 9,
    "x + table[positions(tokens) % 16]": None,
    "x + table[minimum(positions(x), 15)]": None,
}


@pytest.mark.parametrize("value", TABLES)
def test_the_rows_of_a_table_of_positions(value: str) -> None:
    block = """
block Placed:
    input x: [B, T, d], at: int[B, T]
    return x + (at -> Embed(9, d))
"""
    spec = f"""{block if "Placed" in value else ""}
model Net(vocab = 23, d = 8):
    input tokens: int[B, T]
    param table: [16, d] = normal(1.0)
    x = (tokens -> Embed(vocab + 1, d)) + table[0]
    x = {value}
    return x -> Linear(vocab) as head

generate Net
"""
    module = load(text_of(spec, black=False))
    known = module.limits(module.Net(module.Config(), rngs=nnx.Rngs(0)))
    assert (known.ids, known.scores) == (24, 23)
    assert known.positions == TABLES[value]


SCANNED = ("window", "Conv", "scan", "LSTM", "a scan without weights")


@pytest.mark.parametrize("layer", SCANNED)
def test_a_scanned_stack_has_a_stacked_cache(layer: str) -> None:
    check_pieces(layer, stack="scan")


@pytest.mark.parametrize("graph", [True, False])
def test_a_scanned_stack_generates_and_learns_as_the_loop(graph: bool) -> None:
    with nnx.set_graph_mode(graph):
        _, loop = made("window")
        module, model = made("window", stack="scan", remat=True)
        assert nnx.state(model.h).query.kernel.shape == (2, 8, 4, 6)
        for name in ("wte", "wpe", "head"):
            nnx.update(getattr(model, name), nnx.state(getattr(loop, name)))
        layers = [nnx.state(layer) for layer in loop.h]
        nnx.update(model.h, jax.tree.map(lambda *xs: jnp.stack(xs), *layers))
        want = [greedy(loop, prompt, 4) for prompt in PROMPTS]
        assert module.generate(model, PROMPTS, max_new_tokens=4) == want
        tokens = jnp.arange(14).reshape(2, 7)
        sizes = [size_of_gradients(m, tokens) for m in (loop, model)]
        np.testing.assert_allclose(*sizes, rtol=1e-4)


def size_of_gradients(model: nnx.Module, tokens: jax.Array) -> jax.Array:
    """The sum of the squares of all gradients of some loss."""
    graphdef, params = nnx.split(model)

    def size(params: nnx.State) -> jax.Array:
        grads = jax.grad(lambda p: (nnx.merge(graphdef, p)(tokens) ** 2).sum())(params)
        return sum(jnp.sum(g**2) for g in jax.tree.leaves(grads))

    return evaluated(size, params)


NESTED = """
block Layer:
    input x: [B, T, d]
    return x + (x -> Attention(2, causal=true) as attn)

block Group:
    input x: [B, T, d]
    return x + (x -> Layer * 3 as inner)

model Net(vocab = 23, d = 8, groups = 2):
    input tokens: int[B, T]
    return tokens -> Embed(vocab, d) -> Group * groups as h -> Linear(vocab) as head

generate Net
"""


def test_a_stack_in_a_stack_has_a_cache_of_both() -> None:
    module = load(text_of(NESTED, black=False, stack="scan"))
    model = module.Net(module.Config(), rngs=nnx.Rngs(3))
    want = [greedy(model, prompt, 3) for prompt in PROMPTS]
    assert module.generate(model, PROMPTS, max_new_tokens=3) == want
    decoder = module.init_cache(model, jnp.array([0, 1]), 5)
    assert decoder.h.inner.attn.attend.k.shape[:3] == (2, 3, 2)


def test_dropout_is_off_while_decoding() -> None:
    spec = LAYERS["Attention"].replace(" as attn)", " as attn -> Dropout(0.5))") + HEAD
    module = load(text_of(spec, black=False))
    model = module.Net(module.Config(), rngs=nnx.Rngs(3))
    want = greedy(nnx.view(model, deterministic=True), [1, 2], 3)
    assert module.generate(model, [[1, 2]], max_new_tokens=3) == [want]


@pytest.mark.parametrize(
    "outputs", ["{}, x", "logits={}", "hidden=x, logits={}", "scores={}, hidden=[x]"]
)
def test_the_output_that_scores(outputs: str) -> None:
    """`logits`, or else the first."""
    head = "x -> Linear(vocab) as head"
    line = f"return {outputs.format(head)}"
    spec = LAYERS["GRU"] + HEAD.replace(f"return {head}", line)
    module = load(text_of(spec, black=False))
    model = module.Net(module.Config(), rngs=nnx.Rngs(3))
    assert len(module.generate(model, [[1, 2]], max_new_tokens=3)[0]) == 3


WHOLE = "this needs the whole sequence at once"
LENGTH = "this depends on how long the sequence is"
BATCH = "this mixes the sequences of a batch"
REFUSED = {
    "x += mean(x, axis=T)[:, none]": WHOLE,
    "x = x -> softmax(axis=T)": WHOLE,
    "x = x -> cumsum(axis=1)": WHOLE,
    "x = x -> flip(axis=T)": WHOLE,
    "x = x[:, ::-1]": WHOLE,
    "x += x[:, :1]": WHOLE,
    "x = x -> [B * T, d] -> [B, T, d]": WHOLE,
    'x += einsum("b t d, b s d -> b t", x, x)[..., none]': WHOLE,
    'x += einsum("... d, ... d -> d", x, x)': WHOLE,
    'x = max_pool(x, [3], stride=1, padding="same")': WHOLE,
    "x += astype(segment_positions(argmax(x, axis=-1)), f32)[..., none]": WHOLE,
    "x = x -> GroupNorm(2)": WHOLE,
    "x += arange(T)[:, none]": "`arange` counts from the start of the sequence",
    "x += x -> Conv(d, [3])": "this window sees later entries",
    "x += x -> Attention(2) as attn": "this sees tokens that do not exist yet",
    "x += x -> LSTM(d, reverse=true) as back": "this goes over the sequence from its end",
    "a = Attention(2, causal=true)\n    x = x -> a -> a": "`a` is applied twice, and keeps one sequence",
    "scan xt in x over T reversed with h = zeros([B, d]):\n        h = h + xt\n        collect x = h": "this goes over the sequence from its end",
    "x += max(x, axis=T)[:, none]": WHOLE,
    "x += mean(x)": WHOLE,
    "x = x -> sort(axis=1)": WHOLE,
    "h = x[:, 0]\n    x += h[:, none]": WHOLE,
    "x = x -> InstanceNorm": WHOLE,
    "x = concat(zeros([B, 1, d]), x, axis=1)[:, :-1]": WHOLE,
    "y = [x, x]\n    x = concat(y, axis=1)[:, ::2]": WHOLE,
    "a = Attention(2, causal=true)\n    x += a.gradient(x)": WHOLE,
    'x = x -> rearrange("b t (h k) -> (b h) t k", h=2) -> shift -> rearrange("(b h) t k -> b t (h k)", h=2)': WHOLE,
    "x -= mean(x, axis=B)": BATCH,
    "x = x -> flip(axis=B)": BATCH,
    "x = x[::-1]": BATCH,
    "x = x / T": LENGTH,
    "n = T // 2\n    x = x * n": LENGTH,
    "param table: [32, d] = normal(1.0)\n    x += table[:T]": LENGTH,
    "x += full([T, 1], T)": LENGTH,
    "x += sinusoidal(T, 8)": "`sinusoidal` counts from the start of the sequence",
    "x += linspace(0, 1, T)[:, none]": "`linspace` counts from the start of the sequence",
    "x += normal([B, T, d], rng=noise)": "`normal` draws anew at each call",
    "state seen: [] = 0.0\n    seen = seen + 1.0\n    x += seen": "`seen` changes at each call",
    "scan xt in x over T with h = zeros([B, d]):\n        h = h + xt\n    x += h[:, none]": "this is known after the last entry only",
    "a = Attention(2, causal=true)\n    for i in range(2):\n        x = x -> a": "`a` is applied in each round of a loop, and keeps one sequence",
    'x = x -> Conv(d, [3], padding="causal", weight_norm="out")': "a window that keeps its past has no `weight_norm`",
    "x += Attention(2, causal=true)(x, ones([B, 3, d]))": "this counts from the start of the sequence",
}


@pytest.mark.parametrize("line", REFUSED)
def test_says_what_needs_the_whole_sequence(line: str) -> None:
    layer = f"\nblock Layer:\n    input x: [B, T, d]\n    {line}\n    return x\n"
    found = compile(layer + HEAD).diagnostics
    assert [(d.code, d.message) for d in found] == [("N701", REFUSED[line])]
    assert found[0].primary.span.text in line.replace("\n    ", "\n    ")


def test_one_model_a_file() -> None:
    again = HEAD.replace("Net", "Other").replace("as h\n", "as h\n")
    found = compile(LAYERS["GRU"] + HEAD + again).diagnostics
    assert [d.code for d in found] == ["N700"]
