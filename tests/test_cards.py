"""Model cards: what they say, that their code runs, and that they are outputs like the others."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import jax
import numpy as np
import pytest
from emitting import ZOO
from flax import nnx
from published_sizes import PRETRAINED

import nnxc
from nnxc import Options, compile, fresh
from nnxc.cli.app import run
from nnxc.driver import analyse
from nnxc.emit.cards.card_sizes import parameter_counts
from nnxc.header import Owner, owner

pytest.importorskip("safetensors")

CARD = Options(card=True, black=False)
SPEC = """
# Nets (Someone, 2020): <b>bold</b> & plain.

# A net of | layers.
model Net(d = 4, act = relu, layers = 2, rate = 0.1):
    input x: [B, T, d], mask: bool[B, T] = true
    states = [x]
    for i in range(layers):
        x = x -> Linear(d) as layer -> act -> Dropout(rate)
        states.append(x)
    return y=x * mask[..., none], states=states

config net_large = Net(d=8, layers=3)

weights Net from "{path}":
    config d = "hidden" or "d_model", act = "hidden_act" or act
    config layers = "depth"[0] or len("blocks") * "each"
    config require "kind" in ["a", none], "width" == 2 * "hidden"
    config ignore "n_ctx"
    config write "architectures" = ["NetModel"]

train Net:
    batch x: [B, T, d], y: [B, T, d]
    loss = mse(model(x).y, y)
    optimizer = adam(1e-2)
    ema = 0.9
"""
EXPECTED = """
# Net

Nets (Someone, 2020): &lt;b>bold&lt;/b> &amp; plain.

A net of | layers.

| Config | Parameters | Settings |
| --- | --- | --- |
| `Config()` | 40 | defaults |
| `NET_LARGE` | 216 | `d=8`, `layers=3` |

`net.Net(net.Config(), rngs=nnx.Rngs(0))` makes one with initial weights.

## Inputs and outputs

| Input | Type |  |
| --- | --- | --- |
| `x` | (b, t, d) |  |
| `mask` | bool (b, t) | optional |

| Output | Type |
| --- | --- |
| `y` | (b, t, d) |
| `states` | list of (b, t, d) |

Axes: b batch, t time.

## Use

```python
import jax.numpy as jnp

import net

folder = "path/to/checkpoint"  # or `owner/name` on the Hugging Face Hub
model = net.load_pretrained(folder)
x = jnp.zeros((2, 64, 4))  # (b, t, d)
outputs = model(x)
```

A step of training:

```python
optimizer = net.create_optimizer(model)
ema = net.create_ema(model)
rngs = net.create_rngs()
x = jnp.zeros((2, 64, 4))  # (b, t, d)
y = jnp.zeros((2, 64, 4))  # (b, t, d)
loss, metrics = net.train_step(model, optimizer, ema, rngs, x, y)
averaged = ema.apply_to(model)  # to evaluate, or to save
```

Saving writes `model.safetensors` and `config.json` (for `NetModel`):

```python
cfg = net.read_config(folder)
net.save_pretrained(model, "saved", cfg, like=folder)
```

## `config.json`

Read by `read_config`. A key that may change an output and is in neither table is an error that names it.

| Config | Key |
| --- | --- |
| `d` | `hidden`, else `d_model` |
| `act` | `hidden_act` |
| `layers` | `depth.0`, else `blocks` and `each` |

| Key | May be |
| --- | --- |
| `kind` | `"a"` or `null` |
| `width` | as follows from `hidden` |

Passed over, as they change no output: `n_ctx`, and what is for training, texts and sampling alone.
"""


def card_of(spec: str, name: str = "net", **options: Any) -> str:
    """The card of a spec without its header."""
    output = compile(spec, path=f"{name}.nnx", options=Options(card=True, **options))
    assert output.ok, output.diagnostics
    return output.files[f"{name}.md"]


def test_what_it_says() -> None:
    text = card_of(SPEC)
    front, _, body = text.removeprefix("---\n").partition("---\n")
    lines = front.splitlines()
    assert [line[:1] for line in lines[:3]] == ["#"] * 3
    assert lines[3:] == ["library_name: flax", "tags:", "- flax", "- jax"]
    assert body == EXPECTED


def test_a_comment_opens_nothing() -> None:
    said = "# Nets: <!--\n# ```python\n# ~~~ of\n"
    text = card_of(SPEC.replace("# Nets (Someone, 2020): <b>bold</b> & plain.\n", said))
    about = text.partition("# Net\n")[2].partition("| Config |")[0]
    assert "```" not in about and "~~~" not in about and "<" not in about
    assert r"\`\`\`" in about


def test_its_front_matter_is_yaml() -> None:
    yaml = pytest.importorskip("yaml")
    text = card_of((ZOO / "llama.nnx").read_text(), "llama")
    found = yaml.safe_load(text.split("---\n")[1])
    assert found == {
        "library_name": "flax",
        "tags": ["flax", "jax"],
        "pipeline_tag": "text-generation",
    }


TINY = {
    "bert": {"vocab": 20, "d": 8, "layers": 2, "heads": 2, "hidden": 12},
    "llama": {
        "vocab": 20,
        "d": 8,
        "layers": 2,
        "heads": 2,
        "kv_heads": 1,
        "head_dim": 4,
        "hidden": 12,
    },
    "resnet": {"classes": 3, "stem_width": 4, "widths": [8, 8], "depths": [1, 1]},
    "t5": {
        "vocab": 20,
        "d": 8,
        "layers": 1,
        "decoder_layers": 1,
        "heads": 2,
        "size": 4,
        "hidden": 12,
    },
    "vit": {"classes": 3, "size": 8, "patch": 4, "d": 8, "heads": 2, "layers": 1},
}


def tiny(name: str) -> str:
    """A spec of the zoo whose defaults are small, and its only sizes."""
    text = (ZOO / f"{name}.nnx").read_text()
    text = re.sub(r"^config (.|\n)*?\)\n(?!    )", "", text, flags=re.M)
    text = re.sub(r'from "(\w+)\.nnx"', r"from zoo.\1", text)  # it stands alone
    before, model, after = re.split(r"(^model .*?\):$)", text, flags=re.M | re.S)
    for param, value in TINY[name].items():
        model, count = re.subn(
            rf"\b{param} = [\d.]+|\b{param} = \[.*?\]", f"{param} = {value}", model
        )
        assert count == 1
    return before + model + after


def built(
    spec: str, name: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[ModuleType, str]:
    """The module of a spec, importable by its name, and its card."""
    path = folder / f"{name}.nnx"
    path.write_text(spec)
    assert nnxc.build(path, folder, options=CARD).ok
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.chdir(folder)
    monkeypatch.delitem(sys.modules, name, raising=False)
    module = importlib.import_module(name)
    monkeypatch.delitem(sys.modules, name)  # others have specs of that name
    return module, (folder / f"{name}.md").read_text()


def snippets(card: str) -> Iterator[str]:
    return (m[1] for m in re.finditer(r"```python\n(.*?)```", card, re.S))


def ran(module: ModuleType, card: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """All that the code of a card names, once it ran."""
    monkeypatch.setitem(sys.modules, module.__name__, module)
    found: dict[str, Any] = {}
    for code in snippets(card):
        assert all(len(line) <= 88 for line in code.splitlines())
        exec(code, found)
    assert Path("saved/model.safetensors").exists()
    return found


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(n, marks=pytest.mark.heavy if n in ("resnet", "t5") else ())
        for n in TINY
    ],
)
def test_its_code_runs(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What makes a model, then all of it on a checkpoint of that model."""
    module, card = built(tiny(name), name, tmp_path, monkeypatch)
    made = re.search(r"^`(\S.*)` makes one", card, re.M)
    assert made is not None
    model = eval(made[1], {name: module, "nnx": nnx})
    module.save_pretrained(model, "path/to/checkpoint", module.Config())
    found = ran(module, card, monkeypatch)
    assert np.isfinite(found["loss"])
    saved = module.load_pretrained("saved")
    pairs = (jax.tree.leaves(nnx.state(m, nnx.Param)) for m in (saved, found["model"]))
    for a, b in zip(*pairs, strict=True):
        np.testing.assert_array_equal(a, b)
    if name == "llama":
        assert len(found["tokens"][0]) == 64
        assert Path("saved/generation_config.json").exists()


DRAWN = SPEC.replace("y=x *", "y=(x + normal([B, T, d], rng=noise)) *").replace(
    "    input x", "    rngs params, dropout, noise\n    input x"
)
PLAIN = re.sub(r"    config .*\n", "", SPEC).replace('"{path}":', '"{path}"')


@pytest.mark.parametrize(
    ("name", "spec"),
    [
        ("model", SPEC),
        ("x", SPEC),
        ("jnp", SPEC),
        ("plain", PLAIN),
        ("alone", SPEC.split("train ")[0]),
        ("required", PLAIN.replace("d = 4", "d")),
        ("drawn", DRAWN),
    ],
)
def test_its_code_runs_whatever_the_spec(
    name: str, spec: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Modules that are called as what the code has; specs without one or the other part."""
    module, card = built(spec, name, tmp_path, monkeypatch)
    cfg = module.NET_LARGE if name == "required" else module.Config()
    module.save_pretrained(module.Net(cfg, rngs=nnx.Rngs(0)), "path/to/checkpoint")
    settings = '{"hidden": 4, "depth": [2]}'
    Path("path/to/checkpoint/config.json").write_text(settings)
    found = ran(module, card, monkeypatch)
    assert ("loss" in found) == ("averaged" in found) == ("train " in spec)
    if "averaged" in found:
        module.save_pretrained(found["averaged"], "averaged")
        again = module.load_pretrained("averaged", cfg)
        for a, b in zip(
            *(jax.tree.leaves(nnx.state(m)) for m in (again, found["averaged"])),
            strict=True,
        ):
            np.testing.assert_array_equal(a, b)


COUNTED = ("bert", "bart", "clip", "llama", "resnet", "t5", "vit", "whisper")


@pytest.mark.parametrize("name", [n for n in COUNTED if n in PRETRAINED])
def test_parameters_are_those_that_were_published(name: str) -> None:
    text = (ZOO / f"{name}.nnx").read_text()
    program = analyse(
        text, path=f"{name}.nnx", read=lambda n: (ZOO / n).read_bytes()
    ).program
    assert program is not None
    (section,) = program.weights
    counted = parameter_counts(program, program.definition(section.model))
    found = {c.name.upper(): count for c, count in counted if c is not None}
    assert PRETRAINED[name].items() <= found.items()


PUBLISHED = [p.stem for p in ZOO.glob("*.nnx") if "\nweights " in p.read_text()]


@pytest.mark.heavy
@pytest.mark.parametrize("name", sorted(PUBLISHED))
def test_inputs_fit(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is called with them is of the sizes that were published, and traced."""
    spec = ZOO / f"{name}.nnx"
    assert nnxc.build(spec, tmp_path, options=CARD).ok
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, name, raising=False)
    module, card = importlib.import_module(name), (tmp_path / f"{name}.md").read_text()
    made = re.search(r"^`(\S.*)` makes one", card, re.M)
    assert made is not None

    def outputs() -> Any:
        own = {name: module, "nnx": nnx}
        own[f"{name}_"] = module

        def loaded(*_: Any) -> Any:
            model = eval(made[1], own)
            model.eval()  # as what is loaded is
            return model

        monkeypatch.setattr(module, "load_pretrained", loaded)
        found: dict[str, Any] = {}
        exec(next(snippets(card)), found)
        return found["outputs"]

    assert jax.tree.leaves(jax.eval_shape(outputs))


def test_only_published_models_have_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "net.nnx"
    path.write_text(
        "model Net(d = 4):\n    input x: [B, 2]\n    return x -> Linear(d)\n"
    )
    result = nnxc.build(path, tmp_path / "out", options=CARD)
    assert result.ok and [d.code for d in result.diagnostics] == ["N911"]
    assert [f.name for f in (tmp_path / "out").iterdir()] == ["net.py"]
    (tmp_path / "other.nnx").write_text(SPEC)
    assert run(["build", str(tmp_path), "-o", str(tmp_path / "out"), "--card"], "") == 0
    assert "N911" not in capsys.readouterr().err
    assert {"other.md", "other.py"} <= {f.name for f in (tmp_path / "out").iterdir()}


def test_it_is_an_output_like_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Written with the module, left alone once edited, checked, found to be fresh."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    path, out = tmp_path / "net.nnx", tmp_path / "out"
    path.write_text(SPEC)
    words = ["build", str(path), "-o", str(out), "--card"]
    compiler = fresh.fingerprint()
    assert run(words, compiler) == 0
    assert fresh.is_fresh(words, compiler) and not fresh.is_fresh(words[:-1], compiler)
    card = out / "net.md"
    text = card.read_text()
    assert owner(text) is owner(text.replace("\n", "\r\n")) is Owner.COMPILER

    card.write_text(text.replace("# Net", "# My net"))
    assert not fresh.is_fresh(words, compiler)
    assert owner(card.read_text()) is Owner.EDITED
    module = (out / "net.py").read_bytes()
    path.write_text(SPEC.replace("rate = 0.1", "rate = 0.2"))
    assert run(words, compiler) == 1
    assert "N902" in capsys.readouterr().err
    assert (out / "net.py").read_bytes() == module  # all or none
    assert run([*words, "--check"], compiler) == 1
    assert run([*words, "--force"], compiler) == 0
    assert run([*words, "--check"], compiler) == 0

    opened, *_, rest = card.read_text().split("\n", 4)
    card.write_text(f"{opened}\n{rest}")  # without the three lines
    assert owner(card.read_text()) is Owner.USER
    assert run(words, compiler) == 1
    card.unlink()
    assert run([*words, "--check"], compiler) == 1
    assert "+library_name: flax" in capsys.readouterr().out


def test_in_a_package_and_in_one_file() -> None:
    assert "\nfrom . import net\n" in card_of(SPEC, package=True)
    assert "\nimport net\n" in card_of(SPEC, single_file=True)


def test_scanned_layers() -> None:
    """A card is the same whichever way the layers run."""
    scanned, looped = (card_of(SPEC, stack=stack) for stack in ("scan", "loop"))
    assert scanned.split("\n", 4)[4] == looped.split("\n", 4)[4]
