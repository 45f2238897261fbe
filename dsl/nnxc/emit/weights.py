"""Plans how a model's weights come from checkpoints and go there."""

from __future__ import annotations

from .. import ir
from ..ir.fold_static import mentions
from ..record import Record
from .config_file import settings_table
from .options import Options
from .python import text as t
from .python.names import snake
from .signature import Names
from .weights_table import brought_layers, table_parts

# What reads weights alone, a `config.json` too, and options of `generate`.
PRETRAINED = ("Checkpoint", "Pretrained", "PretrainedLM")


class WeightsView(Record):
    """One section of weights, as the template writes it."""

    model: str  # its class
    config: str  # its Config
    table: str
    parts: tuple[tuple[str, tuple[str, ...]], ...]  # the last is the table
    file: str  # the table of a `config.json`
    entries: tuple[str, ...]  # its arguments
    reads: bool  # whether there is anything to say of `config.json`
    samples: bool  # whether options of `generate` are read and written too
    pretrained: str  # what has both tables
    kind: str  # its class
    arguments: tuple[str, ...]
    read: str
    sampling: str
    load: str
    save: str


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
    assert signature.config is not None
    suffix = f"_{snake(section.model)}" if several else ""
    give = names.module.give
    table = give(f"STORED{suffix.upper()}")
    file = give(f"SETTINGS{suffix.upper()}")
    given = {
        "ignored": _values(tuple(section.ignored)),
        "renamed": _values(_renamed(section)),
        "plain": "merge_adapters" if adapted else "",
        "unstored": _values(brought_layers(signature, names, options)),
    }
    settings = file if section.reads else f"DefaultConfig({signature.config})"
    keywords = [f"{name}={value}" for name, value in given.items() if value]
    return WeightsView(
        model=signature.name,
        config=signature.config,
        table=table,
        parts=table_parts(section, signature, names, options, give, table),
        file=file,
        entries=settings_table(section, signature),
        reads=section.reads,
        samples=samples,
        pretrained=give(f"PRETRAINED{suffix.upper()}"),
        kind=PRETRAINED[section.reads + samples],
        arguments=(signature.name, table, settings, *keywords),
        read=give(f"read_config{suffix}"),
        sampling=give(f"read_sampling{suffix}") if samples else "",
        load=give(f"load_pretrained{suffix}"),
        save=give(f"save_pretrained{suffix}"),
    )


def _renamed(section: ir.Weights) -> tuple[tuple[str, str], ...]:
    """Names that a file may have, each with the one that is meant."""
    prefix = section.optional
    return (*section.renamed, *([("*", f"{prefix}*")] if prefix else []))


def _values(values: tuple[object, ...]) -> str:
    return t.literal(values).text if values else ""


def asked_of_model(section: ir.Weights) -> set[str]:
    """The parameters from which names of tensors are computed."""
    return {
        name
        for row in section.rows
        for hole in row.holes
        for name in mentions(hole) - {*row.indices}
    }
