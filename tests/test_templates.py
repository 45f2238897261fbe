"""The templates: what each is given is what it names; their bytecode saves time, nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import jinja2
import jinja2.meta
import pytest
from jinja2 import nodes

import nnxc
from nnxc.emit import templates
from nnxc.emit.render import render

ROOT = Path(__file__).parents[1]
GPT2 = (ROOT / "dsl/nnxc/zoo/gpt2.nnx").read_text("utf-8")
PUBLISHED = (ROOT / "dsl/nnxc/zoo/pretrained/gpt2.nnx").read_text("utf-8")
ADAPTED = """
train GPT2:
    batch input_ids: int[B, T + 1]
    loss = cross_entropy(model(input_ids[:, :-1]).logits, input_ids[:, 1:])
    optimizer = adam(1e-3)
    adapt lora(rank=2) on h.c_fc
"""
CONFIGURED = """
model Net(hidden = 4):
    input x: [B, 2]
    return x -> Linear(hidden)

config wide = Net(hidden=64)
"""
ADAPTED_ALONE = """
model Net(out = 4):
    input x: [B, 2]
    return x -> Linear(out) as head

train Net:
    batch x: [B, 2], y: [B, out]
    loss = mse(model(x), y)
    optimizer = adam(1e-3)
    adapt lora(rank=2) on head
"""
ACCUMULATED = """
model Net(out = 4):
    input x: [B, 2]
    return x -> Linear(8) -> relu -> Linear(out)

train Net:
    batch x: [B, 2], y: int[B], known: bool[B]
    loss = cross_entropy(model(x), y, where=known)
    optimizer = muon(1e-3)
    accumulate = 2
"""
TAUGHT = """
model Net(out = 4):
    input x: [B, 2]
    return x -> Linear(out)

train Net:
    frozen teacher = Net(out=out)
    batch x: [B, 2]
    loss = mse(model(x), teacher(x))
    optimizer = adam(1e-3)
"""
SPECS = [
    (GPT2, None),
    (PUBLISHED + ADAPTED, None),
    (PUBLISHED, "tunix"),
    *((s, None) for s in (CONFIGURED, ADAPTED_ALONE, ACCUMULATED, TAUGHT)),
]


def tree(name: str) -> nodes.Template:
    environment = templates.environment()
    assert environment.loader is not None
    return environment.parse(environment.loader.get_source(environment, name)[0])


def included(name: str) -> Iterator[str]:
    """A template and those that it includes, directly or not."""
    yield name
    for other in jinja2.meta.find_referenced_templates(tree(name)):
        assert other is not None
        yield from included(other)


def variables(name: str) -> set[str]:
    """What a template and those that it includes name, but for what their includers set."""
    parsed = tree(name)
    inner = {*included(name)} - {name}
    set_here = {n.name for n in parsed.find_all(nodes.Name) if n.ctx == "store"}
    below = {v for other in inner for v in variables(other)}
    return jinja2.meta.find_undeclared_variables(parsed) | below - set_here


def test_each_template_is_used_and_given_what_it_names(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given: dict[str, set[frozenset[str]]] = {}

    def recording(self: jinja2.Template, values: dict[str, object]) -> str:
        given.setdefault(str(self.name), set()).add(frozenset(values))
        return "".join(self.root_render_func(self.new_context(values)))

    monkeypatch.setattr(jinja2.Template, "render", recording)
    for text, interface in SPECS:
        card = "\nweights " in text
        options = nnxc.Options(black=False, interface=interface, card=card)  # type: ignore[arg-type]
        output = nnxc.compile(text, options=options)
        assert output.ok, output.diagnostics
    assert given == {name: {frozenset(variables(name))} for name in given}
    used = {other for name in given for other in included(name)}
    assert used == {*templates.environment().list_templates(extensions=["j2"])}


def test_templates_are_small() -> None:
    for path in (ROOT / "templates").glob("*.j2"):
        assert len(path.read_text("utf-8").splitlines()) <= 42, path.name


class Nothing:
    """A view without a field."""


class Numbers(Nothing):
    """A view whose field is no text."""

    name = 3


def test_what_a_template_names_must_be_there_and_be_text() -> None:
    with pytest.raises(jinja2.UndefinedError, match="'view' is undefined"):
        render("class")
    with pytest.raises(jinja2.UndefinedError, match="has no attribute 'name'"):
        render("class", view=Nothing())
    with pytest.raises(TypeError, match="a template is given what is no text: 3"):
        render("class", view=Numbers())
    with pytest.raises(jinja2.TemplateNotFound):
        render("nothing")


# ------------------------------------------------------------------ bytecode


class Case:
    """An environment over one template, whose bytecode is kept in a folder."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.compiled = folder, 0
        compiling = jinja2.Environment.compile

        def counting(*words: object, **more: object) -> object:
            self.compiled += 1
            return compiling(*words, **more)  # type: ignore[call-overload]

        monkeypatch.setattr(jinja2.Environment, "compile", counting)

    def render(self, text: str = "{{ a }}", made_by: str = "this") -> str:
        environment = jinja2.Environment(
            loader=jinja2.DictLoader({"t.j2": text}),
            bytecode_cache=templates.Bytecode(str(self.folder), made_by),
        )
        return environment.get_template("t.j2").render(a="b")


@pytest.fixture
def case(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Case:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    return Case(tmp_path, monkeypatch)


def test_bytecode_serves_until_something_is_another(case: Case) -> None:
    assert [case.render() for _ in range(3)] == ["b"] * 3
    assert case.compiled == 1
    assert (case.render("{{ a }}."), case.compiled) == ("b.", 2)
    assert (case.render("{{ a }}.", "another Jinja"), case.compiled) == ("b.", 3)
    assert (case.render("{{ a }}.", "another Jinja"), case.compiled) == ("b.", 3)


def test_damaged_bytecode_is_made_again(case: Case) -> None:
    case.render()
    (file,) = case.folder.iterdir()
    whole = file.read_bytes()
    for size in range(0, len(whole), 7):
        file.write_bytes(whole[:size])
        before = case.compiled
        assert (case.render(), case.compiled) == ("b", before + 1)
    assert file.read_bytes() == whole


def test_bytecode_needs_no_place(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    case.folder = case.folder / "nowhere"
    assert (case.render(), case.render()) == ("b", "b")
    assert not case.folder.exists()
    case.folder.mkdir()
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    assert (case.render(), [*case.folder.iterdir()]) == ("b", [])


# ------------------------------------------------------------------- imports


def alone(code: str) -> str:
    """What Python prints that knows the compiler alone."""
    env = {**os.environ, "PYTHONPATH": str(ROOT / "dsl")}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_only_writing_imports_jinja_and_only_layout_black() -> None:
    code = f"""
import sys
import nnxc
from nnxc.driver import analyse
def found():
    return sorted({{"jinja2", "black", "jax", "flax", "numpy"}} & set(sys.modules))
assert analyse({GPT2!r}).program is not None
print(found())
assert nnxc.compile({GPT2!r}, options=nnxc.Options(black=False)).ok
print(found())
"""
    assert alone(code) == "[]\n['jinja2']\n"
