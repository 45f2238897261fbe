"""Plans the training of a model: its functions, decided as text for the template."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .. import ir
from ..shapes import DTYPES
from .names import Namespace, snake
from .signature import Names, Signature
from .statics import static
from .scope import Scope
from .train_loss import loss_body
from .train_select import evaluation, keeps_all, selection
from .train_tx import transformation

_FUNCTIONS = (
    "tx", "trainable", "create_model", "create_optimizer", "create_ema", "create_rngs",
    "loss_fn", "train_step", "eval_step",
)  # fmt: skip
_LOCALS = ("model", "optimizer", "ema", "rngs", "loss", "metrics", "grads", "graphdef")


@dataclass(frozen=True, slots=True)
class TrainView:
    """One train, as the template writes it. The first group are names in the module."""

    tx: str
    trainable: str
    create_model: str
    create_optimizer: str
    create_ema: str
    create_rngs: str
    loss_fn: str
    train_step: str
    eval_step: str

    model: str  # its class
    parameters: str  # of `create_model`, the seed aside
    arguments: str  # of the class, its rngs aside
    transformation: str
    selection: str | None  # the filter of the weights that train
    decay: str | None  # of the moving average
    streams: str | None  # keywords of `nnx.Rngs`
    batch: str  # the fields with annotations
    fields: str  # the fields
    lines: tuple[str, ...]  # of the loss
    loss: str
    metrics: str
    donated: str
    splits: bool  # whether weights must be told from the rest
    modes: str | None  # keywords of `nnx.view`
    eval_draws: bool
    stored: tuple[str, ...]  # parameters that the class must keep as attributes

    @property
    def wrt(self) -> str:
        """The filter of the weights that train, by name where it has one."""
        return self.trainable if self.selection else "nnx.Param"


def train_view(program: ir.Program, train: ir.Train, names: Names) -> TrainView:
    """Decide everything about one train that the template writes."""
    signature = names.signatures[train.model]
    functions = _function_names(program, train, names)
    local = Namespace([*_LOCALS, *functions.values()])
    batch = {f.name: local.give(f.name) for f in train.batch}
    loss = loss_body(train, signature, batch, local)
    splits = bool(train.only or train.freeze) or not keeps_all(program, train.model)
    return TrainView(
        **functions,
        model=signature.name,
        parameters=_parameters(signature),
        arguments=_arguments(signature, train.precision),
        transformation=transformation(train),
        selection=selection(train, names),
        decay=None if train.ema is None else static(train.ema, Scope()).text,
        streams=_streams(train.streams),
        batch=", ".join(f"{name}: jax.Array" for name in batch.values()),
        fields=", ".join(batch.values()),
        lines=loss.lines,
        loss=loss.loss,
        metrics=loss.metrics,
        donated=_donated(train, splits),
        splits=splits,
        modes=evaluation(program, train.model),
        eval_draws=bool(train.eval_streams),
        stored=loss.stored,
    )


def _function_names(
    program: ir.Program, train: ir.Train, names: Names
) -> dict[str, str]:
    """The module's names for this train, with the model's where there are several trains."""
    suffix = f"_{snake(train.model)}" if len(program.trains) > 1 else ""
    return {name: names.module.give(f"{name}{suffix}") for name in _FUNCTIONS}


def _streams(streams: Sequence[str]) -> str | None:
    """Streams of one seed would repeat each other."""
    seeds = ["seed", *(f"seed + {i}" for i in range(1, len(streams)))]
    pairs = zip(streams, seeds, strict=False)
    return ", ".join(f"{stream}={seed}" for stream, seed in pairs) or None


def _donated(train: ir.Train, splits: bool) -> str:
    """What a step replaces entirely; a donated array that is not replaced would be lost."""
    names = [] if splits else ["model"]
    names += ["optimizer"] if train.ema is None else ["optimizer", "ema"]
    quoted = [f'"{name}"' for name in names]
    return quoted[0] if len(quoted) == 1 else f"({', '.join(quoted)})"
