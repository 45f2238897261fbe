"""How the class of each definition is constructed and called; decided before any is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import IntEnum

from .. import ir
from ..dims import Dim
from ..ir.fold_statements import declared, expressions, statements
from ..ir.fold_tensors import walk
from ..ir.statements import OF_FLAX
from ..ops.base import Call, Op, Origin
from ..ops.stepwise_helpers import SELF, STEPWISE
from ..record import Record
from .calls.found_sizes import asked, attribute
from .constructor.positive import sized
from .entries import helpers_of
from .entries import origins as origins_of
from .options import Options
from .parameter_types import parameter_types
from .python.names import (
    ATTRIBUTES,
    EXTERN,
    EXTERN_BUILTINS,
    GENERATE,
    MORE_MODULES,
    TRAIN,
    WEIGHTS,
    Namespace,
    axis_names,
)
from .repeated import repeated_initializers
from .shared import LIBRARY, PLAIN, modules_of, names_in
from .shared_config import shared_configs

# What every class that has a use for them takes: of activations, of weights.
DTYPES = ("dtype", "param_dtype")


class Draws(IntEnum):
    """Whether a call draws random numbers: never, in training only, always."""

    NEVER = 0
    TRAINING = 1
    ALWAYS = 2


class Signature(Record):
    """The outside of one generated class. Mappings go from the spec's names to Python's."""

    definition: ir.Definition
    name: str
    config: str | None  # its Config class, where it has one
    cfg: (
        str | None
    )  # the Config that its constructor takes: its own, or that of its model
    arguments: Mapping[str, str]
    inputs: Mapping[str, str]
    attributes: Mapping[str, str]  # layers and variables
    sizes: Mapping[Dim, str]  # attributes that others read
    draws: Draws
    takes_rngs: bool
    takes_dtype: bool
    takes_param_dtype: bool
    precision: str | None  # that trains ask for, where a Config need not say one
    has_state: bool
    has_weights: bool  # whatever its parameters
    has_cache: bool  # layers inside keep what they have seen of a sequence
    sized: frozenset[str]  # parameters that are lists of sizes
    output: str | None = None  # the class of its outputs, where they have names

    @property
    def shares(self) -> bool:
        """Whether its constructor takes the Config of the model that it is part of."""
        return self.cfg is not None and self.config is None

    @property
    def fields(self) -> frozenset[str]:
        """The parameters that its constructor reads from a Config."""
        params = self.definition.params if self.cfg else ()
        return frozenset(p.name for p in params if self.config or p.handed)

    @property
    def dtypes(self) -> tuple[str, ...]:
        """Those of `DTYPES` that it takes."""
        takes = self.takes_dtype, self.takes_param_dtype
        return tuple(n for n, taken in zip(DTYPES, takes, strict=True) if taken)

    @property
    def optional_inputs(self) -> frozenset[str]:
        """The inputs that are passed by keyword."""
        return frozenset(i.name for i in self.definition.inputs if i.optional)


class Names(Record):
    """The names of a module. `presets` are those of configs."""

    signatures: Mapping[str, Signature]
    presets: Mapping[str, str]
    module: Namespace
    reserved: frozenset[str]  # what no local name may hide
    externs: Mapping[Origin, str]
    states: Mapping[str, str]  # the class of each kind of state
    types: Mapping[tuple[str, str], str]  # of parameters, by definition and name
    initializers: Mapping[str, str]  # with a name, by text


def assign_names(program: ir.Program) -> Names:
    """Decide every name that is visible outside of one class."""
    origins = origins_of(program)
    helpers = [helper.name for helper in helpers_of(program)]
    fixed = ("Trainer", *helpers, *(EXTERN if origins else ()))
    taken = _taken(program, bool(origins))
    module = Namespace(["Config", *fixed, *taken])
    classes = {d.name: module.give(d.name) for d in program.definitions}
    outputs = {
        d.name: module.give(f"{d.name}Output", f"{d.name}Outputs")
        for d in program.definitions
        if d.named
    }
    own = (*TRAIN, *WEIGHTS)
    externs = {o: module.give(o.name + "_" * (o.name in own)) for o in origins}
    shared = shared_configs(program)
    configs = _config_names(program, module, {*shared.values()})
    states = _state_classes(program, module)
    presets = {
        c.name: module.give(c.name.upper())
        for c in program.configs
        if c.model in configs
    }
    named = (*classes.values(), *outputs.values(), *configs.values(), *states.values())
    initializers = repeated_initializers(program, module)
    reserved = frozenset([*fixed, *named, *externs.values(), *initializers.values()])
    sizes = asked(program)
    precisions = {t.model: t.precision for t in program.trains}
    signatures: dict[str, Signature] = {}
    for definition in program.definitions:
        model = shared.get(definition.name, definition.name)
        signatures[definition.name] = _signature(
            definition,
            program.definition(model),
            classes[definition.name],
            configs.get(model),
            outputs.get(definition.name),
            sizes[definition.name],
            precisions.get(model),
            signatures,
            reserved,
        )
    types, more = parameter_types(program), initializers
    return Names(signatures, presets, module, reserved, externs, states, types, more)


def _taken(program: ir.Program, with_python: bool) -> tuple[str, ...]:
    """The names of what a module imports, and of its own functions."""
    modules = modules_of(program)
    # Of helpers, those that are used are reserved anyhow: `Attention` is what specs call it, too.
    whole = [module for module in modules if module not in LIBRARY]
    taken = [n for module in whole for n in names_in(module) if n != SELF.name]
    taken += MORE_MODULES if {*modules} - PLAIN else ()
    taken += GENERATE if program.generates else ()
    return (*taken, *(EXTERN_BUILTINS if with_python else ()))


def _state_classes(program: ir.Program, module: Namespace) -> dict[str, str]:
    """The class of each kind of state, in the order of the spec."""
    variables = (v for d in program.definitions for v in declared(d.body))
    kinds = (v.kind for v in variables if isinstance(v, ir.Variable) and v.state)
    return {
        kind: f"nnx.{kind}" if kind in OF_FLAX else module.give(kind)
        for kind in dict.fromkeys(kinds)
    }


def _config_names(
    program: ir.Program, module: Namespace, shared: set[str]
) -> dict[str, str]:
    """A Config for each model with more than three parameters, with configs or weights; for
    those whose blocks share it."""
    named = {c.model for c in program.configs} | {w.model for w in program.weights}
    named |= {g.model for g in program.generates} | shared
    wanted = [
        d.name
        for d in program.definitions
        if d.is_model and (len(d.params) > 3 or d.name in named)
    ]
    if len(wanted) == 1:
        return {wanted[0]: "Config"}
    return {name: module.give(f"{name}Config") for name in wanted}


def _signature(
    definition: ir.Definition,
    model: ir.Definition,
    name: str,
    cfg: str | None,
    output: str | None,
    sizes: Sequence[Dim],
    precision: str | None,
    known: Mapping[str, Signature],
    reserved: frozenset[str],
) -> Signature:
    inputs = Namespace(["rngs", *reserved])
    attributes = Namespace([*ATTRIBUTES, *DTYPES])
    return Signature(
        definition,
        name,
        cfg if model is definition else None,
        cfg,
        _arguments(definition, model, reserved),
        {i.name: inputs.give(i.name) for i in definition.inputs},
        {item.name: attributes.give(item.name) for item in _unique(definition)},
        {size: attributes.give(attribute(size)) for size in sizes},
        _draws(definition, known),
        definition.is_model or any(random(i, known) for i in _unique(definition)),
        _has_dtype(definition, known),
        any(_has_param_dtype(i, known) for i in _unique(definition)),
        precision if cfg and _has_dtype(definition, known) else None,
        any(_stateful(i, known) for i in _unique(definition)),
        any(_weighs(stmt, known) for stmt in definition.body),
        any(has_cache(i, known) for i in _unique(definition)),
        sized(
            definition,
            {name: callee.sized for name, callee in known.items()},
            {name: callee.definition for name, callee in known.items()},
        ),
        output,
    )


def _arguments(
    definition: ir.Definition, model: ir.Definition, reserved: frozenset[str]
) -> dict[str, str]:
    """What parameters and inferred sizes are called; those of the model's Config as it has them."""
    names = Namespace(["rngs", *DTYPES, "dtypes", "cfg", *reserved])
    known = {p.name: names.give(p.name) for p in model.params}
    own = [p.name for p in definition.params if p.name not in known]
    known |= {name: names.give(name) for name in own}
    inferred = {n: names.give(*axis_names(n)) for n in definition.inferred}
    return {p.name: known[p.name] for p in definition.params} | inferred


def _unique(definition: ir.Definition) -> list[ir.Layer | ir.Variable]:
    return list({item.name: item for item in declared(definition.body)}.values())


def random(item: ir.Layer | ir.Variable, known: Mapping[str, Signature]) -> bool:
    """Whether making it takes random numbers."""
    if isinstance(item, ir.Variable):
        return _begins_at_random(item)
    if isinstance(item.callee, Op):
        return item.callee.takes_rngs
    return known[item.callee].takes_rngs


def _begins_at_random(var: ir.Variable) -> bool:
    """Whether a variable is initialised at random."""
    if isinstance(var.init, ir.Initializer):
        return var.init.op.name not in ("zeros", "ones", "constant")
    if not isinstance(var.init, ir.Expr):
        return False
    return any(isinstance(part, ir.OpCall) and part.stream for part in walk(var.init))


def _stateful(item: ir.Layer | ir.Variable, known: Mapping[str, Signature]) -> bool:
    return item.state if isinstance(item, ir.Variable) else has_state(item, known)


def has_state(layer: ir.Layer, known: Mapping[str, Signature]) -> bool:
    """Whether applying a layer in training changes it."""
    if isinstance(layer.callee, str):
        return known[layer.callee].has_state
    return any(w.state for w in layer.weights.values())


def has_cache(item: ir.Layer | ir.Variable, known: Mapping[str, Signature]) -> bool:
    """Whether a layer keeps what it has seen of a sequence."""
    if isinstance(item, ir.Variable):
        return False
    if isinstance(item.callee, str):
        return known[item.callee].has_cache
    helper = item.callee.helper
    return helper is not None and STEPWISE in helper.needs


def _weighs(stmt: ir.Stmt, known: Mapping[str, Signature]) -> bool:
    """Whether a statement makes a variable on every way through the constructor."""
    match stmt:
        case ir.Variable():
            return True
        case ir.Declare(layer):
            return always_weighs(layer, known)
    return False


def always_weighs(layer: ir.Layer, known: Mapping[str, Signature]) -> bool:
    """Whether a layer has variables whatever its arguments."""
    if isinstance(layer.callee, str):
        return known[layer.callee].has_weights
    return any(w.when is None for w in layer.weights.values())


def may_weigh(layer: ir.Layer, known: Mapping[str, Signature]) -> bool:
    """Whether a layer has variables for some arguments."""
    if isinstance(layer.callee, str):
        return known[layer.callee].takes_param_dtype or known[layer.callee].has_weights
    return bool(layer.weights)


def is_scanned(
    layer: ir.Layer, known: Mapping[str, Signature], options: Options
) -> bool:
    """Whether a stack has stacked weights."""
    return options.stack == "scan" and not unscanned(layer, known, options)


def unscanned(
    layer: ir.Layer, known: Mapping[str, Signature], options: Options
) -> str | None:
    """Why a layer is no stack that a scan can run; None where it is."""
    if layer.count is None:
        return "it is no stack"
    if not always_weighs(layer, known):
        return "a scan needs weights to run over, and these layers may have none"
    if options.interface == "tunix" and has_cache(layer, known):
        return "Tunix keeps the caches of layers by their names"
    return None


def class_name(layer: ir.Layer, known: Mapping[str, Signature]) -> str | None:
    """The class of (each of) a layer; None where it has no name."""
    if isinstance(layer.callee, str):
        return known[layer.callee].name
    match layer.callee.build_for(dict(layer.args)):
        case Call(target, around=around) if "{" not in target:
            return target if around == "{}" else around.split("(")[0]
    return None


def _draws(definition: ir.Definition, known: Mapping[str, Signature]) -> Draws:
    found = Draws.NEVER
    for stmt in statements(definition.body):
        if isinstance(stmt, ir.Declare):
            found = max(found, layer_draws(stmt.layer, known))
        for expr in (e for top in expressions(stmt) for e in walk(top)):
            if isinstance(expr, ir.OpCall) and (expr.stream or expr.op.streams):
                found = Draws.ALWAYS
    return found


def layer_draws(layer: ir.Layer, known: Mapping[str, Signature]) -> Draws:
    """Whether applying a layer draws."""
    if not isinstance(layer.callee, Op):
        return known[layer.callee].draws
    if not layer.callee.streams:
        return Draws.NEVER
    return Draws.TRAINING if layer.callee.modes else Draws.ALWAYS


def _has_dtype(definition: ir.Definition, known: Mapping[str, Signature]) -> bool:
    """Whether the activations' dtype matters inside."""
    for stmt in statements(definition.body):
        match stmt:
            case ir.Declare(ir.Layer(callee=Op() as op)) if op.dtype_aware:
                return True
            case ir.Declare(ir.Layer(callee=str() as name)) if known[name].takes_dtype:
                return True
            case ir.Variable(type=type_) if type_.dtype == "float":
                return True
        for expr in (e for top in expressions(stmt) for e in walk(top)):
            if _asks_dtype(expr):
                return True
    return False


def _asks_dtype(expr: ir.Expr) -> bool:
    match expr:
        case ir.OpCall(op, args=args):
            asked = dict(args).get(
                "dtype", ir.Literal("float" if op.dtype_aware else None)
            )
            return asked == ir.Literal("float")
        case ir.Cast(type=type_):
            return type_.dtype == "float"
    return False


def _has_param_dtype(
    item: ir.Layer | ir.Variable, known: Mapping[str, Signature]
) -> bool:
    """Whether the dtype of weights matters to a layer or variable."""
    if isinstance(item, ir.Variable):
        return item.type.dtype == "float" and not item.state
    if isinstance(item.callee, Op):
        return item.callee.dtype_aware
    return known[item.callee].takes_param_dtype
