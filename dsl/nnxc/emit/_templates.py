"""The templates as functions. Made from templates/*.j2 by `python -m nnxc.emit.templates`."""

from __future__ import annotations

from typing import Any


def class_(view: Any) -> str:
    """class.py.j2."""
    out: list[str] = []
    out.append("class ")
    out.append(view.name)
    out.append('(nnx.Module):\n    """')
    out.append(view.doc)
    out.append('"""\n')
    for method in view.methods:
        out.append("\n    ")
        out.append(method.head)
        out.append("\n")
        for line in method.body:
            out.append(line)
            out.append("\n")
    return "".join(out)


def config(view: Any) -> str:
    """config.py.j2."""
    out: list[str] = []
    out.append("@dataclass(frozen=True, kw_only=True)\nclass ")
    out.append(view.name)
    out.append(':\n    """')
    out.append(view.doc)
    out.append('"""\n\n')
    for field in view.fields:
        out.append("    ")
        out.append(field.text)
        out.append("\n")
    return "".join(out)


def module(view: Any) -> str:
    """module.py.j2."""
    out: list[str] = []
    out.append('"""')
    out.append(view.doc)
    out.append('"""\n')
    for group in view.imports:
        out.append("\n")
        for line in group:
            out.append(line)
            out.append("\n")
    for part in view.parts:
        out.append("\n\n")
        out.append(part)
        out.append("\n")
    return "".join(out)


def presets(view: Any) -> str:
    """presets.py.j2."""
    out: list[str] = []
    for line in view.lines:
        out.append(line)
        out.append("\n")
    return "".join(out)


def train(train: Any) -> str:
    """train.py.j2."""
    out: list[str] = []
    out.append(train.tx)
    out.append(" = ")
    out.append(train.transformation)
    out.append("\n")
    if train.selection:
        out.append(train.trainable)
        out.append(" = ")
        out.append(train.selection)
        out.append("\n")
    out.append("\n\ndef ")
    out.append(train.create_model.name)
    out.append("(")
    out.append(train.create_model.parameters)
    out.append(") -> ")
    out.append(train.model)
    out.append(":\n    return ")
    out.append(train.model)
    out.append("(")
    out.append(train.create_model.arguments)
    out.append(")\n\n\ndef ")
    out.append(train.create_optimizer)
    out.append("(model: ")
    out.append(train.model)
    out.append(") -> nnx.Optimizer[")
    out.append(train.model)
    out.append("]:\n    return nnx.Optimizer(model, ")
    out.append(train.tx)
    out.append(", wrt=")
    out.append(train.wrt)
    out.append(")\n")
    if train.decay:
        out.append("\n\ndef ")
        out.append(train.create_ema)
        out.append("(model: ")
        out.append(train.model)
        out.append(") -> nnx.EMA:\n    return nnx.EMA(model, ")
        out.append(train.decay)
        out.append(", only=")
        out.append(train.wrt)
        out.append(")\n")
    if train.streams:
        out.append("\n\ndef ")
        out.append(train.create_rngs)
        out.append("(seed: int = 1) -> nnx.Rngs:\n    return nnx.Rngs(")
        out.append(train.streams)
        out.append(")\n")
    out.append("\n\n")
    out.append(train_step(train))
    return "".join(out)


def train_step(train: Any) -> str:
    """train_step.py.j2."""
    out: list[str] = []
    out.append("def ")
    out.append(train.loss_fn.name)
    out.append("(")
    out.append(train.loss_fn.parameters)
    out.append(
        ') -> tuple[jax.Array, dict[str, jax.Array]]:\n    """The loss of a batch, and its metrics."""\n'
    )
    for line in train.loss.lines:
        out.append("    ")
        out.append(line)
        out.append("\n")
    out.append("    return ")
    out.append(train.loss.result)
    out.append(", ")
    out.append(train.loss.metrics)
    out.append("\n\n\n@nnx.jit")
    if train.donated:
        out.append("(donate_argnames=")
        out.append(train.donated)
        out.append(")")
    out.append("\ndef ")
    out.append(train.train_step.name)
    out.append("(")
    out.append(train.train_step.parameters)
    out.append(
        ') -> tuple[jax.Array, dict[str, jax.Array]]:\n    """Take one step; the objects change in place."""\n'
    )
    if train.split:
        out.append("    graphdef, params, rest = nnx.split(model, ")
        out.append(train.wrt)
        out.append(", ...)\n\n    def ")
        out.append(train.split.name)
        out.append("(")
        out.append(train.split.parameters)
        out.append(
            ") -> tuple[jax.Array, dict[str, jax.Array]]:\n        model = nnx.merge(graphdef, params, rest)\n        return "
        )
        out.append(train.loss_fn.name)
        out.append("(")
        out.append(train.train_step.arguments)
        out.append(")\n\n    grad_fn = nnx.value_and_grad(")
        out.append(train.split.name)
        out.append(", has_aux=True)\n    (loss, metrics), grads = grad_fn(")
        out.append(train.split.arguments)
        out.append(")\n")
    else:
        out.append("    grad_fn = nnx.value_and_grad(")
        out.append(train.loss_fn.name)
        out.append(", has_aux=True)\n    (loss, metrics), grads = grad_fn(")
        out.append(train.train_step.arguments)
        out.append(")\n")
    out.append("    optimizer.update(model, grads)\n")
    if train.decay:
        out.append("    ema.update(model)\n")
    out.append("    return loss, metrics\n\n\n@nnx.jit\ndef ")
    out.append(train.eval_step.name)
    out.append("(")
    out.append(train.eval_step.parameters)
    out.append(
        ') -> tuple[jax.Array, dict[str, jax.Array]]:\n    """Loss and metrics of the model as it is used, not as it is trained."""\n'
    )
    if train.modes:
        out.append("    model = nnx.view(model, ")
        out.append(train.modes)
        out.append(")\n")
    out.append("    return ")
    out.append(train.loss_fn.name)
    out.append("(")
    out.append(train.eval_step.arguments)
    out.append(")\n")
    return "".join(out)


def trainer() -> str:
    """trainer.py.j2."""
    out: list[str] = []
    out.append(
        'class Trainer:\n    """Takes steps without Flax\'s cost per call: `Trainer(train_step, model, optimizer, ...)`.\n\n    The arrays live here, donated from step to step; `sync` puts them into the objects.\n    """\n\n    def __init__(self, train_step: Callable[..., Any], *objects: Any) -> None:\n        self.objects = objects\n        graphdef, state = nnx.split(objects)\n        self.leaves, self.treedef = jax.tree.flatten(state)\n\n        @partial(jax.jit, donate_argnums=0)\n        def run(leaves: list[jax.Array], *batch: jax.Array) -> Any:\n            objects = nnx.merge(graphdef, jax.tree.unflatten(self.treedef, leaves))\n            result = train_step(*objects, *batch)\n            return result, jax.tree.leaves(nnx.state(objects))\n\n        self.run = run\n\n    def step(self, *batch: jax.Array) -> tuple[jax.Array, dict[str, jax.Array]]:\n        """Take one step, as `train_step` does."""\n        result, self.leaves = self.run(self.leaves, *batch)\n        return result\n\n    def sync(self) -> None:\n        """Bring the objects up to date, to evaluate or save them."""\n        nnx.update(self.objects, jax.tree.unflatten(self.treedef, self.leaves))\n'
    )
    return "".join(out)
