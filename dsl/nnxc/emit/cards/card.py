"""The card of the published models of a program: a page that says what they are and how they are used."""

from __future__ import annotations

from ... import ir
from ...record import Record
from ...shapes import ListType, Outputs, TensorType, is_float
from ..module import prepared, weights_views
from ..options import Options
from ..python.docs import legend
from ..python.labels import Labels
from ..python.names import fields
from ..python.scope import Scope
from ..python.static_text import static
from ..render import markdown
from ..signature import Names, Signature, assign_names
from ..training.train import TrainView, train_view
from ..weights import WeightsView
from .card_settings import followed, required
from .card_sizes import example_of, parameter_counts
from .markdown import code, prose, table
from .snippets import Snippet, Snippets

_SIZES = ("Config", "Parameters", "Settings")


class CardView(Record):
    """The card of one model, as the template lays it out: every table and snippet is text."""

    name: str
    doc: str
    sizes: str
    made: str  # what makes one with initial weights
    inputs: str
    outputs: str
    legend: str
    snippets: Snippets
    saved: str  # what is written, and who reads it
    read: str  # the function that reads `config.json`; empty where nothing does
    followed: str
    required: str
    unknown: str  # where a key stands that is refused
    ignored: str


def card_files(program: ir.Program, name: str, options: Options) -> dict[str, str]:
    """The card beside the module called `name`; none where nothing was published."""
    if not program.weights:
        return {}
    whole, options = prepared(program, options)
    names = assign_names(whole)
    trains = [(train, train_view(whole, train, names)) for train in whole.trains]
    sections = weights_views(whole, names, options)
    views = [
        _card(section, view, program, names, trains, name, options)
        for section, view in zip(whole.weights, sections, strict=True)
    ]
    tags = ["flax", "jax"]
    generates = "text-generation" if program.generates else ""
    return {f"{name}.md": markdown("card", cards=views, tags=tags, task=generates)}


def _card(
    section: ir.Weights,
    weights: WeightsView,
    program: ir.Program,
    names: Names,
    trains: list[tuple[ir.Train, TrainView]],
    module: str,
    options: Options,
) -> CardView:
    signature = names.signatures[section.model]
    definition = program.definition(section.model)
    example = example_of(program, definition)
    own = ((t, v) for t, v in trains if t.model == section.model and _is_simple(t))
    generates = any(g.model == section.model for g in program.generates)
    sizes = _sizes(program, signature, names)
    read, met = followed(section, signature), required(section)
    snippet = Snippet(module, signature, names, example, options.package)
    return CardView(
        signature.name,
        _doc(program, definition),
        table(_SIZES, [(code(made), *rest) for made, *rest in sizes]),
        snippet.made(next(iter(sizes), ("Config(...)",))[0]),
        _inputs(signature),
        _outputs(signature, names),
        legend(ir.Program(program.path, "", (definition,), (), ())),
        snippet.all(weights, generates, next(own, None)),
        _saved(section, weights),
        weights.read if weights.reads else "",
        table(("Config", "Key"), read),
        table(("Key", "May be"), met),
        "in neither table" if read and met else "not in the table",
        ", ".join(map(code, section.immaterial)),
    )


def _is_simple(train: ir.Train) -> bool:
    """Whether a step takes the model, one optimizer and a batch."""
    return not (train.objectives[0].name or train.adapters or train.frozen)


def _doc(program: ir.Program, definition: ir.Definition) -> str:
    """The comments of the spec and of the model."""
    docs = dict.fromkeys((program.doc, definition.doc))
    return "\n\n".join(prose(doc) for doc in docs if doc)


def _sizes(
    program: ir.Program, signature: Signature, names: Names
) -> list[tuple[str, str, str]]:
    """Each choice of a Config: its name, how many parameters it gives, how it differs."""
    rows = []
    definition = program.definition(signature.definition.name)
    for config, count in parameter_counts(program, definition):
        made = names.presets[config.name] if config else f"{signature.config}()"
        args = config.args if config else ()
        differs = (
            f"{signature.arguments[n]}={static(v, Scope()).text}" for n, v in args
        )
        number = "" if count is None else f"{count:,}"
        rows.append((made, number, ", ".join(map(code, differs)) or "defaults"))
    return rows


def _inputs(signature: Signature) -> str:
    definition, rows = signature.definition, []
    for item in sorted(definition.inputs, key=lambda i: i.optional):
        note = "optional" if item.optional else ""
        kind = _kind(item.type, Labels(definition))
        rows.append((code(signature.inputs[item.name]), kind, note))
    noted = any(note for *_, note in rows)
    heads = ("Input", "Type", "")
    return table(
        heads if noted else heads[:2], rows if noted else [r[:2] for r in rows]
    )


def _kind(type_: ir.Type, labels: Labels) -> str:
    """A dtype, where it is no float, and a shape."""
    match type_:
        case TensorType():
            dtype = "" if is_float(type_.dtype) else f"{type_.dtype} "
            return f"{dtype}{labels.shape(type_)}"
        case ListType(element):
            return f"list of {_kind(element, labels)}"
        case Outputs():
            return labels.types(type_)
    return ", ".join(_kind(part, labels) for part in type_)


def _outputs(signature: Signature, names: Names) -> str:
    definition = signature.definition
    labels = Labels(definition, {n: s.output for n, s in names.signatures.items()})
    named, outputs = definition.named, definition.outputs
    called = [code(n) for n in fields(named.names)] if named else []
    called = called or [""] * len(outputs)
    kinds = [_kind(part, labels) for part in outputs]
    rows = list(zip(called, kinds, strict=True))
    heads = ("Output", "Type")
    return table(
        heads if named else heads[1:], rows if named else [r[1:] for r in rows]
    )


def _saved(section: ir.Weights, weights: WeightsView) -> str:
    """The files of a folder, and whose class loads them."""
    shown = [code("model.safetensors")]
    if section.reads:
        shown.append(code("config.json"))
    match dict(section.written).get("architectures"):
        case ir.Computed(",", (ir.Value(str(reference)),)):
            shown[-1] += f" (for {code(reference)})"
    shown += [code("generation_config.json")] if weights.samples else []
    return f"{', '.join(shown[:-1])} and {shown[-1]}" if shown[1:] else shown[0]
