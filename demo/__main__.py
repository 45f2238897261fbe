"""Compiles three specs, shows what they became, trains them, and says how well they do.

python -m demo
"""

from __future__ import annotations

import importlib
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType

from .console import console, draw, show_class, show_spec, title

ZOO, OUT = Path("dsl/nnxc/zoo"), Path("out")
SPECS = ("digits_mlp", "digits_cnn", "char_gpt")


def main() -> int:
    """Run the whole demo; 1 where a model falls short."""
    title("From specs to code")
    generate()
    show_spec(ZOO / "digits_cnn.nnx")
    show_class(OUT / "digits_cnn.py", "ConvBlock")
    show_class(OUT / "digits_cnn.py", "DigitsCNN")
    title("Handwritten digits")
    enough = train_digits()
    title("A character GPT on Python's own manual")
    train_characters()
    return 0 if enough else 1


def generate() -> None:
    """What a user would type, and how long it takes."""
    specs = [str(ZOO / f"{name}.nnx") for name in SPECS]
    console.print(
        f"$ nnxc build {' '.join(specs)} -o {OUT}", style="bold", soft_wrap=True
    )
    start = time.perf_counter()
    command = [sys.executable, "-m", "nnxc", "build", *specs, "-o", str(OUT)]
    subprocess.run(command, check=True)
    console.print(f"[dim]{1000 * (time.perf_counter() - start):.0f} ms\n")


def generated(name: str) -> ModuleType:
    """A generated module, imported as any other."""
    if str(OUT) not in sys.path:
        sys.path.insert(0, str(OUT))
    return importlib.import_module(name)


def train_digits() -> bool:
    """Both nets on the same digits; whether both are good enough."""
    from . import digits

    mlp_losses, mlp = digits.train(generated("digits_mlp"), "MLP")
    cnn_losses, cnn = digits.train(generated("digits_cnn"), "CNN")
    picture = OUT / "losses.png"
    draw({"MLP": mlp_losses, "CNN": cnn_losses}, picture)
    results = [digits.check("MLP", mlp, 0.96), digits.check("CNN", cnn, 0.98)]
    console.print(f"loss curves: {picture}")
    return all(results)


def train_characters() -> None:
    """A minute of training, and a sample."""
    from . import characters

    model, losses = characters.train(generated("char_gpt"))
    console.print(f"loss {losses[-1]:.2f} nats a character; a sample:")
    console.print(characters.sample(model, "The ", 400), style="italic", markup=False)


if __name__ == "__main__":
    sys.exit(main())
