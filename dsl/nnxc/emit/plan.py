"""From a checked program to views: which classes, fields and lines there will be."""

from __future__ import annotations

from collections.abc import Iterable

from .. import ir
from ..shapes import ListType, Outputs, TensorType
from .calls.call import call_body
from .constructor.ctor import OWN_DTYPE, constructor
from .constructor.requires import config_checks
from .options import Options
from .python.docs import class_doc
from .python.labels import Labels
from .python.line_uses import OwnDtype
from .python.names import fields as fields_of
from .python.scope import Scope
from .python.static_text import static
from .python.suites import Line, all_uses, flatten
from .signature import Draws, Names, Signature
from .view import ClassView, ConfigView, FieldView, MethodView, OutputView, PresetsView

_DTYPE = "jax.typing.DTypeLike"


def class_view(
    definition: ir.Definition,
    program: ir.Program,
    names: Names,
    options: Options,
    wanted: Iterable[str] = (),
    keeps_dtype: bool = False,
) -> ClassView:
    """The class of a definition; `wanted` are parameters that others ask its objects for."""
    signature = names.signatures[definition.name]
    body, stores = call_body(signature, names, options, wanted)
    if keeps_dtype or OwnDtype() in all_uses(body):
        stores[OWN_DTYPE] = "dtype"
    init = constructor(signature, names, stores, options)
    methods = [MethodView(_call_head(signature, names), tuple(flatten(body, 2)))]
    arguments = _arguments(signature, names)
    if init or arguments:
        lines = tuple(flatten(init, 2)) or ("        pass",)
        methods.insert(0, MethodView(_init_head(arguments), lines))
    return ClassView(
        signature.name, class_doc(signature, program, names), tuple(methods)
    )


def _init_head(arguments: str) -> str:
    return f"def __init__(self{', ' if arguments else ''}{arguments}):"


def _arguments(signature: Signature, names: Names) -> str:
    definition = signature.definition
    parts = [f"{signature.arguments[n]}: int" for n in definition.inferred]
    keywords = []
    if signature.config:
        parts.append(f"cfg: {signature.config}")
    elif signature.cfg:
        parts = [f"cfg: {signature.cfg}", *parts]
    else:
        keywords = [f.text for f in dtype_fields(signature)]
    params = [p for p in definition.params if p.name not in signature.fields]
    parts += [_field(signature, p, names).text for p in params]
    keywords += ["rngs: nnx.Rngs"] if signature.takes_rngs else []
    return ", ".join(parts + (["*", *keywords] if keywords else []))


def _call_head(signature: Signature, names: Names) -> str:
    definition = signature.definition
    ordered = sorted(definition.inputs, key=lambda i: i.optional)
    parts = ["self"]
    for item in ordered:
        optional = " | None = None" if item.optional else ""
        parts.append(f"{signature.inputs[item.name]}: jax.Array{optional}")
    match signature.draws:
        case Draws.TRAINING:
            parts += ["*", "rngs: nnx.Rngs | None = None"]
        case Draws.ALWAYS:
            parts += ["*", "rngs: nnx.Rngs"]
    returned = _python_type(definition.result, names)
    return f"def __call__({', '.join(parts)}) -> {returned}:"


def _python_type(type_: ir.Type, names: Names) -> str:
    match type_:
        case TensorType():
            return "jax.Array"
        case ListType():
            return "list[jax.Array]"
        case Outputs(owner=owner):
            return str(names.signatures[owner].output)
    return f"tuple[{', '.join(_python_type(t, names) for t in type_)}]"


def output_view(signature: Signature, names: Names) -> OutputView | None:
    """The class of the outputs of a definition, where they have names."""
    outputs = signature.definition.named
    if outputs is None:
        return None
    labels = Labels(signature.definition)
    lines = [
        Line(f"{name}: {_python_type(type_, names)}", comment=_comment(type_, labels))
        for name, type_ in zip(fields_of(outputs.names), outputs, strict=True)
    ]
    doc = f"What {signature.name} returns."
    return OutputView(str(signature.output), doc, tuple(flatten(lines, 1)))


def _comment(type_: ir.Type, labels: Labels) -> str:
    match type_:
        case TensorType():
            return labels.shape(type_)
        case ListType(element):
            return f"each {labels.shape(element)}"
        case Outputs():
            return ""
    return ", ".join(labels.types(part) for part in type_)


def fields(signature: Signature, names: Names) -> list[FieldView]:
    """The parameters of a definition, as arguments or fields of its Config."""
    return [_field(signature, p, names) for p in signature.definition.params]


def _field(signature: Signature, param: ir.Parameter, names: Names) -> FieldView:
    kind = names.types[signature.definition.name, param.name]
    return FieldView(signature.arguments[param.name], kind, _default(param))


def dtype_fields(signature: Signature) -> list[FieldView]:
    """The dtypes that a class takes; where trains ask for one, its Config may say nothing."""
    either = FieldView("dtype", f"{_DTYPE} | None", "None")
    given = [FieldView(name, _DTYPE, "jnp.float32") for name in signature.dtypes]
    return [either if signature.precision and f.name == "dtype" else f for f in given]


def _default(param: ir.Parameter) -> str:
    return "" if param.default is None else static(param.default, Scope()).text


def config_view(signature: Signature, names: Names) -> ConfigView:
    """The Config of a model."""
    assert signature.config is not None
    all_fields = fields(signature, names) + dtype_fields(signature)
    doc = f"Hyperparameters of {signature.name}."
    checks = tuple(flatten(config_checks(signature, names), 2))
    return ConfigView(signature.config, doc, tuple(all_fields), checks)


def presets_view(program: ir.Program, names: Names) -> PresetsView:
    """The constants of the configs."""
    lines = []
    for config in program.configs:
        signature = names.signatures[config.model]
        args = ", ".join(
            f"{signature.arguments[n]}={static(v, Scope())}" for n, v in config.args
        )
        lines.append(f"{names.presets[config.name]} = {signature.config}({args})")
    return PresetsView(tuple(lines))
