"""Modules that generated ones share: which are made, how they are imported, who may change them."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import black
import pytest

import nnxc
from nnxc import driver, fresh
from nnxc.cli.app import run
from nnxc.emit import shared
from nnxc.emit.python.names import GENERATE, TRAIN, WEIGHTS
from nnxc.header import Owner, module_name, owner
from tests.importing import TEMPLATES, from_text
from tests.test_zoo import ALL

ROOT = Path(__file__).parents[1]
QUICK = nnxc.Options(black=False)
DEFINING = (ast.ClassDef, ast.FunctionDef)
LLAMA = ALL["pretrained/llama"]
NET = "model Net(out = 2):\n    input x: [B, 3]\n    return x -> Linear(out)\n"
TRAINED = NET + """
train Net:
    batch x: [B, 3], y: [B, out]
    loss = mse(model(x), y)
    optimizer = adam(1e-2)
"""
ADAPTED = TRAINED + "    adapt lora(rank=2) on linear\n"
USED = """
import {module} as net
import jax.numpy as jnp
from {shared} import Trainer
model = net.create_model()
trainer = Trainer(net.train_step, model, net.create_optimizer(model))
loss, metrics = trainer.step(jnp.ones((4, 3)), jnp.ones((4, 2)))
assert loss > 0 and metrics == {{}}
print("trained")
"""


def spec(folder: Path, name: str, text: str) -> Path:
    path = folder / f"{name}.nnx"
    path.write_text(text)
    return path


def python(code: str, *places: Path) -> str:
    """What a Python prints that finds modules in these places."""
    env = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, places))}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def codes(result: nnxc.BuildResult) -> list[str]:
    return [found.code for found in result.diagnostics]


def test_the_list_is_that_of_the_files() -> None:
    assert {p.name for p in TEMPLATES.glob("*.py")} == fresh.SHARED
    parts = [*shared.LIBRARY, shared.TRAINING, shared.DECODING, shared.CHECKPOINTS]
    parts += [shared.CONFIGS, shared.GENERATION, shared.ADAPTERS]
    assert {f"{name}.py" for name in parts} == fresh.SHARED


def test_the_page_names_them_all() -> None:
    page = (ROOT / "tests/spec/files.md").read_text()
    assert {*re.findall(r"^\| `(nnx_\w+\.py)` \|", page, re.M)} == fresh.SHARED


@pytest.mark.parametrize("name", sorted(fresh.SHARED))
def test_a_shared_module_is_plain_python(name: str) -> None:
    """Formatted, documented, without a trace of the compiler; its names are found by its lines."""
    text = (TEMPLATES / name).read_text()
    assert black.format_str(text, mode=black.Mode()) == text
    assert "nnxc" not in text
    tree = ast.parse(text)
    assert ast.get_docstring(tree)
    bound = set[str]()
    for node in tree.body:
        match node:
            case ast.ClassDef(name=own) | ast.FunctionDef(name=own):
                assert ast.get_docstring(node), own
                bound.add(own)
            case ast.Assign([ast.Name(own)]) | ast.AnnAssign(ast.Name(own)):
                bound.add(own)
    assert shared.names_in(name.removesuffix(".py")) == bound


def test_only_those_that_are_needed() -> None:
    def made(text: str) -> list[str]:
        return list(nnxc.compile(text, path="net.nnx").files)

    assert made(NET) == ["net.py"]
    assert made(TRAINED) == ["net.py", "nnx_training.py"]
    assert made(ADAPTED) == [
        *("net.py", "nnx_training.py", "nnx_checkpoints.py", "nnx_adapters.py")
    ]


def test_those_of_layers_functions_and_losses() -> None:
    """Each where a spec uses what it has, also where sizes alone do."""
    spec = """
model Net(out = 8):
    input x: [B, 3]
    return x -> {layer} -> Linear({size})

train Net:
    batch x: [B, 3], y: [B, {size}]
    loss = {loss}(model(x), y)
    optimizer = adam(1e-2)
"""

    def made(**words: str) -> list[str]:
        plain = {"layer": "relu", "size": "out", "loss": "mse"}
        return list(nnxc.compile(spec.format_map(plain | words)).files)[1:]

    assert made() == ["nnx_training.py"]
    assert made(layer="BatchNorm") == ["nnx_layers.py", "nnx_training.py"]
    functions = ["nnx_functions.py", "nnx_training.py"]
    assert made(layer="quick_gelu") == made(size="divisible(out, 8)") == functions
    assert made(loss="poisson_nll") == ["nnx_losses.py", "nnx_training.py"]


def brought(name: str) -> list[ast.stmt]:
    """The classes and functions of an output that are no part of its spec."""
    spec = ALL[name]

    def read(used: str) -> bytes:
        return (spec.parent / used).read_bytes()

    program = driver.analyse(spec.read_text(), read=read).program
    output = nnxc.compile(spec.read_text(), read=read, options=QUICK)
    assert program is not None
    own = {d.name for d in program.definitions}
    own |= {*TRAIN, *WEIGHTS, *GENERATE, "Config", *(f"{name}Output" for name in own)}
    (_, text), *_ = output.files.items()
    made = [n for n in ast.parse(text).body if isinstance(n, DEFINING)]
    return [node for node in made if node.name.removesuffix("_") not in own]


def test_no_helper_stands_in_two_outputs() -> None:
    """What two outputs have in common comes from the text of their specs."""
    found: dict[str, list[str]] = {}
    for name in ALL:
        for node in brought(name):
            found.setdefault(ast.unparse(node), []).append(name)
    assert not [names for names in found.values() if len(names) > 1]


def test_an_extern_keeps_its_name_beside_shared_modules() -> None:
    spec = """
extern "my.signals" rfft(x: [B, T]) -> [B, T]

model Net(d = 4):
    input x: [B, 8]
    return rfft(x) -> shift -> Linear(d) -> quick_gelu
"""
    spec = spec.replace(" -> shift", "")
    several = nnxc.compile(spec).files["spec.py"]
    assert "from my.signals import rfft" in several
    assert "from nnx_functions import quick_gelu" in several
    alone = nnxc.compile(spec, options=nnxc.Options(single_file=True)).files["spec.py"]
    assert "def quick_gelu(" in alone and "def rfft(" not in alone


def test_the_same_bytes_whatever_is_built_with_them() -> None:
    llama = nnxc.compile(LLAMA.read_text(), path="llama.nnx")
    net = nnxc.compile(TRAINED, path="net.nnx")
    scanned = nnxc.compile(TRAINED, options=nnxc.Options(stack="scan", black=False))
    texts = {o.files["nnx_training.py"] for o in (llama, net, scanned)}
    assert len(texts) == 1 and owner(texts.pop()) is Owner.COMPILER


@pytest.mark.parametrize("name", sorted(ALL))
def test_a_single_file_stands_alone(name: str) -> None:
    folder = ALL[name].parent
    options = nnxc.Options(single_file=True, black=False)

    def read(used: str) -> bytes:
        return (folder / used).read_bytes()

    output = nnxc.compile(ALL[name].read_text(), read=read, options=options)
    ((_, text),) = output.files.items()
    tree = ast.parse(text)
    imports = [n for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)]
    assert not [n for n in imports if (n.module or "").startswith("nnx_") or n.level]
    module = from_text(text)
    del vars(module)["__getattr__"]  # no shared module helps
    loaded = {name for name in vars(module) if not name.startswith("__")}
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            assert node.name in loaded
    if "\ntrain " in ALL[name].read_text():
        assert callable(module.Trainer)


def test_a_single_file_and_several_compute_the_same() -> None:
    text = LLAMA.read_text()
    alone = nnxc.compile(text, options=nnxc.Options(single_file=True)).files["spec.py"]
    module, several = (
        from_text(t) for t in (alone, nnxc.compile(text).files["spec.py"])
    )
    sizes = {"vocab": 11, "d": 8, "layers": 2, "heads": 2, "kv_heads": 1}
    made = [
        m.generate(m.create_model(m.Config(**sizes, head_dim=4, hidden=8)), [[1, 2, 3]])
        for m in (module, several)
    ]
    assert made[0] == made[1] and len(made[0][0]) == 64


def test_modules_import_each_other_from_a_folder_a_package_and_an_archive(
    tmp_path: Path,
) -> None:
    net = spec(tmp_path, "net", ADAPTED)
    plain, package = tmp_path / "plain", tmp_path / "nets"
    assert nnxc.build(net, plain).ok
    assert nnxc.build(net, package, options=nnxc.Options(package=True)).ok
    own = USED.format(module="net", shared="nnx_training")
    assert python(own, plain) == "trained\n"
    inner = USED.format(module="nets.net", shared="nets.nnx_training")
    assert python(inner, tmp_path) == "trained\n"
    archive = tmp_path / "nets.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for path in package.iterdir():
            file.write(path, f"packed/{path.name}")
    packed = USED.format(module="packed.net", shared="packed.nnx_training")
    assert python(packed, archive) == "trained\n"


def test_a_folder_with_an_init_is_a_package(tmp_path: Path) -> None:
    net, out = spec(tmp_path, "net", ADAPTED), tmp_path / "nets"
    out.mkdir()
    (out / "__init__.py").touch()
    assert nnxc.build(net, out).ok
    assert "\nfrom .nnx_adapters import " in (out / "net.py").read_text()
    assert "\nfrom .nnx_checkpoints import " in (out / "nnx_adapters.py").read_text()
    assert nnxc.build(net, out, check=True).ok


def test_a_name_that_no_package_can_have(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    net, out = spec(tmp_path, "net", TRAINED), tmp_path / "my" / "nets"
    for name in ("other", "my-nets", "", "my.other", "nets."):
        words = ["build", str(net), "-o", str(out), "--package", name]
        assert run(words) == 2 and not out.exists(), name
        assert "N910" in capsys.readouterr().err
    for name in ("nets", "my.nets"):
        assert run(["build", str(net), "-o", str(out), "--package", name]) == 0


def test_a_package_is_one_for_later_builds(tmp_path: Path) -> None:
    net, out = spec(tmp_path, "net", ADAPTED), tmp_path / "nets"
    words = ["build", str(net), "-o", str(out)]
    assert run([*words, "--package", "nets"]) == 0
    assert (out / "__init__.py").read_text() == ""
    (out / "__init__.py").write_text("VERSION = 1\n")
    before = (out / "net.py").read_text()
    assert "\nfrom .nnx_adapters import " in before
    assert run(words) == run([*words, "--package", "nets", "--check"]) == 0
    assert (out / "net.py").read_text() == before
    assert (out / "__init__.py").read_text() == "VERSION = 1\n"


def test_a_package_with_a_mistake_is_not_begun(tmp_path: Path) -> None:
    net, out = spec(tmp_path, "net", "model Net"), tmp_path / "nets"
    assert run(["build", str(net), "-o", str(out), "--package", "nets"]) == 1
    assert not out.exists()


def test_two_builds_into_one_folder(tmp_path: Path) -> None:
    out = tmp_path / "out"
    one, two = spec(tmp_path, "one", TRAINED), spec(tmp_path, "two", ADAPTED)
    assert nnxc.build(one, out).ok
    again = nnxc.build(two, out)
    assert again.ok and str(out / "nnx_training.py") in again.unchanged
    both = nnxc.build([one, two], out)
    assert both.ok and not both.written and len(both.unchanged) == 5
    assert nnxc.build([one, two], out, check=True).ok


def test_one_rebuild_mends_a_shared_module(tmp_path: Path) -> None:
    out = tmp_path / "out"
    specs = [spec(tmp_path, "one", TRAINED), spec(tmp_path, "two", TRAINED)]
    assert nnxc.build(specs, out).ok
    older(out / "nnx_training.py")
    result = nnxc.build(specs, out)
    assert result.ok and result.written == (str(out / "nnx_training.py"),)


def older(path: Path) -> None:
    """As if another version had made it."""
    lines = path.read_text().split("\n", 3)
    body = lines[3].replace("Take one step", "Take a step")
    header = fresh_header(body)
    path.write_text(header)
    assert owner(header) is Owner.COMPILER


def fresh_header(body: str) -> str:
    from nnxc.header import with_shared_header

    return with_shared_header(body, "0.0.1")


def test_a_shared_module_does_not_change_under_others(tmp_path: Path) -> None:
    out = tmp_path / "out"
    one, two = spec(tmp_path, "one", ADAPTED), spec(tmp_path, "two", ADAPTED)
    assert nnxc.build([one, two], out).ok
    older(out / "nnx_training.py")
    (out / "nnx_adapters.py").write_text(
        fresh_header("from nnx_checkpoints import Stored\n")
    )
    before = {p: p.read_text() for p in out.iterdir()}
    result = nnxc.build(one, out)
    assert codes(result) == ["N909"] and not result.written
    assert {p: p.read_text() for p in out.iterdir()} == before
    assert "nnx_adapters.py" in result.diagnostics[0].message
    assert nnxc.build(one, out, force=True).ok
    assert nnxc.build([one, two], out, check=True).ok


@pytest.mark.parametrize("text", ["", "x = 1\n", "edited"])
def test_a_foreign_or_edited_shared_module_stays(tmp_path: Path, text: str) -> None:
    net, out = spec(tmp_path, "net", TRAINED), tmp_path / "out"
    assert nnxc.build(net, out).ok
    path = out / "nnx_training.py"
    path.write_text(f"{path.read_text()}# mine\n" if text == "edited" else text)
    (out / "net.py").unlink()
    held = path.read_text()
    result = nnxc.build(net, out)
    assert codes(result) == ["N902"] and path.read_text() == held
    assert not (out / "net.py").exists()
    assert nnxc.build(net, out, force=True).ok and path.read_text() != held


def test_no_spec_takes_the_name_of_a_shared_module(tmp_path: Path) -> None:
    assert module_name("nnx_training.nnx") == "nnx_training_"
    odd = spec(tmp_path, "nnx_training", TRAINED)
    out = tmp_path / "out"
    assert nnxc.build(odd, out).ok
    own = USED.format(module="nnx_training_", shared="nnx_training")
    assert python(own, out) == "trained\n"


def test_a_definition_of_a_shared_name_is_renamed() -> None:
    text = TRAINED.replace("Net", "AccumulationState")
    own = nnxc.compile(text, path="net.nnx").files["net.py"]
    assert "class AccumulationState_(nnx.Module)" in own


def test_nothing_to_do_is_found_with_shared_modules(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    one, two = spec(tmp_path, "one", TRAINED), spec(tmp_path, "two", TRAINED)
    out = tmp_path / "out"
    words = ["build", str(one), str(two), "-o", str(out)]
    compiler = fresh.fingerprint()
    assert run(words, compiler) == 0
    assert fresh.is_fresh(words, compiler)
    assert not fresh.is_fresh([*words, "--single-file"], compiler)
    assert not fresh.is_fresh([*words, "--package", "out"], compiler)
    assert run([*words, "--package", "out"], compiler) == 0
    assert fresh.is_fresh([*words, "--package", "out"], compiler)
    assert not fresh.is_fresh([*words, "--package", "other"], compiler)
    assert fresh.is_fresh(words, compiler)
    (out / "nnx_training.py").unlink()
    assert not fresh.is_fresh(words, compiler)
