"""Plans the training of a model: its functions, decided as text for the template."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from .. import ir
from ..record import Record
from ..shapes import DTYPES
from . import plan
from .entries import helpers_of
from .names import TRAIN, Namespace, snake
from .scope import Scope
from .signature import Names, Signature
from .statics import static
from .train_loss import Loss, loss_body
from .train_select import evaluation, keeps_all, selection
from .train_tx import transformation

_LOCALS = (
    "model", "optimizer", "ema", "rngs", "grad_fn", "grads", "loss", "metrics",
)  # fmt: skip
_SPLIT_LOCALS = ("graphdef", "params", "rest", "compute")


class Function(Record):
    """One generated function: its name, its parameters, what its body passes on."""

    name: str
    parameters: str
    arguments: str = ""


class TrainView(Record):
    """One train, as the templates write it."""

    model: str  # its class
    tx: str
    transformation: str
    trainable: str
    selection: str | None  # the filter of the weights that train
    create_model: Function
    create_optimizer: str
    create_ema: str
    decay: str | None  # of the moving average
    create_rngs: str
    streams: str | None  # keywords of `nnx.Rngs`
    loss_fn: Function
    loss: Loss
    train_step: Function
    split: Function | None  # where weights must be told from the rest
    donated: str | None
    eval_step: Function
    modes: str | None  # keywords of `nnx.view`

    @property
    def wrt(self) -> str:
        """The filter of the weights that train, by name where it has one."""
        return self.trainable if self.selection else "nnx.Param"


def train_view(program: ir.Program, train: ir.Train, names: Names) -> TrainView:
    """Decide everything about one train that the templates write."""
    signature = names.signatures[train.model]
    called = _function_names(program, train, names)
    splits = bool(train.only or train.freeze) or not keeps_all(program, train.model)
    outer = [*called.values(), *(h.name for h in helpers_of(program))]
    outer += [*names.externs.values(), *(s.name for s in names.signatures.values())]
    local = Namespace([*_LOCALS, *outer, *(_SPLIT_LOCALS if splits else ())])
    batch = [local.give(f.name) for f in train.batch]
    fields = dict(zip((f.name for f in train.batch), batch, strict=True))
    loss_fn, train_step, split, eval_step = _steps(train, signature.name, called, batch)
    return TrainView(
        model=signature.name,
        tx=called["tx"],
        transformation=transformation(train),
        trainable=called["trainable"],
        selection=selection(train, names),
        create_model=_create_model(called["create_model"], signature, train.precision),
        create_optimizer=called["create_optimizer"],
        create_ema=called["create_ema"],
        decay=None if train.ema is None else static(train.ema, Scope()).text,
        create_rngs=called["create_rngs"],
        streams=_streams(train.streams),
        loss_fn=loss_fn,
        loss=loss_body(train, names, fields, local),
        train_step=train_step,
        split=split if splits else None,
        donated=_donated(train, splits),
        eval_step=eval_step,
        modes=evaluation(program, train.model),
    )


def _function_names(
    program: ir.Program, train: ir.Train, names: Names
) -> Mapping[str, str]:
    """The module's names for this train, with the model's where there are several trains."""
    suffix = f"_{snake(train.model)}" if len(program.trains) > 1 else ""
    return {name: names.module.give(f"{name}{suffix}") for name in TRAIN}


def _steps(
    train: ir.Train, model: str, called: Mapping[str, str], batch: Sequence[str]
) -> tuple[Function, Function, Function, Function]:
    """`loss_fn`, `train_step`, what it differentiates where weights are split off, `eval_step`."""
    fields = [f"{name}: jax.Array" for name in batch]
    first = f"model: {model}"
    draws, eval_draws = bool(train.streams), bool(train.eval_streams)
    rngs = ["rngs: nnx.Rngs"] if draws else []
    maybe_rngs = ["rngs: nnx.Rngs | None"] if draws and not eval_draws else rngs
    ema = [] if train.ema is None else ["ema: nnx.EMA"]
    optimizer = f"optimizer: nnx.Optimizer[{model}]"
    given = ["rngs"] if draws else []
    in_use = ["None"] if draws and not eval_draws else given
    return (
        Function(called["loss_fn"], _list(first, *maybe_rngs, *fields)),
        Function(
            called["train_step"],
            _list(first, optimizer, *ema, *rngs, *fields),
            _list("model", *given, *batch),
        ),
        Function("compute", _list(*_PARTS, *rngs), _list("params", "rest", *given)),
        Function(
            called["eval_step"],
            _list(first, *(rngs if eval_draws else []), *fields),
            _list("model", *in_use, *batch),
        ),
    )


_PARTS = ("params: nnx.State", "rest: nnx.State")


def _list(*items: str) -> str:
    return ", ".join(items)


def _streams(streams: Iterable[str]) -> str | None:
    """Keywords of `nnx.Rngs`. Streams of one seed would repeat each other."""
    keywords = [
        f"{stream}=seed + {i}" if i else f"{stream}=seed"
        for i, stream in enumerate(streams)
    ]
    return ", ".join(keywords) or None


def _donated(train: ir.Train, splits: bool) -> str | None:
    """What a step replaces entirely; a donated array that is not replaced would be lost."""
    names = [] if splits else ["model"]
    names += [] if train.optimizer.op.state else ["optimizer"]
    names += [] if train.ema is None else ["ema"]
    quoted = [f'"{name}"' for name in names]
    if not quoted:
        return None
    return quoted[0] if len(quoted) == 1 else f"({', '.join(quoted)})"


def _create_model(name: str, signature: Signature, precision: str | None) -> Function:
    """Takes what the class takes, and a seed; the precision is the train's to say."""
    definition = signature.definition
    inferred = [signature.arguments[n] for n in definition.inferred]
    dtype = f"dtype=jnp.{DTYPES[precision]}" if precision else ""
    if not signature.takes_dtype:
        dtype = ""
    if signature.config:
        required = any(p.default is None for p in definition.params)
        default = "" if required else f" = {signature.config}()"
        parameters = [f"cfg: {signature.config}{default}"]
        passed = [f"replace(cfg, {dtype})" if dtype else "cfg"]
    else:
        parameters = [f.text for f in plan.fields(signature)]
        passed = [signature.arguments[p.name] for p in definition.params]
        passed += [dtype] if dtype else []
    return Function(
        name,
        _list(*(f"{n}: int" for n in inferred), *parameters, "*", "seed: int = 0"),
        _list(*inferred, *passed, "rngs=nnx.Rngs(seed)"),
    )
