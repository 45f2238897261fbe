"""Plans how a model's weights come from checkpoints and go there."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator

from .. import ir
from ..ir.fold_statements import declared
from ..ir.fold_static import mentions
from ..ops.base import Kind
from ..ops.functions.activations import ACTIVATION
from ..record import Record
from .options import Options
from .python import text as t
from .python.free_names import bound_name
from .python.names import snake
from .python.scope import Scope
from .python.static_text import static, static_call
from .python.text import Text
from .signature import Names, Signature, is_scanned

_NUMBER = re.compile(r"\{(=?)(\d+)\+?(\d*)\}")


class WeightsView(Record):
    """One section of weights, as the template writes it."""

    model: str  # its class
    config: str  # its Config
    table: str
    rows: tuple[str, ...]
    read: str
    reads: bool  # whether there is anything to say of `config.json`
    settings: str  # keywords of the Config
    assumed: str  # what other keys may be
    rates: str  # parameters of the Config
    keys: str  # that are read, or do not matter
    load: str
    parameters: str
    arguments: str
    dtypes: str  # keywords of `replace(cfg)`
    ignored: str
    renamed: str
    save: str
    saved: str  # a model that has the weights alone


def weights_view(
    section: ir.Weights, names: Names, options: Options, several: bool, adapted: bool
) -> WeightsView:
    """Decide everything about one section that the template writes."""
    signature = names.signatures[section.model]
    suffix = f"_{snake(section.model)}" if several else ""
    give = names.module.give
    inferred = [signature.arguments[n] for n in signature.definition.inferred]
    assert signature.config is not None
    switches = [p.name for p in signature.definition.params if p.kind is Kind.BOOL]
    settings = [
        f"{signature.arguments[name]}={_recorded(value, signature, name in switches)}"
        for name, value in section.config
    ]
    return WeightsView(
        model=signature.name,
        config=signature.config,
        table=give(f"STORED{suffix.upper()}"),
        rows=tuple(_row(row, signature, names, options) for row in section.rows),
        read=give(f"read_config{suffix}"),
        reads=section.reads,
        settings=", ".join(settings),
        assumed=_assumed(section, signature),
        rates=_rates(signature),
        keys=t.literal(_read(section)).text,
        load=give(f"load_pretrained{suffix}"),
        parameters=_parameters(section, signature, inferred),
        arguments=", ".join([*inferred, "cfg", "rngs=rngs"]),
        dtypes=", ".join(f"{name}=dtype" for name in signature.dtypes),
        ignored=t.tuple_of([t.quoted(glob) for glob in section.ignored]).text,
        renamed=_renamed(section).text,
        save=give(f"save_pretrained{suffix}"),
        saved="merge_adapters(model)" if adapted else "model",
    )


def _renamed(section: ir.Weights) -> Text:
    """Names that a file may have, each with the one that is meant."""
    prefix = section.optional
    return t.literal((*section.renamed, *([("*", f"{prefix}*")] if prefix else [])))


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
    keywords.append("sharding: Placement = None")
    return ", ".join(["path: str | Path", cfg, "*", *keywords])


# ------------------------------------------------------------------------- rows


def _row(row: ir.Row, root: Signature, names: Names, options: Options) -> str:
    found = [_Path(path, root, names, options) for path in row.paths]
    order = found[0].positions
    tensors = " ".join(_renumbered(name, order) for name in row.names)
    named = (
        _computed(row, tensors, len(order), root) if row.holes else t.quoted(tensors)
    )
    args = [t.quoted(" ".join(p.text for p in found)), named]
    if row.tensor:
        axes = [t.tuple_of([str(a) for a in group]).text for group in row.tensor.axes]
        args.append(t.tuple_of(axes).text)
        args += ["flip=True"] if row.tensor.flipped else []
    join = row.join.replace("stack", "")  # its tensors are positions
    args += [f'join="{join}"'] if join else []
    args += [f"axis={row.axis}"] if row.axis and join else []
    stacked = sum(order) + (row.join == "stack")
    args += [f"stacked={stacked}"] if stacked else []
    return f"Stored({', '.join(args)})"


def _renumbered(name: str, scanned: list[bool]) -> str:
    """The positions of lists come first, then those of stacked weights."""
    if not any(scanned):
        return name
    order = sorted(range(len(scanned)), key=lambda i: scanned[i])
    new = {str(old): str(new) for new, old in enumerate(order)}
    return re.sub(r"(?<=\{)\d+", lambda m: new.get(m[0], m[0]), name)


def _computed(row: ir.Row, names: str, count: int, root: Signature) -> str:
    """A function of the model and of the positions that gives the names."""
    letters = [letter for letter in "ijklmn" if letter not in row.indices]
    positions = [*row.indices, *letters][: count + (row.join == "stack")]
    owner = bound_name("model", positions)
    asked: list[str] = []

    def symbol(name: str) -> str:
        if name in row.indices:
            return name
        asked.append(name)
        return f"{owner}.{root.arguments[name]}"

    def number(match: re.Match[str]) -> Text:
        if match[1]:
            return static(row.holes[int(match[2])], Scope(symbol))
        name = positions[int(match[2])]
        return Text(f"{name} + {match[3]}" if match[3] else name)

    parts: list[str | Text] = []
    end = 0
    for match in _NUMBER.finditer(names):
        parts += [names[end : match.start()], number(match)]
        end = match.end()
    text = t.formatted([*parts, names[end:]])
    given = ", ".join([owner if asked else "_", *positions])
    return f"lambda {given}: {text}"


def asked_of_model(section: ir.Weights) -> set[str]:
    """The parameters from which names of tensors are computed."""
    return {
        name
        for row in section.rows
        for hole in row.holes
        for name in mentions(hole) - {*row.indices}
    }


class _Path:
    """A path as Flax has it. `positions`: for each, whether it is an axis of stacked weights."""

    def __init__(
        self, path: ir.Path, root: Signature, names: Names, options: Options
    ) -> None:
        self.positions: list[bool] = []
        self.text = ".".join(self._parts(path, root, names, options))

    def _parts(
        self, path: ir.Path, root: Signature, names: Names, options: Options
    ) -> Iterator[str]:
        at: Signature | None = root
        scanned = False
        for index, part in enumerate(path):
            if part is None:
                last = index + 1 < len(path) and path[index + 1] is None
                self.positions.append(scanned and not last)
                if not self.positions[-1]:
                    yield "{}"
            elif isinstance(part, int):
                yield str(part)
            else:
                yield at.attributes.get(part, part) if at else part
                layer = _layer(at, part)
                scanned = bool(layer and is_scanned(layer, names.signatures, options))
                callee = layer.callee if layer else None
                at = names.signatures[callee] if isinstance(callee, str) else None


def _layer(at: Signature | None, name: str) -> ir.Layer | None:
    layers = declared(at.definition.body) if at else []
    return next((i for i in layers if isinstance(i, ir.Layer) and i.name == name), None)


# --------------------------------------------------------------------- settings


def _recorded(value: ir.Recorded, model: Signature, switch: bool = False) -> Text:
    match value:
        case ir.Key(path):
            return Text(f"given[{t.quoted(path)}]")
        case ir.Value(inner):
            return t.literal(inner)
        case ir.Default(name):
            return Text(f"{model.config}.{model.arguments[name]}")
        case ir.Computed(op, operands):
            return _computed_from(op, operands, model, switch)


def _assumed(section: ir.Weights, model: Signature) -> str:
    """By key, the values that it may have."""
    entries = (
        f"{t.quoted(key)}: {t.tuple_of([_recorded(v, model).text for v in values]).text}"
        for key, values in section.assumed
    )
    text = ", ".join(entries)
    return f"{{{text}}}" if text else ""


def _read(section: ir.Weights) -> list[str]:
    """The keys that are read, or do not matter."""
    values = [value for _, value in section.config]
    values += [value for _, several in section.assumed for value in several]
    read = (key for value in values for key in _mentioned(value))
    return list(dict.fromkeys((*read, *section.immaterial)))


def _mentioned(value: ir.Recorded) -> list[str]:
    match value:
        case ir.Key(path):
            return [path]
        case ir.Computed("or", (ir.Key(first), ir.Key(whole))) if _holds(whole, first):
            return [first]  # `"size"[0] or "size"`: no other entry of the list
        case ir.Computed("[]", (ir.Key(path), ir.Value(int() as at))):
            return [f"{path}.{at}"]  # from the end
        case ir.Computed(_, operands):
            return [key for operand in operands for key in _mentioned(operand)]
    return []


def _holds(whole: str, key: str) -> bool:
    """Whether a key is an entry of a list."""
    return key.startswith(f"{whole}.") and key[len(whole) + 1 :].isdigit()


def _computed_from(
    op: str, operands: tuple[ir.Recorded, ...], model: Signature, switch: bool
) -> Text:
    match operands:
        case (ir.Computed("or", (first, second)), third) if op == "or":
            rest = ir.Computed("or", (second, third))
            return _computed_from("or", (first, rest), model, switch)
    texts = [_recorded(o, model, switch and op == "or") for o in operands]
    match operands[0]:
        case ir.Key(path) if op in ("not", "if"):
            texts[0] = Text(f"given.on({t.quoted(path)})")
    if op == "or" and (said := _said(operands, texts, model, switch)):
        return said
    if op == "or" and (keys := _keys(operands[0])):
        known = [Text(f"{t.quoted(key)} in given", t.COMPARE) for key in keys]
        both = functools.reduce(functools.partial(t.binary, "and"), known)
        return t.ternary(both, *texts)
    if op == "if":
        return t.ternary(*texts)
    if op == ",":
        return t.tuple_of([text.text for text in texts])
    if op == "listed":
        is_list = Text(f"isinstance(one := {texts[0]}, tuple)")
        many = Text(f"(one,) * {texts[1].at(t.MULTIPLY)}", t.MULTIPLY)
        return t.ternary(is_list, Text("one"), many)
    if op == "[]":
        return Text(f"{texts[0].at(t.ATOM)}[{texts[1].text}]")
    if op == "not":
        return Text(f"not {texts[0].at(t.NOT)}", t.NOT)
    if op in ("or", "and") or not op.isidentifier():
        return t.binary(op, *texts)
    return static_call(op, [text.text for text in texts])


def _said(
    operands: tuple[ir.Recorded, ...], texts: list[Text], model: Signature, switch: bool
) -> Text | None:
    """`key or rest` where null is a value: it is no switch, and no default of the model."""
    keys, default = _alternatives(ir.Computed("or", operands))
    plain = isinstance(operands[1], ir.Value | ir.Default)
    match operands[0]:
        case ir.Key() if plain or (keys and not switch):
            return _either(keys, _recorded(default, model))
        case ir.Key(path) if switch:
            held = _either([path], Text("None"))
        case ir.Computed(ACTIVATION.name, (ir.Key(path),)) if plain:
            held = static_call(ACTIVATION.name, [_either([path], Text("None")).text])
        case _:
            return None
    return t.ternary(Text(f"given.says({t.quoted(path)})"), held, texts[1])


def _alternatives(value: ir.Recorded) -> tuple[list[str], ir.Recorded]:
    """The keys of `"a" or "b" or 1`, and what is at its end; no keys where that is another."""
    match value:
        case ir.Computed("or", (ir.Key(path), ir.Value() | ir.Default() as default)):
            return [path], default
        case ir.Computed("or", (ir.Key(path), rest)):
            keys, end = _alternatives(rest)
            return [path, *keys] if keys else [], end
    return [], value


def _either(keys: list[str], default: Text) -> Text:
    shown = ", ".join(map(t.quoted, keys))
    return Text(f"given.either({shown}, default={default.text})")


def _rates(signature: Signature) -> str:
    """The attributes of a Config that are from 0 to 1."""
    params = signature.definition.params
    found = [signature.arguments[p.name] for p in params if p.bounds == (0, 1)]
    return t.literal(found).text if found else ""


def _keys(value: ir.Recorded) -> list[str]:
    """The keys without which a value cannot be computed."""
    match value:
        case ir.Key(path):
            return [path]
        case ir.Computed(op, operands) if op not in ("or", "if"):
            return list(dict.fromkeys(key for o in operands for key in _keys(o)))
    return []
