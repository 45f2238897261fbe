"""The code of a card: how this very model is loaded, called, saved, sampled from and trained."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence

from ... import ir
from ...record import Record
from ...shapes import DTYPES
from ..python.labels import Labels
from ..python.suites import WIDTH
from ..signature import Draws, Names, Signature
from ..training.train import TrainView
from ..weights import WeightsView
from .card_sizes import Example


class Snippets(Record):
    """Pieces of Python, each going on from those before it; empty where there is nothing to show."""

    use: str
    generate: str
    save: str
    train: str


_OWN = {
    *("folder", "model", "outputs", "options", "tokens", "cfg", "optimizer", "ema"),
    *("averaged", "rngs", "loss", "metrics", "jnp", "nnx"),
}


class Snippet:
    """Writes those of one model; `module` is what its module is called in them."""

    def __init__(
        self,
        module: str,
        signature: Signature,
        names: Names,
        example: Example | None,
        package: bool,
    ) -> None:
        self.signature, self.names, self.example = signature, names, example
        taken = module in {*_OWN, *signature.inputs.values()}
        self.module = f"{module}_" if taken else module
        renamed = f" as {self.module}" if taken else ""
        self.imported = f"{'from . ' * package}import {module}{renamed}"

    def all(
        self,
        weights: WeightsView,
        generate: bool,
        train: tuple[ir.Train, TrainView] | None,
    ) -> Snippets:
        """All of them."""
        return Snippets(
            "\n".join(self.use(weights)),
            "\n".join(self.generate(weights)) if generate else "",
            "\n".join(self.save(weights)),
            "\n".join(self.train(*train)) if train and self.example else "",
        )

    def made(self, cfg: str) -> str:
        """What makes a model with initial weights."""
        own = f"{self.module}."
        return f"{own}{self.signature.name}({own}{cfg}, rngs=nnx.Rngs(0))"

    def use(self, weights: WeightsView) -> Iterator[str]:
        """From a checkpoint to outputs."""
        if self.example:
            yield "import jax.numpy as jnp"
        if self.signature.draws is Draws.ALWAYS:
            yield "from flax import nnx"
        if self.example or self.signature.draws is Draws.ALWAYS:
            yield ""
        yield self.imported
        yield ""
        yield 'folder = "path/to/checkpoint"  # or `owner/name` on the Hugging Face Hub'
        given = ["folder"]
        if not weights.reads and not self._is_plain:
            yield f"cfg = {self._config}"
            given.append("cfg")
        yield f"model = {self.module}.{weights.load}({', '.join(given)})"
        inputs = [i for i in self.signature.definition.inputs if not i.optional]
        yield from self._arrays(self.signature.inputs, inputs)
        call = [self.signature.inputs[i.name] for i in inputs]
        call += ["rngs=nnx.Rngs(0)"] * (self.signature.draws is Draws.ALWAYS)
        yield from _call("outputs = model", call)

    def generate(self, weights: WeightsView) -> Iterator[str]:
        """What follows a prompt."""
        if not weights.samples:
            yield f"tokens = {self.module}.generate(model, [[1, 2, 3]], max_new_tokens=16)"
            return
        yield f"options = {self.module}.{weights.sampling}(folder)  # how it is sampled, where it ends"
        yield f"tokens = {self.module}.generate(model, [[1, 2, 3]], **options)"

    def save(self, weights: WeightsView) -> Iterator[str]:
        """To a folder that others load."""
        if not weights.reads:
            yield f'{self.module}.{weights.save}(model, "saved")'
            return
        yield f"cfg = {self.module}.{weights.read}(folder)"
        yield f'{self.module}.{weights.save}(model, "saved", cfg, like=folder)'

    def train(self, train: ir.Train, view: TrainView) -> Iterator[str]:
        """One step of training."""
        own = f"{self.module}."
        (goal,) = view.goals
        yield f"optimizer = {own}{goal.create_optimizer}(model)"
        given = ["model", "optimizer"]
        if view.decay:
            yield f"ema = {own}{view.create_ema}(model)"
            given.append("ema")
        if view.streams:
            yield f"rngs = {own}{view.create_rngs}()"
            given.append("rngs")
        yield from self._arrays(view.batch, train.batch)
        given += [view.batch[field.name] for field in train.batch]
        yield from _call(f"loss, metrics = {own}{view.train_step.name}", given)
        if view.decay:
            yield "averaged = ema.apply_to(model)  # to evaluate, or to save"

    @property
    def _is_plain(self) -> bool:
        """Whether all parameters have defaults."""
        return all(p.default is not None for p in self.signature.definition.params)

    @property
    def _config(self) -> str:
        preset = self.example and self.example.preset
        named = self.names.presets[preset] if preset else f"{self.signature.config}()"
        return f"{self.module}.{named}"

    def _arrays(
        self, names: Mapping[str, str], inputs: Iterable[ir.ModelInput]
    ) -> Iterator[str]:
        """Inputs of zeros; masks are of ones."""
        labels = Labels(self.signature.definition)
        for item in inputs:
            made = "..."
            if self.example:
                shape = self.example.shape(item.type)
                made = {
                    "bool": f"jnp.ones({shape}, bool)",
                    "int": f"jnp.zeros({shape}, int)",
                    "float": f"jnp.zeros({shape})",
                }.get(item.type.dtype, "")
                made = made or f"jnp.zeros({shape}, jnp.{DTYPES[item.type.dtype]})"
            yield f"{names[item.name]} = {made}  # {labels.shape(item.type)}"


def _call(head: str, arguments: Sequence[str]) -> Iterator[str]:
    """A call in lines that fit."""
    text = f"{head}({', '.join(arguments)})"
    if len(text) <= WIDTH:
        yield text
        return
    yield f"{head}("
    yield from textwrap.wrap(
        f"{', '.join(arguments)},",
        WIDTH,
        initial_indent="    ",
        subsequent_indent="    ",
        break_long_words=False,
    )
    yield ")"
