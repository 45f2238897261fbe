"""Trains, and sections of weights, of random valid specs."""

from __future__ import annotations

from collections.abc import Iterator

from hypothesis import strategies as st

from nnxc.syntax import tree

from .builder import Draw, ModelCase
from .trees import assign, call, declare, literal, name

OPTIMIZERS = ("adam", "sgd", "adamw", "rmsprop", "lion")
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
    fields = [(f.name, f.type, None) for f in given]
    outputs: tree.Expr = call("model", *(name(f.name) for f in given))
    body: list[tree.Statement] = [declare("batch", *fields)]
    assert case.outputs is not None
    if len(case.outputs) > 1:
        targets = tuple(name(f"out{i}") for i in range(len(case.outputs)))
        body.append(tree.Assign(targets, "=", outputs))
        losses = [squared(t) for t in targets]
        loss = losses[0]
        for other in losses[1:]:
            loss = tree.Binary("+", loss, other)
    else:
        loss = squared(outputs)
    body.append(assign("loss", loss))
    optimizer = call(draw(st.sampled_from(OPTIMIZERS)), 1e-3)
    body += [
        assign("optimizer", optimizer),
        *settings(draw),
        *chosen(draw, model, plain),
    ]
    return [tree.Train(model.name, tuple(body))]


def squared(value: tree.Expr) -> tree.Expr:
    """`mean(value**2)`."""
    return call("mean", tree.Binary("**", value, literal(2)))


def settings(draw: Draw) -> Iterator[tree.Statement]:
    """Some settings."""
    precision = name(draw(st.sampled_from(["bf16", "f32"])))
    values = {
        "clip": literal(1.0),
        "accumulate": literal(2),
        "precision": precision,
        "ema": literal(0.99),
    }
    for text, value in values.items():
        if draw(st.booleans()):
            yield assign(text, value)


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
    """A section of weights, by the rule alone."""
    rule = tree.String(draw(st.sampled_from(["{path}", "net.{path}"])))
    return [tree.Weights(model.name, rule, (), tree.NO_TRIVIA)]
