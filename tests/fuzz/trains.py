"""Trains, and sections of weights, of random valid specs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hypothesis import strategies as st

from nnxc.syntax import tree, tree_weights

from .builder import Draw, ModelCase
from .trees import assign, call, chained, declare, literal, name

OPTIMIZERS = ("adam", "sgd", "adamw", "rmsprop", "lion", "muon")
SETTINGS = {
    "clip": (literal(1.0),),
    "accumulate": (literal(2),),
    "precision": (name("bf16"), name("f32")),
    "ema": (literal(0.99),),
}
EACH = ("mse", "mae", "huber", "log_cosh")
OF_ROWS = ("cross_entropy", "cosine_distance")
WEIGHTED = {"Linear", "Embed", "Conv", "LSTM", "GRU", "Attention"}


def train_of(
    draw: Draw, model: tree.Definition, case: ModelCase, plain: bool
) -> list[tree.Item]:
    """A train with the model's own inputs as batch and a loss over its outputs."""
    if not any(layers_of(model)):
        return []
    (inputs,) = (
        s for s in model.body if isinstance(s, tree.Declare) and s.keyword == "input"
    )
    given = [f for f in inputs.fields if f.default is None]
    taken = {f.name for f in given}
    if taken & {"model", "loss"} or "model" in {p.name for p in model.params}:
        return []  # a train gives these names itself
    fields = [(f.name, f.type, None) for f in given]
    assert case.outputs is not None
    targets = [f"out{i}" for i in range(len(case.outputs))]
    body: list[tree.Statement] = [
        declare("batch", *fields),
        applied("model", given, targets),
    ]
    terms = list(map(name, targets))
    rows = min(map(len, case.outputs)) > 1
    if draw(st.sampled_from([False, False, True])):
        old = [f"old{i}" for i in range(len(targets))]
        body.insert(0, tree.Frozen("teacher", model.name))
        body.append(applied("teacher", given, old))
        terms = [tree.Binary("-", t, name(o)) for t, o in zip(terms, old, strict=True)]
    parts = objectives(draw, model)
    if parts:
        body += [
            tree.Optimize(f"part{i}", (*learning(draw, terms, f"size{i}", rows), only))
            for i, only in enumerate(parts)
        ]
        body += settings(draw, "precision", "ema")
        return [tree.Train(model.name, tuple(body))]
    body += [
        *learning(draw, terms, "size", rows),
        *settings(draw, "precision", "ema"),
        *chosen(draw, model, plain),
    ]
    return [tree.Train(model.name, tuple(body))]


def applied(func: str, given: Sequence[tree.Field], targets: list[str]) -> tree.Assign:
    """`out0, out1 = model(x, y)`."""
    value = call(func, *(name(f.name) for f in given))
    return tree.Assign(tuple(map(name, targets)), "=", value)


def learning(
    draw: Draw, terms: list[tree.Expr], metric: str, rows: bool
) -> list[tree.Statement]:
    """A loss, an optimizer and what belongs to them; `rows`: whether all terms have rows."""
    kinds = ["mean", "mean", *EACH, *(OF_ROWS if rows else ())]
    loss = chained("+", (term(draw, value, kinds) for value in terms))
    optimizer = call(draw(st.sampled_from(OPTIMIZERS)), 1e-3)
    metrics = []
    if draw(st.booleans()):
        metrics.append(tree.Metric(metric, call("mean", terms[-1])))
    return [
        assign("loss", loss),
        *metrics,
        assign("optimizer", optimizer),
        *settings(draw, "clip", "accumulate"),
    ]


def objectives(draw: Draw, model: tree.Definition) -> list[tree.Select]:
    """What each of two optimizers trains, where two layers have names."""
    named = list(dict.fromkeys(n.name for n in layers_of(model) if n.name))
    if len(named) < 2 or draw(st.booleans()):
        return []
    return [tree.Select("only", (name(text),)) for text in named[:2]]


def term(draw: Draw, value: tree.Expr, kinds: list[str]) -> tree.Expr:
    """`mean(value**2)`, or a loss of the library between the value and another."""
    squares = tree.Binary("**", value, literal(2))
    match draw(st.sampled_from(kinds)):
        case "mean":
            return call("mean", squares)
        case "cross_entropy":
            labels = call("argmax", value, axis=-1)
            logits = tree.Binary("*", value, literal(2))  # no probabilities
            return call("cross_entropy", logits, labels)
        case kind:
            return call(kind, value, squares)


def settings(draw: Draw, *names: str) -> Iterator[tree.Statement]:
    """Some settings."""
    for text in names:
        if draw(st.booleans()):
            yield assign(text, draw(st.sampled_from(SETTINGS[text])))


def chosen(draw: Draw, model: tree.Definition, plain: bool) -> Iterator[tree.Statement]:
    """Which weights train: those of a layer, all but those, or its adapter."""
    named = [n for n in layers_of(model) if n.name]
    if not named or draw(st.booleans()):
        return
    layer = draw(st.sampled_from(named))
    match draw(st.sampled_from(["freeze", "only", "adapt"])):
        case "adapt" if plain and layer.kind == "Linear":
            adapter = call("lora", rank=2, alpha=4)
            yield tree.Adapt(adapter, (name(layer.name),))
        case "only":
            yield tree.Select("only", (name(layer.name),))
        case "freeze" if len(list(layers_of(model))) > 1:
            yield tree.Select("freeze", (name(layer.name),))


class Layer:
    """A layer that a model always has: its kind, and its name where it has one."""

    def __init__(self, kind: str, text: str) -> None:
        self.kind, self.name = kind, text


def layers_of(model: tree.Definition) -> Iterator[Layer]:
    """The layers with weights that stand in the body itself, one behind the other."""
    for statement in model.body:
        match statement:
            case tree.Assign(value=tree.Pipe(stages=stages)):
                for stage in stages:
                    match stage.value:
                        case tree.Named(
                            value=tree.Call(func=tree.Name(id=kind)), name=text
                        ):
                            if kind in WEIGHTED:
                                yield Layer(kind, text)
                        case tree.Call(func=tree.Name(id=kind)) if kind in WEIGHTED:
                            yield Layer(kind, "")


def weights_of(draw: Draw, model: tree.Definition) -> list[tree.Item]:
    """A section of weights: a rule, layers that depart from it, parameters in `config.json`."""
    rule = tree.String(draw(st.sampled_from(["{path}", "net.{path}"])))
    lines: list[tree_weights.WeightsLine] = []
    for param in model.params:
        plain = isinstance(param.default, (tree.Number, tree.Constant, tree.String))
        if plain and draw(st.booleans()):
            text = param.name
            key: tree.Expr | None = tree.String(f"{text}_key")
            if getattr(param.default, "value", 0) is None or draw(st.booleans()):
                key = tree.Binary("or", tree.String(f"{text}_key"), name(text))
            elif draw(st.booleans()):
                key = None
            lines.append(tree_weights.Read((name(text),), (key,), tree.NO_TRIVIA))
        if plain and draw(st.booleans()):
            said = tree.String(f"{param.name}_said"), name(param.name)
            lines.append(tree_weights.Write((said,), tree.NO_TRIVIA))
    for text in dict.fromkeys(n.name for n in layers_of(model) if n.name):
        if draw(st.booleans()):
            stored = tree.String(f"stored.{text}")
            lines.append(tree_weights.Stored((name(text),), (stored,), tree.NO_TRIVIA))
    names = [tree.String(text) for text in ("net", "NetForCausalLM")]
    known = tuple(names[: draw(st.integers(0, 2))])
    return [tree.Weights(model.name, known, rule, tuple(lines), tree.NO_TRIVIA)]
