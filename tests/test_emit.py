"""The text of generated modules: house style, names, layout, safety."""

from __future__ import annotations

import ast
import builtins
import subprocess
import sys
from pathlib import Path
from symtable import symtable

import black
import pytest
from emitting import class_of, load, program, run, text_of
from flax import nnx
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle import cases, predict

import nnxc
from nnxc.emit import Options, emit, render
from nnxc.emit.python import names, text
from nnxc.emit.python.docs import docstring
from nnxc.emit.python.free_names import free_names
from nnxc.emit.python.library_calls import fill, holes
from nnxc.emit.signature import assign_names
from nnxc.ops import LOSSES, METRICS, MODEL_OPS, OPTIMIZERS, SCHEDULES
from nnxc.ops.base import Call

ROOT = Path(__file__).parent.parent
ZOO = sorted((ROOT / "dsl/nnxc/zoo").rglob("*.nnx"))
HEAVY = pytest.mark.heavy


def zoo(name: str) -> str:
    return (ROOT / f"dsl/nnxc/zoo/{name}.nnx").read_text(encoding="utf-8")


# ---------------------------------------------------------------- house style


def test_a_small_model_reads_as_written_by_hand():
    spec = """
model SimpleMLP(hidden = 4, out = 1, rate = 0.5):
    input x: [B, 2]
    return x -> Linear(hidden) -> relu -> Dropout(rate) -> Linear(out)
"""
    assert text_of(spec) == '''"""SimpleMLP in Flax NNX.

Axes: b batch.
"""

from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx


class SimpleMLP(nnx.Module):
    """Maps (b, 2) to (b, out)."""

    def __init__(
        self,
        hidden: int = 4,
        out: int = 1,
        rate: float = 0.5,
        *,
        dtype: jax.typing.DTypeLike = jnp.float32,
        param_dtype: jax.typing.DTypeLike = jnp.float32,
        rngs: nnx.Rngs,
    ):
        dtypes: dict[str, Any] = {"dtype": dtype, "param_dtype": param_dtype}
        if min(hidden, out) < 1:
            raise ValueError(
                f"sizes must be at least 1, got hidden={hidden}, out={out}"
            )
        if not 0 <= rate <= 1:
            raise ValueError(f"rate must be between 0 and 1, got rate={rate}")
        self.linear_1 = nnx.Linear(2, hidden, **dtypes, rngs=rngs)
        self.dropout = nnx.Dropout(rate)
        self.linear_2 = nnx.Linear(hidden, out, **dtypes, rngs=rngs)

    def __call__(self, x: jax.Array, *, rngs: nnx.Rngs | None = None) -> jax.Array:
        x = self.dropout(nnx.relu(self.linear_1(x)), rngs=rngs)  # (b, hidden)
        return self.linear_2(x)
'''


def test_a_residual_block_reads_as_written_by_hand():
    body = class_of(zoo("gpt2"), "Block")
    assert body.endswith("""
    def __call__(self, x: jax.Array, *, rngs: nnx.Rngs | None = None) -> jax.Array:
        x = x + self.dropout_1(self.attn(self.ln_1(x)), rngs=rngs)
        y = nnx.gelu(self.c_fc(self.ln_2(x)))  # (b, t, 4 * d)
        return x + self.dropout_2(self.c_proj(y), rngs=rngs)
""")
    assert "def __init__(self, cfg: Config, *, rngs: nnx.Rngs):" in body


def test_a_stack_is_a_loop_or_a_scan():
    loop, scan = (
        class_of(zoo("gpt2"), "GPT2", stack=stack) for stack in ("loop", "scan")
    )
    assert "        for block in self.h:\n            x = block(x, rngs=rngs)\n" in loop
    assert "self.h = jax.vmap(lambda r: Block(cfg, rngs=r))(rngs.split(layers))" in scan
    assert "x, _ = jax.lax.scan(body, x, (self.h, keys))" in scan
    rematted = class_of(zoo("gpt2"), "GPT2", stack="scan", remat=True)
    assert "jax.lax.scan(jax.checkpoint(body), x, (self.h, keys))" in rematted


def test_loops_with_layers_zip_over_lists():
    body = class_of(zoo("resnet18"), "ResNet18")
    assert (
        "        for first, blocks in zip(self.first, self.blocks, strict=True):\n"
        in body
    )
    assert "self.first = nnx.List[BasicBlock]()" in body
    assert "            features = width\n" in body


def test_a_layer_under_a_condition_is_optional():
    body = class_of(zoo("resnet18"), "BasicBlock")
    assert "            if stride != 1 or c != features\n" in body
    assert (
        "        if self.shortcut is not None:\n            x = self.shortcut(x)"
        in body
    )


def test_a_large_model_takes_a_config():
    body = text_of(zoo("gpt2"))
    assert "@dataclass(frozen=True, kw_only=True)\nclass Config:" in body
    assert "\nGPT2_MEDIUM = Config(d=1024, heads=16, layers=24)\n" in body
    assert "def __init__(self, cfg: Config, *, rngs: nnx.Rngs):" in body
    assert "        d, rate = cfg.d, cfg.rate\n" in body


def test_what_has_no_room_for_a_local_name_stays_a_field():
    width = "the_number_of_features_of_all_layers_inside"
    spec = f"""
model Net({width} = 4, a = 1, b = 2, c = 3, d = 4, e = 5):
    input x: [B, 3]
    x = x -> Linear({width}) -> Linear({width}) -> Linear({width})
    return x -> Linear(a) -> Linear(b) -> Linear(c) -> Linear(d) -> Linear(e)
"""
    body = text_of(spec)
    assert f" 3, cfg.{width}, **dtypes" in body and f"{width} = cfg" not in body


SCANS = """
block Smooth:
    input x: [B, T, d]
    scan xt in x over T with h = zeros([B, d]):
        h = 0.5 * h + xt
        collect ys = h
    return ys

model Lm(smooth = false, kinds = ["c"], n = 3):
    input tokens: int[B, T]
    x = tokens -> Embed(11, 8)
    for kind in kinds:
        if kind == "a":
            if smooth:
                x = x -> Smooth() * 2
        else:
            x += x -> Attention(2, causal=true)
    if n <= 2:
        x = 0.5 * x
    return x

generate Lm

train Lm:
    batch tokens: int[B, T]
    loss = mean(model(tokens)**2)
    optimizer = adam(1e-3)
    precision = f32
"""


def test_a_dtype_that_is_local_already_is_not_unpacked():
    body = text_of(SCANS)
    assert body.count("cfg.dtype or jnp.float32\n") == 1 and "\n         = " not in body


def test_dtypes_are_parameters_where_there_is_a_use_for_them():
    spec = """
block Halves:
    input x: [B, d]
    return max(x, axis=-1) / 2

model Net:
    input x: [B, 4]
    return x -> Linear(4) -> Halves
"""
    net = class_of(spec, "Net")
    assert "        dtype: jax.typing.DTypeLike = jnp.float32,\n" in net
    assert "        param_dtype: jax.typing.DTypeLike = jnp.float32,\n" in net
    assert "dtype=dtype, param_dtype=param_dtype" in net
    assert "dtype" not in class_of(spec, "Halves")


def test_a_callee_checks_for_its_caller():
    assert "heads must divide d" in class_of(zoo("char_gpt"), "Block")
    assert "heads must divide d" not in class_of(zoo("char_gpt"), "CharGPT")


def test_axes_are_unpacked_where_several_are_needed():
    spec = """
block Heads(heads):
    input x: [B, T, d]
    head_dim = d // heads
    return x -> [B, T, heads, head_dim] -> abs -> [B, T * heads, head_dim]
"""
    body = class_of(spec, "Heads")
    assert "        b, t, d = x.shape\n        head_dim = d // self.heads\n" in body
    assert "jnp.abs(x.reshape(b, t, self.heads, head_dim))" in body
    assert ".reshape(b, -1, head_dim)" in body


def test_one_axis_is_read_in_place():
    assert "arange_within(tokens.shape[1], rows=self.context)" in class_of(
        zoo("gpt2"), "GPT2"
    )


def test_long_pipelines_are_taken_apart():
    stages = " -> ".join(["Linear(8) -> relu"] * 6)
    spec = f"model Deep():\n    input x: [B, 8]\n    return x -> {stages}\n"
    lines = class_of(spec, "Deep").split("def __call__")[1].splitlines()
    assert max(len(line) for line in lines) <= 80
    assert max(line.count("(") for line in lines[1:]) <= 4


def test_a_very_long_pipeline_is_no_trouble():
    spec = "model Deep():\n    input x: [B, 8]\n    return x" + " -> relu" * 60
    assert class_of(spec + "\n", "Deep").count("nnx.relu(") == 60


def generated(path: Path) -> dict[str, str]:
    """The files that a spec of the zoo compiles to."""
    output = nnxc.compile(
        path.read_text(encoding="utf-8"),
        path=path.name,
        read=lambda used: (path.parent / used).read_bytes(),
    )
    return {**output.files}


PUBLISHED = [path for path in ZOO if path.parent.name == "pretrained"]
SOME = [path for path in ZOO if path not in PUBLISHED] + PUBLISHED[::20]


@pytest.mark.heavy
def test_the_zoo_is_black_stable():
    for path in SOME:
        for name, made in generated(path).items():
            assert black.format_str(made, mode=black.Mode()) == made, name


def test_the_zoo_passes_ruff(tmp_path):
    for path in SOME:
        folder = tmp_path / path.parent.name
        folder.mkdir(exist_ok=True)
        for name, made in generated(path).items():
            (folder / name).write_text(made, encoding="utf-8")
    command = [
        sys.executable,
        "-m",
        "ruff",
        "check",
        "--isolated",
        "--select",
        "E4,E7,E9,F,I",
        ".",
    ]
    for folder in tmp_path.iterdir():  # so that the modules beside are known as such
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout


# --------------------------------------------------------------------- names


def test_names_with_a_meaning_of_their_own_get_an_underscore():
    spec = """
model Odd(cfg = 4):
    input zip: [B, T, cfg], dtype: [B, T, cfg]
    x = zip + dtype -> Linear(2 * cfg) as train -> Linear(2) as eval
    return x + sinusoidal(T, 2)
"""
    body = class_of(spec, "Odd")
    assert "        cfg_: int = 4,\n" in body
    assert "self.train_ = nnx.Linear(" in body
    assert "self.eval_ = nnx.Linear(" in body
    assert "def __call__(self, zip_: jax.Array, dtype: jax.Array) -> jax.Array:" in body
    run(spec, axes={"B": 2, "T": 3})


def test_a_helper_is_called_by_its_name():
    spec = """
block Turn():
    input x: [B, T, heads, d], positions: int[B, T]
    turned = rope(x, positions)
    return turned + x
"""
    assert "turned = rope(x, positions)" in text_of(spec)
    run(spec, axes={"B": 2, "T": 3, "heads": 2, "d": 4})


def test_the_attributes_of_modules_are_known():
    own = {n for n in dir(nnx.Module) if not n.startswith("__")}
    deprecated = {"as_abstract", "abstract_init"}
    assert own - deprecated <= set(names.ATTRIBUTES)


def test_a_namespace_hands_out_each_name_once():
    space = names.Namespace(["x"])
    assert [space.give("x"), space.give("x"), space.give("y", "x")] == [
        "x_",
        "x_2",
        "y",
    ]
    assert space.give("class") == "class_"
    assert space.give("l", "L") == "L"


@given(st.text(max_size=20))
def test_identifiers_are_valid_whatever_the_name(name):
    made = names.identifier(name)
    assert made.isidentifier() and not made.startswith("__")


@pytest.mark.parametrize(
    ("name", "snake"),
    [
        ("ConvBlock", "conv_block"),
        ("MLP", "mlp"),
        ("MLPBlock", "mlp_block"),
        ("GPT2", "gpt2"),
    ],
)
def test_snake(name, snake):
    assert names.snake(name) == snake


# ------------------------------------------------------------------ literals


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (1e-3, "1e-3"), (6e-4, "6e-4"), (6.25e-5, "6.25e-5"), (0.1, "0.1"), (0.01, "0.01"),
        (1e9, "1e9"), (10000.0, "10000.0"), (50257, "50257"), (600_000, "600_000"),
        ("a'b", '"a\'b"'), ('a"b', "'a\"b'"), ((3,), "(3,)"), (None, "None"), (True, "True"),
    ],
)  # fmt: skip
def test_literals_are_written_as_people_do(value, written):
    assert text.literal(value).text == written


@given(
    st.floats(allow_nan=False) | st.integers() | st.text() | st.tuples(st.integers())
)
def test_literals_mean_themselves(value):
    assert eval(text.literal(value).text) == value


operators = st.sampled_from(["+", "-", "*", "/", "//", "%", "**", "&", "|", "==", "<"])
trees = st.recursive(
    st.sampled_from("abc"), lambda t: st.tuples(operators, t, t), max_leaves=8
)


def built(tree):
    if isinstance(tree, str):
        return text.Text(tree)
    op, left, right = tree
    return text.binary(op, built(left), built(right))


def parsed(node):
    """The tree that Python reads."""
    match node:
        case ast.Name(id=name):
            return name
        case ast.BinOp(left, op, right):
            return type(op).__name__, parsed(left), parsed(right)
        case ast.Compare(left, [op], [right]):
            return type(op).__name__, parsed(left), parsed(right)


NAMES = {
    "+": "Add", "-": "Sub", "*": "Mult", "/": "Div", "//": "FloorDiv", "%": "Mod", "**": "Pow",
    "&": "BitAnd", "|": "BitOr", "==": "Eq", "<": "Lt",
}  # fmt: skip


def named(tree):
    return (
        tree
        if isinstance(tree, str)
        else (NAMES[tree[0]], named(tree[1]), named(tree[2]))
    )


@given(trees)
def test_parentheses_keep_the_meaning_and_black_keeps_them(tree):
    code = built(tree).text
    assert parsed(ast.parse(code, mode="eval").body) == named(tree)


# -------------------------------------------------------------------- safety


@settings(max_examples=60)
@given(st.text(max_size=40))
def test_docstrings_hold_any_text(words):
    code = f'def f():\n    """{docstring(words)}"""\n'
    body = ast.parse(code).body
    assert len(body) == 1 and len(body[0].body) == 1


@pytest.mark.parametrize(
    "words", ['""" + exec("x") + """', "{{ 7 }} {% raw %}", "\\", 'ends with "', "'''"]
)
def test_hostile_comments_stay_comments(words):
    spec = f"# {words}\nmodel M():\n    input x: [B, 2]\n    return x -> Linear(2)\n"
    tree = ast.parse(text_of(spec))
    kinds = [type(n).__name__ for n in tree.body]
    assert kinds == ["Expr", "Import", "Import", "ImportFrom", "ClassDef"]


def test_messages_are_literals():
    spec = """
block M(n):
    input x: [B, d]
    require n > 1, "not {n} \\"but\\" more: %s {0}"
    return x -> Linear(n)
"""
    module = load(text_of(spec))
    with pytest.raises(ValueError, match=r'not \{n\} "but" more: %s \{0\}, got n=1'):
        module.M(3, 1, rngs=nnx.Rngs(0))


def attributes(of: ast.ClassDef, context: type[ast.expr_context]) -> set[str]:
    """The attributes of `self` that a class reads, or gives values."""
    nodes = (n for n in ast.walk(of) if isinstance(n, ast.Attribute))
    own = (n for n in nodes if isinstance(n.value, ast.Name) and n.value.id == "self")
    return {n.attr for n in own if isinstance(n.ctx, context)}


def held(item: ast.ClassDef) -> bool:
    """Whether an object holds what its methods read."""
    methods = {m.name for m in item.body if isinstance(m, ast.FunctionDef)}
    fields = {f.target.id for f in item.body if isinstance(f, ast.AnnAssign)}
    given = attributes(item, ast.Store)
    return attributes(item, ast.Load) <= given | methods | fields


@pytest.mark.parametrize(
    "options", [{}, pytest.param({"stack": "scan", "remat": True}, marks=HEAVY)]
)
def test_what_modules_and_objects_read_is_there(options):
    """And nothing is imported that is not read."""
    for path in ZOO:
        spec = program(path.read_text("utf-8"))
        text = emit(spec, Options(black=False, **options))
        symbols = symtable(text, path.name, "exec").get_symbols()
        imported = {s.get_name() for s in symbols if s.is_imported()}
        bound = {s.get_name() for s in symbols if s.is_assigned()}
        read, known = free_names(text), imported | bound | {*dir(builtins), "__file__"}
        assert read <= known, (path.stem, read - known)
        assert imported <= read, (path.stem, imported - read)
        own = {s.name for s in assign_names(spec).signatures.values()}
        for item in ast.parse(text).body:
            if isinstance(item, ast.ClassDef) and item.name in own:
                assert held(item), (path.stem, item.name)


@pytest.mark.parametrize(
    ("code", "names"),
    [
        ("x = partial(f, y=1).replace", {"partial", "f"}),
        ("def f(a: B) -> C:\n    a.d = [e for e in a if g]\n    return a, h", "BCgh"),
        ("class A(B):\n    json: int = 3\n    def f(self): return np.abs", "B int np"),
        ("f'{a} b' + \"c\"  # d", {"a"}),
        ("return lambda x: x + y", {"y"}),
        ("{x}.reshape({n}, -1)", {"x", "n"}),
    ],
)
def test_names_are_free_as_in_python(code, names):
    wanted = {*names.split()} if " " in names else {*names}
    assert free_names(code) == wanted


BUILDS = [
    (op.name, build)
    for table in (MODEL_OPS, LOSSES, METRICS, OPTIMIZERS, SCHEDULES)
    for op in table.values()
    for build in (op.build, *op.variants.values())
] + [(case.op.name, predict(case).build) for case in cases()]
LOOSE = {
    "a if b else c": text.TERNARY,
    "a or b": text.OR,
    "not a": text.NOT,
    "a < b": text.COMPARE,
    "a | b": text.BITOR,
    "a + b": text.ADD,
    "a * b": text.MULTIPLY,
    "-a": text.UNARY,
    "a**b": text.POWER,
}


class Filled(ast.NodeTransformer):
    """Puts an expression in the place of a name."""

    def __init__(self, value: ast.expr):
        self.value = value

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return self.value if node.id == "HOLE" else node


def filled(build: Call | str, one: text.Text) -> str:
    """The text of a build all of whose holes have one value; streams have names."""
    several = [n[1:] for n in getattr(build, "args", ()) if n.startswith("*")]
    known = dict.fromkeys(several, text.Text(f"[{one}]"))
    known |= dict.fromkeys(("rngs", "rng"), text.Text("names"))
    return fill(build, lambda hole: known.get(hole, one), {*holes(build)}).text


@pytest.mark.parametrize("code", LOOSE)
def test_what_fills_a_template_stays_one_value(code):
    value = ast.parse(code, mode="eval").body
    for name, build in BUILDS:
        if build is not None:
            plain = ast.parse(filled(build, text.Text("HOLE")), mode="eval")
            found = ast.parse(filled(build, text.Text(code, LOOSE[code])), mode="eval")
            assert ast.dump(found) == ast.dump(Filled(value).visit(plain)), name


def test_loops_over_a_choice_are_comprehensions_too():
    spec = """
model Net(ks = [3, 2], wide = false):
    input x: [B, 4]
    y = x
    for k in (ks if wide else [1, 5]):
        y += mean(x -> Linear(k) as more, axis=-1, keepdims=true)
    return y
"""
    assert "for k in (ks if wide else (1, 5))]" in text_of(spec, black=False)


# -------------------------------------------------------------------- Black


def test_an_edited_statement_leaves_the_rest_to_the_memo():
    spec = zoo("gpt2")
    text_of(spec)
    before = render._blackened.cache_info().misses
    edited = text_of(spec.replace("Linear(4 * d)", "Linear(5 * d)"))
    assert "5 * d,\n" in edited
    made = render._blackened.cache_info().misses - before
    assert made == 1  # what makes this width; what takes it fits on a line


LAID_OUT = '''class Net(nnx.Module):
    """Longer words than fit: {words}

    And more.
    """

    @nnx.jit(donate_argnames=({words!r}, "model"), static_argnames=("size", "count", "flag"))
    def loss(self, model: Model, tokens: jax.Array, *, rngs: nnx.Rngs | None = None) -> jax.Array:
        # A comment, {words}
        if model.first(tokens)[..., : tokens.shape[1]].sum() > 0 and model.second(tokens, rngs=rngs):
            return short(model)  # (b, 8)
        elif model.third(tokens)[..., : tokens.shape[1]].sum() > 0 and model.fourth(tokens, rngs=rngs):
            x = first_of_all(tokens, rngs=rngs) + second_of_all(tokens, rngs=rngs)  # (b, t, width)
        else:
            rows = (
                ("a", "b"),
                ("c", "d"),
            )
        try:
            for one in model.layers:
                x = one(x)
        except ValueError:
            raise ValueError("sizes must be at least 1, got " f"vocab={{vocab}}, layers={{layers}}, heads={{heads}}")
        return x
'''


def test_statements_are_laid_out_one_by_one_as_in_the_whole():
    text = LAID_OUT.format(words=" ".join(["words"] * 20)).rstrip("\n")
    mode = black.Mode(target_versions={black.TargetVersion.PY311})
    whole = black.format_str(text, mode=mode).rstrip("\n")
    assert whole != text
    assert render.stable(render.Part(text)) == whole


def test_powers_and_slices_have_spaces_as_black_has_them():
    spec = """
model Net(sizes = [2, 2], size = 8):
    input x: [B, T, size], y: [B, S, size]
    a = x -> Linear((size // 2)**2) -> Linear(2**len(sizes)) -> Linear(size**2)
    return a, y[:, S // 2:], y[:, :T], y[:, -1:], y[:, ::2]
"""
    made = text_of(spec)
    assert "(size // 2) ** 2" in made and "2 ** len(sizes)" in made
    assert "size**2" in made and "[:, -1:]" in made
    assert black.format_str(made, mode=black.Mode()) == made


def test_what_is_long_is_left_as_it_is_written(monkeypatch):
    whole, rough = text_of(zoo("unet")), text_of(zoo("unet"), black=False)
    assert whole != rough
    monkeypatch.setattr("nnxc.emit.module.MOST_LINES", 10)
    assert text_of(zoo("unet")) == rough
