"""Plans how a model's weights come from checkpoints and go there."""

from __future__ import annotations

from .. import ir
from ..ir.fold_static import mentions
from ..record import Record
from .config_file import settings_table
from .options import Options
from .python import text as t
from .python.names import snake
from .signature import Names, Signature
from .weights_table import table_rows


class WeightsView(Record):
    """One section of weights, as the template writes it."""

    model: str  # its class
    config: str  # its Config
    table: str
    rows: tuple[str, ...]
    read: str
    reads: bool  # whether there is anything to say of `config.json`
    file: str  # the table of a `config.json`
    entries: tuple[str, ...]  # its arguments
    load: str
    parameters: str
    arguments: str
    dtypes: str  # keywords of `replace(cfg)`
    ignored: str
    renamed: str
    save: str
    adapted: bool
    saved: str  # a model that has the weights alone
    samples: bool  # whether options of `generate` are read and written too
    sampling: str
    checked: str  # the model whose Config is written, where its class takes no more
    written: str  # what stands beside them


def weights_view(
    section: ir.Weights,
    names: Names,
    options: Options,
    several: bool,
    adapted: bool,
    samples: bool,
) -> WeightsView:
    """Decide everything about one section that the template writes."""
    signature = names.signatures[section.model]
    suffix = f"_{snake(section.model)}" if several else ""
    give = names.module.give
    inferred = [signature.arguments[n] for n in signature.definition.inferred]
    assert signature.config is not None
    saved = "plain" if adapted else "model"
    return WeightsView(
        model=signature.name,
        config=signature.config,
        table=give(f"STORED{suffix.upper()}"),
        rows=table_rows(section.rows, signature, names, options),
        read=give(f"read_config{suffix}"),
        reads=section.reads,
        file=give(f"SETTINGS{suffix.upper()}"),
        entries=settings_table(section, signature),
        load=give(f"load_pretrained{suffix}"),
        parameters=_parameters(section, signature, inferred),
        arguments=", ".join([*inferred, "cfg", "rngs=rngs"]),
        dtypes=", ".join(f"{name}=dtype" for name in signature.dtypes),
        ignored=_given("ignored", tuple(section.ignored)),
        renamed=_given("renamed", _renamed(section)),
        save=give(f"save_pretrained{suffix}"),
        adapted=adapted,
        saved=saved,
        samples=samples,
        sampling=give(f"read_sampling{suffix}") if samples else "",
        checked="" if inferred else f", {saved}",
        written=_beside(section, samples),
    )


def _beside(section: ir.Weights, samples: bool) -> str:
    """Arguments: the files beside the weights."""
    config = ", config=config" if section.reads else ""
    return f"{config}, generation=generation" if samples else config


def _renamed(section: ir.Weights) -> tuple[tuple[str, str], ...]:
    """Names that a file may have, each with the one that is meant."""
    prefix = section.optional
    return (*section.renamed, *([("*", f"{prefix}*")] if prefix else []))


def _given(name: str, values: tuple[object, ...]) -> str:
    """An argument where there is something to say."""
    return f"{name}={t.literal(values).text}, " if values else ""


def _parameters(section: ir.Weights, signature: Signature, inferred: list[str]) -> str:
    """A Config may be left out where the file has one, or where all has defaults."""
    required = any(p.default is None for p in signature.definition.params)
    cfg = f"cfg: {signature.config}"
    if section.reads:
        cfg += " | None = None"
    elif not required:
        cfg += f" = {signature.config}()"
    keywords = [f"{n}: int" for n in inferred]
    if signature.dtypes:
        keywords.append("dtype: jax.typing.DTypeLike | None = None")
    keywords += ["sharding: Placement = None", "revision: str | None = None"]
    return ", ".join(["path: str | Path", cfg, "*", *keywords])


def asked_of_model(section: ir.Weights) -> set[str]:
    """The parameters from which names of tensors are computed."""
    return {
        name
        for row in section.rows
        for hole in row.holes
        for name in mentions(hole) - {*row.indices}
    }
