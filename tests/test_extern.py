"""Python code that a spec brings along: checked, imported by the output alone, held to its word."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import nnxc
from nnxc.driver import analyse
from nnxc.instance import instantiate

TABLES = '''
import numpy as np

calls = []

def distance(T, scale):
    """How far apart positions are."""
    calls.append((T, scale))
    return (scale * abs(np.arange(T)[:, None] - np.arange(T))).astype(np.int32)
'''
KERNELS = """
import jax.numpy as jnp

def blend(a, b, *, weight, flip):
    return weight * a + (1 - weight) * (b[..., ::-1] if flip else b)

def halves(x):
    return x[..., : x.shape[-1] // 2], jnp.argmax(x, -1).astype(jnp.int32)

def reduced(x):
    return x.sum(-1)

def masked(x, mask=None):
    return x if mask is None else jnp.where(mask[..., None], x, 0.0)

def gap(a, b):
    return jnp.square(a - b).mean()
"""
LAYERS = """
import jax
from flax import nnx

class Gate(nnx.Module):
    def __init__(self, width, hidden, rate=0.0, *, rngs):
        self.up = nnx.Linear(width, hidden, rngs=rngs)
        self.norm = nnx.BatchNorm(hidden, rngs=rngs)
        self.dropout = nnx.Dropout(rate, rngs=rngs)
        self.down = nnx.Linear(hidden, width, rngs=rngs)

    def __call__(self, x):
        return self.down(self.dropout(nnx.sigmoid(self.norm(self.up(x)))))
"""

Load = Callable[[str], ModuleType]


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """Builds a spec beside the Python code that it names, and imports what comes out."""
    package = tmp_path / "brought"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "kernels.py").write_text(KERNELS)
    (package / "layers.py").write_text(LAYERS)
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib/tables.py").write_text(TABLES)
    monkeypatch.syspath_prepend(tmp_path)

    def built(spec: str) -> ModuleType:
        name = f"made_{abs(hash(spec))}"
        (tmp_path / f"{name}.nnx").write_text(spec)
        result = nnxc.build([str(tmp_path / f"{name}.nnx")], str(tmp_path))
        assert result.ok, [d.message for d in result.diagnostics]
        importlib.invalidate_caches()
        return importlib.import_module(name)

    yield built
    for name in [n for n in sys.modules if n.startswith(("brought", "made_"))]:
        del sys.modules[name]


def codes(spec: str) -> list[str]:
    return [d.code for d in nnxc.compile(spec).diagnostics]


# ---------------------------------------------------------------- what is called


def test_a_table_of_a_file_is_computed_once(load: Load) -> None:
    module = load("""
extern "lib/tables.py" distance(T, scale) -> int[T, T]

model Net(scale = 2):
    input x: [B, T]
    return x + sum(distance(T, scale), axis=0) + sum(distance(T, scale=1), axis=0)
""")
    model = module.create_model() if hasattr(module, "create_model") else None
    model = model or module.Net(rngs=nnx.Rngs(0))
    x = jnp.zeros((2, 3))
    calls = sys.modules[f"{module.__name__}:lib/tables.py"].calls
    for _ in range(2):
        np.testing.assert_array_equal(model(x)[0], [9, 6, 9])
        np.testing.assert_array_equal(nnx.jit(model)(x)[0], [9, 6, 9])
    assert calls == [(3, 2), (3, 1)]
    jax.grad(lambda x: nnx.jit(model)(x).sum())(jnp.zeros((2, 5)))
    assert calls == [(3, 2), (3, 1), (5, 2), (5, 1)]


def test_functions_of_a_package(load: Load) -> None:
    module = load("""
extern "brought.kernels" blend(a: [..., d], b: [..., d], weight = 0.5, flip = false) -> [..., d]
extern "brought.kernels" halves(x: [B, T, 2 * n]) -> [B, T, n], int[B, T]
extern "brought.kernels" masked(x: [B, T, d], mask: bool[B, T] = none) -> [B, T, d]

model Net(weight = 0.25):
    input x: [B, T, 4], y: [B, T, 4], keep: bool[B, T]
    z, best = blend(x, y, weight, flip=true) -> halves
    z = z -> masked(mask=keep)  # revealed: [B, T, 2]
    return masked(blend(z, z)), best
""")
    x = np.arange(8, dtype=np.float32).reshape(1, 2, 4)
    keep = np.array([[True, False]])
    model = module.Net(rngs=nnx.Rngs(0))
    z, best = nnx.jit(model)(x, 2 * x, keep)
    whole = 0.25 * x + 0.75 * 2 * x[..., ::-1]
    np.testing.assert_allclose(z, np.where(keep[..., None], whole[..., :2], 0))
    np.testing.assert_array_equal(best, whole.argmax(-1))


GATED = """
extern "brought.layers" Gate(x: [B, d], d, hidden, rate = 0.5) -> [B, d]
extern "brought.kernels" gap(a: [B, d], b: [B, d]) -> []

model Net(hidden = 8):
    input x: [B, 4]
    x += x -> Linear(4) -> Gate(hidden)
    for i in range(2):
        x = x -> Gate((i + 1) * hidden, rate=0.0) as tail
    return x -> Gate(hidden) * 2 as stack -> Linear(4) as head

train Net:
    batch x: [B, 4], y: [B, 4]
    loss = gap(model(x), y)
    optimizer = adam(1e-2)
    freeze tail
"""


@pytest.mark.parametrize("frozen", [pytest.param(True, marks=pytest.mark.heavy), False])
def test_modules_take_part_and_train(load: Load, frozen: bool) -> None:
    module = load(GATED if frozen else GATED.replace("    freeze tail\n", ""))
    model = module.create_model()
    assert model.gate.up.kernel.shape == (4, 8)
    assert [g.up.kernel.shape for g in model.tail] == [(4, 8), (4, 16)]
    assert len(model.stack) == 2
    optimizer = module.create_optimizer(model)
    before = jax.tree.map(jnp.copy, nnx.state(model, nnx.Param))
    x = jnp.asarray(np.random.default_rng(0).normal(size=(16, 4)), jnp.float32)
    losses = [float(module.train_step(model, optimizer, x, x)[0]) for _ in range(30)]
    assert losses[-1] < losses[0]
    after = nnx.state(model, nnx.Param)
    changed = jax.tree.map(lambda a, b: bool((a != b).any()), after, before)
    assert changed["gate"]["up"]["kernel"].get_value()
    assert changed["tail"][0]["up"]["kernel"].get_value() is not frozen
    assert (model.gate.norm.mean[...] != 0).any()
    one, two = (module.eval_step(model, x, x)[0] for _ in range(2))
    assert one == two


def test_modules_are_stacked_alike_however_stacks_are_made() -> None:
    options = nnxc.Options(stack="scan")
    text = next(iter(nnxc.compile(GATED, options=options).files.values()))
    assert (
        "self.stack = nnx.List([Gate(4, hidden, rate=0.5, rngs=rngs) for _ in range(2)])"
        in text
    )


def test_copies_and_blocks_as_arguments(load: Load) -> None:
    module = load("""
extern "brought.layers" Gate(x: [B, d], d, hidden, rate = 0.0) -> [B, d]

block Twice(block):
    input x: [B, d]
    return x -> block(3) -> block(3)

model Net(experts = 3):
    input x: [B, experts, 4]
    return x -> Gate(5, each=experts) -> [3 * B, 4] -> Twice(Gate)
""")
    assert module.Net(rngs=nnx.Rngs(0))(jnp.ones((2, 3, 4))).shape == (6, 4)


def test_externs_of_a_used_file(load: Load, tmp_path: Path) -> None:
    (tmp_path / "lib/parts.nnx").write_text("""
extern "tables.py" distance(T, scale) -> int[T, T]
extern "../lib/more.py" scaled(x: [B, T]) -> [B, T]

block Far:
    input x: [B, T]
    return scaled(x + sum(distance(T, 1), axis=0))
""")
    (tmp_path / "lib/more.py").write_text("def scaled(x):\n    return 2 * x\n")
    module = load("""
use Far, distance from "lib/parts.nnx"

model Net(n = 3):
    input x: [B, n]
    return x + sum(distance(n, 1), axis=0) -> Far
""")
    out = module.Net(rngs=nnx.Rngs(0))(jnp.zeros((1, 3)))
    np.testing.assert_array_equal(out[0], [12, 8, 12])


def test_names_that_python_or_the_module_uses(load: Load, tmp_path: Path) -> None:
    (tmp_path / "brought/odd.py").write_text(
        "def create_model(x):\n    return x + 1\n\n"
        "def declared(x, cache=3):\n    return x + cache\n\n"
        "class Trainer_:\n    pass\n"
    )
    module = load("""
extern "brought.odd" create_model(x: [B, T]) -> [B, T]
extern "brought.odd" declared(x: [B, T], cache = 2) -> [B, T]

model Net(cache = 5, table = 1):
    input x: [B, T]
    param one: [] = ones
    path = x + table
    return one * (create_model(path) -> declared(cache))

train Net:
    batch x: [B, T]
    loss = mean(model(x))
    optimizer = adam(1e-3)
""")
    assert module.create_model().cache_ == 5
    assert module.create_model()(jnp.zeros((1, 1))).item() == 7


def test_weights_inside_start_as_in_a_new_model(load: Load, tmp_path: Path) -> None:
    safetensors = pytest.importorskip("safetensors.numpy")
    module = load("""
extern "brought.layers" Gate(x: [B, d], d, hidden) -> [B, d]

model Net(out = 4):
    input x: [B, 4]
    return x -> Gate(8) as gate -> Linear(out) as head

weights Net from "{path}"
""")
    kernel = np.ones((4, 4), np.float32)
    tensors = {"head.weight": kernel, "head.bias": kernel[0]}
    safetensors.save_file(tensors, tmp_path / "a.safetensors")
    model = module.load_pretrained(tmp_path / "a.safetensors")
    fresh = module.Net(module.Config(), rngs=nnx.Rngs(0))
    np.testing.assert_array_equal(model.gate.up.kernel[...], fresh.gate.up.kernel[...])
    module.save_pretrained(model, tmp_path / "b.safetensors")
    assert safetensors.load_file(tmp_path / "b.safetensors").keys() == tensors.keys()


# ------------------------------------------------------------------ held to its word


@pytest.mark.parametrize(
    ("declaration", "call", "message"),
    [
        ("reduced(x: [B, T, d]) -> [B, T, d]", "", r"float\[2, 3, 4\], it gave float32\[2, 3\]"),
        ("reduced(x: [..., d]) -> int[...]", "", r"int32\[2, 3\], it gave float32\[2, 3\]"),
        ("halves(x: [B, T, d]) -> [B, T, d]", "", r"it gave tuple\[\]"),
        ("reduced(x: [B, T, d]) -> [B, T], [B]", "[0]", r"float\[2, 3\], float\[2\], it gave float32"),
        ("masked(x: [B, T, d]) -> bf16[B, T, d]", "", r"bfloat16\[2, 3, 4\], it gave float32"),
    ],
)  # fmt: skip
def test_what_comes_is_what_is_declared(
    load: Load, declaration: str, call: str, message: str
) -> None:
    name = declaration.split("(")[0]
    several = "a, b" if call else "a"
    module = load(f"""
extern "brought.kernels" {declaration}

model Net(n = 4):
    input x: [B, T, n]
    {several} = {name}(x)
    return {several}
""")
    model = module.Net(rngs=nnx.Rngs(0))
    for run in (model, nnx.jit(model)):
        with pytest.raises(TypeError, match=f"`{name}` is declared as .*{message}"):
            run(jnp.zeros((2, 3, 4)))


def test_leading_axes_are_not_counted(load: Load) -> None:
    module = load("""
extern "brought.kernels" masked(x: [..., d]) -> [..., d]

block Open:
    input x: [..., d]
    return masked(x)

model Net(n = 4):
    input x: [B, n]
    return x -> Open
""")
    for shape in ((4,), (2, 4), (2, 3, 4)):
        assert module.Open()(jnp.zeros(shape)).shape == shape


def test_a_file_that_is_not_there(load: Load) -> None:
    spec = """
extern "lib/gone.py" f(x: [B]) -> [B]

model Net(n = 1.0):
    input x: [B]
    return n * f(x)
"""
    with pytest.raises(ImportError, match=r"needs .*lib/gone\.py, which is no file"):
        load(spec)


# ------------------------------------------------------------- never while compiling


def test_compiling_imports_and_reads_nothing(tmp_path: Path) -> None:
    (tmp_path / "crash.py").write_text("raise SystemExit('imported')")
    spec = tmp_path / "net.nnx"
    spec.write_text(
        'extern "crash.py" f(x: [B]) -> [B]\nextern "crash" g(x: [B]) -> [B]\n'
        'extern "nowhere.at_all" h(x: [B]) -> [B]\n\n'
        "model Net(n = 1.0):\n    input x: [B]\n    return n * f(g(h(x)))\n"
    )
    before = set(sys.modules)
    sys.path.insert(0, str(tmp_path))
    opened: list[str] = []
    sys.addaudithook(
        lambda event, args: opened.append(str(args[0])) if event == "open" else None
    )
    try:
        assert nnxc.build([str(spec)], str(tmp_path / "out")).ok
        assert nnxc.build([str(spec)], str(tmp_path / "out")).ok
    finally:
        sys.path.remove(str(tmp_path))
    assert {"crash", "nowhere"}.isdisjoint({*sys.modules} - before)
    assert not [path for path in opened if path.endswith("crash.py")]


@pytest.mark.parametrize(
    "place",
    [
        "", ".", "a.", ".a", "a..b", "a b", "a-b", "1a", "a.import", "__main__", "a.__dict__",
        "os; x", "a\\nimport os", '\\"', "/abs/a.py", "a\\\\b.py", "./a.py", ".py", "a\\n.py",
        "a'.py", "~/a.py", "a/../../b.py", "$HOME/a.py", "{x}.py",
    ],
)  # fmt: skip
def test_places_that_are_none(place: str) -> None:
    spec = f"""
extern "{place}" f(x: [B]) -> [B]

model Net(n = 1.0):
    input x: [B]
    return n * f(x)
"""
    assert codes(spec) == ["N272"], place


@pytest.mark.parametrize(
    ("extern", "code"),
    [
        ("__f(x: [B]) -> [B]", "N219"),
        ("f(__x: [B]) -> [B]", "N219"),
        ("f(rngs, x: [B]) -> [B]", "N219"),
        ("max(x: [B]) -> [B]", "N203"),
        ("f(x: [B], x) -> [B]", "N202"),
        ("f(x: [B], n, n) -> [B]", "N202"),
        ("f(x: [B]) -> [C]", "N200"),
        ("f(x: [B]) -> [B], strange[B]", "N320"),
        ("f(x: [B] = 1) -> [B]", "N217"),
        ("f(x: [B], n = B) -> [B]", "N200"),
        ("F(n) -> [n]", "N250"),
        ("f(x: [B]) -> [0]", "N315"),
        ("f(y: [B] = none, x: [B]) -> [B]", "N244"),
    ],
)
def test_declarations_that_are_wrong(extern: str, code: str) -> None:
    name = extern.split("(")[0]
    spec = f'extern "m" {extern}\n\nmodel Net(n = 1.0):\n    input x: [B]\n'
    assert codes(spec + f"    return n * {name}(x)\n") == [code]


@pytest.mark.parametrize(
    ("call", "code"),
    [
        ("f(x)", "N211"),
        ("f(x, 2, 3)", "N205"),
        ("f(x, 2, size=2)", "N210"),
        ("f(x, 2, other=3)", "N204"),
        ("f(x, true)", "N207"),
        ("f(x, 5)", "N301"),
        ("f(x -> [B, 3, 2], 2)", "N303"),
        ("f(ids, 2)", "N302"),
        ("f(x, 2, y=ids)", "N303"),
        ("f(x, 2, y=x)", "N302"),
        ("g(x)", "N317"),
        ("f", "N235"),
        ("F(x, 2)", "N205"),
        ("x -> F", "N211"),
        ("x -> F(2) * 2", "N301"),
    ],
)
def test_calls_that_are_wrong(call: str, code: str) -> None:
    spec = f"""
extern "m" f(x: [B, 3 * size], size, y: int[B] = none) -> [B, size]
extern "m" g(x: [B, d], y: int[B, T] = none) -> [B, T]
extern "m" F(x: [B, d], d, out) -> [B, out]

model Net(n = 1.0):
    input x: [B, 6], ids: int[B, 6]
    a = f(x, 2) -> F(2) as a1
    b = n * g(x, y=ids)
    return {call}, ids, b
"""
    found = codes(spec)
    assert set(found) - {"N260"} == {code}, found


def test_sizes_are_compared_as_everywhere() -> None:
    spec = """
extern "m" f(x: [B, T, d], y: [B, T, d]) -> [B, 2 * T, d]

model Net(d = 4):
    input x: [B, 3, d], y: [B, {}, d]
    return f(x, y) : [B, 6, d]
"""
    assert codes(spec.format(3)) == []
    assert codes(spec.format(2)) == ["N301"]
    assert codes(spec.format("N")) == ["N311"]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ('extern "m" f(x: [B]) -> [B]\n', "N262"),
        ('extern "m" f(x: [B]) -> [B]\nextern "n" f(x: [B]) -> [B]\n', "N202"),
        ('extern "m" Net(x: [B]) -> [B]\n', "N202"),
        ('extern "m" Trainer(x: [B]) -> [B]\n', "N203"),
    ],
)
def test_names_that_collide(text: str, code: str) -> None:
    model = "\nmodel Net(n = 1.0):\n    input x: [B]\n    return n * x\n"
    assert code in codes(text + model)


def test_a_mistake_in_a_declaration_is_told_once() -> None:
    spec = """
extern "no place" f(x: [B]) -> [B]
extern "m" g(x: [B], x: [B]) -> [B]

model Net(n = 1.0):
    input x: [B]
    return n * f(g(x))
"""
    assert codes(spec) == ["N272", "N202"]


# ------------------------------------------------------------------- other readers


def test_the_form_of_a_declaration() -> None:
    long = ", ".join(f"argument_{i}: [B, T, d]" for i in range(6))
    spec = (
        "extern   'm'  f( x:[B,T] , n=3,*) -> [B,T]\n".replace(",*", "")
        + f'# Why.\nextern "m" Long({long}) -> [B, T, d], int[B]  # so\n\n'
        + "model Net(n = 4):\n    input x: [B, n]\n    return f(x)\n"
    )
    formatted, found = nnxc.driver.reformat(spec)
    assert not found and formatted is not None
    lines = formatted.split("\n")
    assert lines[0] == 'extern "m" f(x: [B, T], n = 3) -> [B, T]'
    assert lines[1:3] == ["# Why.", 'extern "m" Long(']
    assert nnxc.driver.reformat(formatted)[0] == formatted


def test_what_a_summary_cannot_know() -> None:
    program = analyse(GATED).program
    assert program is not None
    root = instantiate(program, "Net", {}, {"B": 2}).root
    assert root.parameters is None and root.total_flops is None
    assert [c.parameters for c in root.children if c.name == "head"] == [20]


def test_shadowing_an_entry_of_the_library(load: Load) -> None:
    module = load("""
extern "brought.kernels" masked(x: [B, T, d]) -> [B, T, d]
extern "jax.nn" gelu(x: [...], approximate = false) -> [...]

model Net(d = 2):
    input x: [B, T, d]
    return x -> masked -> gelu
""")
    x: Any = jnp.ones((1, 1, 2))
    np.testing.assert_allclose(
        module.Net(rngs=nnx.Rngs(0))(x), jax.nn.gelu(x, approximate=False)
    )


def test_what_is_inside_of_a_module_has_no_paths() -> None:
    frozen = GATED.replace("freeze tail", "freeze tail.up")
    assert codes(frozen) == ["N511"]
    weights = '\nweights Net from "{path}":\n    gate.up = "up"\n'
    assert codes(GATED + weights) == ["N602"]


GENERATES = """
extern "brought.kernels" twice(x: {shape}) -> {shape}
extern "brought.layers" Attention(x: {module}, d) -> {module}
extern "brought.tables" zeros({table}) -> [T, 1]

model Net(vocab = 7, d = 4):
    input tokens: int[B, T]
    x = tokens -> Embed(vocab, d) as wte
    x = x -> twice -> Attention as attn
    return x {plus} -> wte.attend

generate Net
"""


@pytest.mark.parametrize(
    ("shape", "module", "table", "plus", "found"),
    [
        ("[..., d]", "[..., d]", "T", "* mean(zeros(1))", []),
        ("[B, T, d]", "[..., d]", "T", "* mean(zeros(1))", ["N701"]),
        ("[..., d]", "[B, T, d]", "T", "* mean(zeros(1))", ["N701"]),
        ("[..., T, d]", "[..., d]", "T", "* mean(zeros(1))", ["N701"]),
        ("[..., d]", "[..., d]", "T", "+ zeros(T)", ["N701"]),
    ],
)
def test_what_may_look_back_does_not_generate(
    shape: str, module: str, table: str, plus: str, found: list[str]
) -> None:
    spec = GENERATES.format(shape=shape, module=module, table=table, plus=plus)
    assert codes(spec) == found


def test_half_precision_scans_and_averages(load: Load) -> None:
    module = load("""
extern "lib/tables.py" distance(T, scale) -> int[T, T]
extern "brought.kernels" blend(a: [..., d], b: [..., d], weight = 0.5, flip = false) -> [..., d]
extern "brought.layers" Gate(x: [B, d], d, hidden) -> [B, d]

block Cell:
    input x: [B, T, d]
    inner = Linear(d)
    scan xt in x over T with h = zeros([B, d]):
        h = tanh(blend(inner(xt), h))
        collect ys = h
    near = astype(distance(T, 2), float)
    return x + einsum("b t d, t s -> b s d", ys, near)

model Net(layers = 2):
    input x: [B, T, 4]
    x = x -> Cell * layers as cells
    return x[:, -1] -> Gate(8) as gate -> Linear(1) as head -> [B]

train Net:
    batch x: [B, T, 4], y: [B]
    loss = mse(model(x), y)
    optimizer = adam(1e-2)
    precision = bf16
    accumulate = 2
    ema = 0.9
""")
    model = module.create_model()
    optimizer, ema = module.create_optimizer(model), module.create_ema(model)
    x = jnp.asarray(np.random.default_rng(1).normal(size=(8, 5, 4)), jnp.float32)
    y = x.sum((1, 2))
    losses = [
        float(module.train_step(model, optimizer, ema, x, y)[0]) for _ in range(40)
    ]
    assert losses[-1] < losses[0]
