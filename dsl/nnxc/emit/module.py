"""One module: names, parts, imports, text."""

from __future__ import annotations

from .. import ir
from . import _templates as templates
from .docs import module_doc
from .options import Options
from .plan import class_view, config_view, helpers, presets_view
from .render import blackened, imports
from .signature import Names, assign_names
from .train import train_view
from .view import ModuleView


def module_text(program: ir.Program, options: Options) -> str:
    """The Python module of a program, from its docstring on."""
    parts = _parts(program, assign_names(program), options)
    if options.black:
        parts = [blackened(p) for p in parts]
    view = ModuleView(module_doc(program), imports("\n".join(parts)), tuple(parts))
    return templates.module(view)


def _parts(program: ir.Program, names: Names, options: Options) -> list[str]:
    """The top-level pieces in order, without blank lines around them."""
    trains = [train_view(program, train, names) for train in program.trains]
    parts = [
        templates.config(config_view(s)) for s in names.signatures.values() if s.config
    ]
    if names.presets:
        parts.append(templates.presets(presets_view(program, names)))
    parts += [h.source for h in helpers(program)]
    for definition in program.definitions:
        signature = names.signatures[definition.name]
        wanted = {n for v in trains if v.model == signature.name for n in v.loss.stored}
        view = class_view(definition, program, names, options, wanted)
        parts.append(templates.class_(view))
    parts += [templates.train(train) for train in trains]
    if trains:
        parts.append(templates.trainer())
    return [p.strip("\n") for p in parts]
