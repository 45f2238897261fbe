"""Plans the adapters of a train: which layers get one, and what their files say."""

from __future__ import annotations

from ... import ir
from ...record import Record
from ..python import text as t
from ..python.library import argument
from ..python.names import snake
from ..python.scope import Scope
from ..render import BETWEEN, Part, render
from ..signature import Names
from .train_select import attribute_path

GIVEN = ("ADAPTED", "PEFT", "add_adapters", "save_adapters", "load_adapters")


class AdaptersView(Record):
    """The adapters of one train, as the templates write them."""

    model: str
    table: str
    paths: str
    settings: str
    config: str  # what PEFT's `adapter_config.json` says, and has to say
    add: str
    save: str
    load: str
    rank: str
    alpha: str
    names: str  # of the kernels in a checkpoint, as text


def adapters_view(
    program: ir.Program, train: ir.Train, names: Names
) -> AdaptersView | None:
    """Decide everything about the adapters of a train that the template writes."""
    if train.adapters is None:
        return None
    signature = names.signatures[train.model]
    suffix = f"_{snake(train.model)}" if len(program.trains) > 1 else ""
    called = [n + (suffix.upper() if n.isupper() else suffix) for n in GIVEN]
    table, settings, add, save, load = map(names.module.give, called)
    paths = [
        ".".join(attribute_path(p, signature, names)) for p in train.adapters.paths
    ]
    rank, alpha = _numbers(train.adapters.made)
    return AdaptersView(
        model=signature.name,
        table=table,
        paths=t.tuple_of([t.quoted(p) for p in dict.fromkeys(paths)]).text,
        settings=settings,
        config=_CONFIG.format(rank=rank, alpha=alpha),
        add=add,
        save=save,
        load=load,
        rank=rank,
        alpha=alpha,
        names=_kernels(program, train.model),
    )


_CONFIG = (
    '{{"peft_type": "LORA", "r": {rank}, "lora_alpha": {alpha}, "bias": "none", '
    '"use_rslora": False, "use_dora": False, "rank_pattern": {{}}, "alpha_pattern": {{}}}}'
)


def _numbers(made: ir.TrainOp) -> tuple[str, str]:
    given = dict(made.args)
    texts = [
        str(p.default) if p.name not in given else _argument(made, p.name)
        for p in made.op.params
    ]
    return texts[0], texts[1]


def _argument(made: ir.TrainOp, name: str) -> str:
    param = made.op.param(name)
    value = dict(made.args)[name]
    assert param is not None and not isinstance(value, ir.TrainOp)
    return argument(param, value, Scope()).text


def _kernels(program: ir.Program, model: str) -> str:
    """Where the model has weights of a checkpoint, their names; else its own paths serve."""
    sections = [w.model for w in program.weights]
    if model not in sections:
        return "own_names(model)"
    table = f"STORED_{snake(model).upper()}" if len(sections) > 1 else "STORED"
    return f"kernel_names(model, {table})"


def adapted_models(program: ir.Program) -> set[str]:
    """The models that have adapters."""
    return {train.model for train in program.trains if train.adapters}


def own_parts(view: AdaptersView) -> list[Part]:
    """The functions of one train's adapters."""
    return [Part(text) for text in render("adapters", adapters=view).split(BETWEEN)]
