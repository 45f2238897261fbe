"""A small Llama learns the source of Python's library, then with adapters Python's manual.

`make demo-lm`, or `python -m demo.language`
"""

from __future__ import annotations

import ast
import importlib
import re
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import nnxc

from .console import console, draw_stages, show_spec, title
from .pairs import Pairs

HERE, OUT = Path(__file__).parent, Path("out")
SPECS = HERE / "language.nnx", HERE / "language_lora.nnx"
SIZES = {"vocab": 512, "d": 128, "layers": 3, "heads": 4, "kv_heads": 4}
SIZES |= {"head_dim": 32, "hidden": 336}
BATCH, CONTEXT, SEED = 12, 128, 0
SECONDS = 120, 30  # of training, of adapting
LENGTH = 1_200_000  # characters of source: as much as two minutes can use
SAMPLE = 110  # tokens; with the prompt, no more than the context
EVERY = 20  # steps from one held-out loss to the next


class Curves(NamedTuple):
    """The losses of all steps, and held-out losses with the steps they are of."""

    train: list[float]
    held_out: list[tuple[int, float]]


def main() -> int:
    """Run the demo; 130 where it is interrupted."""
    try:
        run()
    except KeyboardInterrupt:
        console.print("\ninterrupted")
        return 130
    return 0


def run() -> None:
    """Train, sample, adapt, sample again."""
    assert nnxc.build([str(spec) for spec in SPECS], str(OUT)).ok
    sys.path.insert(0, str(OUT))
    language: Any = importlib.import_module("language")
    lora: Any = importlib.import_module("language_lora")
    for spec in SPECS:
        show_spec(spec)
    pairs = Pairs(library()[:200_000] + manual(), SIZES["vocab"])
    model = language.create_model(language.Config(**SIZES))

    title("Two minutes of the library's source")
    first = train(language, model, pairs.encode(library()), SECONDS[0])
    say(language, model, pairs)
    title("Half a minute of the manual, in adapters")
    adapted = lora.add_adapters(model)
    second = train(lora, adapted, pairs.encode(manual()), SECONDS[1])
    text = say(language, adapted, pairs)
    merged = importlib.import_module("nnx_adapters").merge_adapters(adapted)
    same = sample(language, merged, pairs) == text
    console.print(f"merged into the weights: {'the same' if same else 'another'} text")

    lora.save_adapters(adapted, OUT / "adapters")
    draw_stages({"library": first, "manual": second}, OUT / "language.png")
    console.print(f"loss curves: {OUT / 'language.png'}, adapters: {OUT / 'adapters'}")


def library() -> str:
    """Source of Python's library, which ships with Python, in plain ASCII."""
    files = sorted(Path(ast.__file__).parent.glob("[a-z]*.py"))
    text = "".join(file.read_text("utf-8", "ignore") for file in files)
    return re.sub("[^\n -~]", "", text)[:LENGTH]


def manual() -> str:
    """The prose of Python's manual, which ships with Python as well."""
    from . import characters

    return characters.prose(LENGTH)


def split(tokens: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What to train on, and a twentieth from the middle that is held out."""
    half, part = len(tokens) // 2, max(len(tokens) // 20, CONTEXT + 2)
    rest = np.delete(tokens, slice(half, half + part))
    return rest, tokens[half : half + part]


def windows(tokens: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Random windows, one token longer than the context."""
    starts = rng.integers(0, len(tokens) - CONTEXT, count)
    found: np.ndarray = tokens[starts[:, None] + np.arange(CONTEXT + 1)]
    return found


def train(module: Any, model: Any, tokens: np.ndarray, seconds: float) -> Curves:
    """As many steps as there is time for, once they are compiled."""
    rng = np.random.default_rng(SEED)
    known, held_out = split(tokens)
    unseen = windows(held_out, 32, rng)
    trainer = importlib.import_module("nnx_training").Trainer(
        module.train_step, model, module.create_optimizer(model)
    )
    curves = Curves([], [])
    end = time.monotonic() + seconds
    with console.status("compiling") as status:
        while time.monotonic() < end or not curves.held_out:
            step = len(curves.train)
            curves.train.append(float(trainer.step(windows(known, BATCH, rng))[0]))
            if step % EVERY == 0:
                curves.held_out.append(
                    (step, float(module.eval_step(model, unseen)[0]))
                )
            if step == 0:
                end = time.monotonic() + seconds
            left = max(0, end - time.monotonic())
            status.update(
                f"step {step}  loss {curves.train[-1]:.2f}  {left:.0f} s left"
            )
    console.print(
        f"{len(curves.train)} steps, loss {curves.train[-1]:.2f} nats a token, "
        f"{curves.held_out[-1][1]:.2f} on text not seen; a sample:"
    )
    return curves


def sample(language: Any, model: Any, pairs: Pairs) -> str:
    """What the model writes after a first word."""
    prompt = pairs.encode("The ").tolist()
    (made,) = language.generate(
        model, [prompt], max_new_tokens=SAMPLE, temperature=0.6, seed=SEED
    )
    return pairs.decode([*prompt, *made])


def say(language: Any, model: Any, pairs: Pairs) -> str:
    """Show a sample."""
    text = sample(language, model, pairs)
    console.print(text, style="italic", markup=False)
    return text


if __name__ == "__main__":
    sys.exit(main())
