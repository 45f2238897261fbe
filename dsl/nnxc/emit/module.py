"""One module: names, parts, imports, text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .. import ir
from ..ops.base import Helper
from ..ops.functions.rounding import DIVISIBLE
from ..record import replace
from ..stepwise import for_tunix, parts_of, stepwise
from ..targets.flax import NEWEST, written_for
from ..targets.kernels import implemented
from .calls.gather import stacked
from .calls.looked_up import within_tables
from .calls.versions import folded
from .constructor.none_parameters import with_absent
from .constructor.variables import state_classes
from .entries import helpers_of
from .generate import generate_view
from .options import Options
from .plan import class_view, config_view, output_view, presets_view
from .precision.in_precision import in_precision
from .python.docs import module_doc
from .python.free_names import names_of
from .python.imports import imports
from .python.text import quoted
from .render import BETWEEN, Part, render, stable
from .repeated import constants
from .shared import FUNCTIONS, PLAIN, imported, inlined, modules_of, shared_text
from .signature import Names, assign_names
from .training.train import TrainView, train_view
from .training.train_adapters import (
    adapted_models,
    own_parts,
)
from .tunix import tunix_view
from .view import ModuleView
from .weights import WeightsView, asked_of_model, weights_view

MOST_LINES = 2000  # of a module that Black sees: it takes seconds for so many


def module_files(program: ir.Program, name: str, options: Options) -> dict[str, str]:
    """The Python module of a program, called `name`, and those that it shares with others."""
    program, options = prepared(program, options)
    names = assign_names(program)
    parts, modules = _parts(program, names, options), modules_of(program)
    if DIVISIBLE.name in names_of(part.text for part in parts):
        modules = tuple(dict.fromkeys((FUNCTIONS, *modules)))
    own = {f"{name}.py": _module_text(program, names, parts, modules, options)}
    return own if options.single_file else own | _shared_files(modules, options)


def prepared(program: ir.Program, options: Options) -> tuple[ir.Program, Options]:
    """The program in the form in which it is written, and how it is."""
    if by_layer(program):
        options = replace(options, stack="loop")
    if options.stack == "scan":
        program = stacked(program)
    if program.generates:
        program = stepwise(program).program
    if options.interface == "tunix":
        program = for_tunix(program)
    program = in_precision(folded(with_absent(program)))
    return within_tables(program), options


def _module_text(
    program: ir.Program,
    names: Names,
    parts: list[Part],
    modules: tuple[str, ...],
    options: Options,
) -> str:
    """The module of a program, from its docstring on."""
    more, others = not PLAIN.issuperset(modules), frozenset(names.externs.values())
    if options.single_file:
        parts, modules = inlined(modules, parts, others), ()
    parts = [_targeted(p, options) for p in parts]
    whole = sum(part.text.count("\n") for part in parts)
    tidy = options.black and whole <= MOST_LINES
    begun = Part("\n".join(constants(names.initializers)))
    first, *texts = [stable(p) if tidy else p.text.strip("\n") for p in (begun, *parts)]
    view = ModuleView(
        module_doc(program),
        imports(
            names_of([first, *texts]),
            more,
            names.externs,
            imported(modules, parts, others, options),
        ),
        first,
        tuple(texts),
    )
    return render("module", view=view)


def _shared_files(modules: Iterable[str], options: Options) -> dict[str, str]:
    """The shared modules that the module of a program imports, as files."""
    texts = {m: Part(shared_text(m, options.package)) for m in modules}
    return {f"{m}.py": _targeted(part, options).text for m, part in texts.items()}


def _targeted(part: Part, options: Options) -> Part:
    """The part, for the release of Flax and the kernels that are asked for."""
    text = implemented(part.text, options.attention)
    text = written_for(text, options.target or NEWEST)
    return part if text == part.text else Part(text)


def by_layer(program: ir.Program) -> str | None:
    """Why each layer of a stack is one of its own; None where it need not be."""
    if any(train.adapters for train in program.trains):
        return "adapters are put into each layer"
    goals = [goal for train in program.trains for goal in train.objectives]
    if any("[" in path for goal in goals for path in (*goal.only, *goal.freeze)):
        return "some layers of a list train, and others do not"
    return None


def _parts(program: ir.Program, names: Names, options: Options) -> list[Part]:
    """The top-level pieces in order."""
    trains = [train_view(program, train, names) for train in program.trains]
    helpers = [helper for helper in helpers_of(program) if helper.source]
    parts = _with_helpers(_heads(program, names), helpers)
    for definition in program.definitions:
        parts += _class_parts(program, definition, trains, names, options)
    parts += _train_parts(program, trains)
    for generated in program.generates:
        parts += _generation_parts(program, generated, names, options)
    if program.weights:
        parts += weights_parts(program, names, options)
    return parts


def _heads(program: ir.Program, names: Names) -> list[Part]:
    """What stands before all classes: code of files, Configs, and what the spec sets them to."""
    configs = [config_view(s, names) for s in names.signatures.values() if s.config]
    parts = [Part(text) for text in _from_files(names)]
    parts += [Part(render("config", view=view)) for view in configs]
    parts += [Part(text) for text in state_classes(program, names)]
    if names.presets:
        presets = render("presets", view=presets_view(program, names))
        parts.append(Part(presets))
    return parts


def _class_parts(
    program: ir.Program,
    definition: ir.Definition,
    trains: Sequence[TrainView],
    names: Names,
    options: Options,
) -> list[Part]:
    """The class of a definition, after that of what it returns."""
    stored = (s for v in trains for g in v.goals for s in g.loss.stored)
    wanted = {name for model, name in stored if model == definition.name}
    for section in program.weights:
        if section.model == definition.name:
            wanted |= asked_of_model(section)
    output = output_view(names.signatures[definition.name], names)
    decodes = any(g.model == definition.name for g in program.generates)
    view = class_view(definition, program, names, options, wanted, decodes)
    own = Part(render("class", view=view))
    return [Part(render("output", view=output), done=True), own] if output else [own]


def _train_parts(program: ir.Program, trains: Sequence[TrainView]) -> list[Part]:
    """The functions of all trains."""
    parts: list[Part] = []
    for train in trains:
        parts += own_parts(train.adapters) if train.adapters else []
        texts = render("train", train=train).split(BETWEEN)
        parts += [Part(text) for text in texts]
    return parts


def _generation_parts(
    program: ir.Program, generated: ir.Generate, names: Names, options: Options
) -> list[Part]:
    """The functions that sample from a model, and how Tunix calls it."""
    text = render("generation", generate=generate_view(generated, program, names))
    split = parts_of(program.definition(generated.model))
    if options.interface == "tunix" and split is not None:
        view = tunix_view(generated, split, names, options)
        text = f"{text}{BETWEEN}{render('tunix', tunix=view)}"
    return [Part(part) for part in text.split(BETWEEN)]


def _from_files(names: Names) -> list[str]:
    """What is taken from Python files, as one part."""
    lines = [
        f"{name} = from_file({quoted(origin.file)}).{origin.name}"
        for origin, name in names.externs.items()
        if origin.file
    ]
    return ["\n".join(lines)] if lines else []


def _with_helpers(parts: list[Part], helpers: list[Helper]) -> list[Part]:
    """Helpers ahead of the parts that name them when the module is imported, else behind."""
    named = names_of(part.text for part in parts)
    early = [h for h in helpers if h.name in named]
    late = [h for h in helpers if h not in early]
    first, last = ([Part(h.source, done=True) for h in some] for some in (early, late))
    return [*first, *parts, *last]


def weights_parts(program: ir.Program, names: Names, options: Options) -> list[Part]:
    """What reads and writes the checkpoints of each model."""
    parts: list[Part] = []
    for view in weights_views(program, names, options):
        parts += [Part(t) for t in render("weights", weights=view).split(BETWEEN)]
    return parts


def weights_views(
    program: ir.Program, names: Names, options: Options
) -> list[WeightsView]:
    """All sections of weights, as they are written."""
    views: list[WeightsView] = []
    for section in program.weights:
        adapted = section.model in adapted_models(program)
        several = len(program.weights) > 1
        generates = any(g.model == section.model for g in program.generates)
        samples = generates and section.reads
        views.append(weights_view(section, names, options, several, adapted, samples))
    return views
