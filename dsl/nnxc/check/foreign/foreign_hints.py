"""Arguments and names of other libraries that nothing here is called like: what does the same."""

from __future__ import annotations

from typing import Final

_FORM: Final = "a form per element may be weighed: `mean(w * {each}(...))`"
_LAYERS: Final = (
    "write each as a layer: `x -> {name}(n) as first -> {name}(n) as second`"
)

ARGUMENTS: Final[dict[str, dict[str, str]]] = {
    "loss": {
        "axis": "it goes over the last axis: leave it out",
        "class_weight": "",
        "dim": "it goes over the last axis: leave it out",
        "from_logits": "it takes logits: leave the `softmax` or `sigmoid` before it out",
        "ignore_index": "say what counts: `where=labels != 0`",
        "mask": "say what counts: `where=mask`",
        "pos_weight": "",
        "reduction": "it is the mean; `sum` and `mean` take a form per element",
        "sample_weight": "",
        "size_average": "it is the mean: leave it out",
        "weight": "",
        "weights": "",
    },
    "layer": {
        "activation": "an activation stands behind it: `-> relu`",
        "activity_regularizer": "add what is to be small to the loss",
        "bias_regularizer": "weights decay by the optimizer: `adamw(1e-3, weight_decay=0.01)`",
        "bidirectional": "join two: `(LSTM(n) | LSTM(n, reverse=true)) -> concat(axis=-1)`",
        "dropout": "a layer of its own drops: `-> Dropout(0.1)`",
        "dropout_rate": "a layer of its own drops: `-> Dropout(0.1)`",
        "kernel_constraint": "weights have no constraints",
        "kernel_regularizer": "weights decay by the optimizer: `adamw(1e-3, weight_decay=0.01)`",
        "key_padding_mask": "`mask` is true for what is seen: `mask=keep[:, none, none]`",
        "mask_zero": "give what follows a mask: `mask=ids != 0`",
        "max_norm": "weights have no constraints",
        "num_layers": _LAYERS,
        "padding_mode": "`pad(x, ..., mode=...)` stands before it",
        **dict.fromkeys(
            ("weight", "tie", "tied", "tied_to", "shared", "kernel"),
            "weights are shared where a layer is applied again; an `Embed` by `x -> embed.attend`",
        ),
        "proj_size": "a layer behind it projects: `-> Linear(n)`",
        "recurrent_dropout": "a layer of its own drops: `-> Dropout(0.1)`",
        "return_sequences": "it gives every step; the last is `y[:, -1]`",
        "return_state": "`.run` gives every step and the last state",
        "weight_decay": "weights decay by the optimizer: `adamw(1e-3, weight_decay=0.01)`",
        "output_size": "a layer behind it changes the size: `-> Linear(n)`",
    },
    "optimizer": {
        "amsgrad": "it is an optimizer of its own: `amsgrad(1e-3)`",
        "clipnorm": "a line of the train says it: `clip = 1.0`",
        "clip_norm": "a line of the train says it: `clip = 1.0`",
        "global_clipnorm": "a line of the train says it: `clip = 1.0`",
        "decay": "a schedule stands for the rate: `adam(cosine(1e-3, 10_000))`",
        "lr_decay": "a schedule stands for the rate: `adam(cosine(1e-3, 10_000))`",
        "dampening": "momentum has none here",
        "ema": "a line of the train says it: `ema = 0.999`",
        "use_ema": "a line of the train says it: `ema = 0.999`",
        "momentum": "`sgd` has one; what Adam keeps of its gradients is `b1`",
        "weight_decay": "of its kind, `adamw` and `lion` have one",
        "mask": "a line of the train says it: `decays kernel, embedding`; `freeze` and `only` say what trains",
        "model": "`optimizer` is about the model of the train: leave it out",
    },
    "adapter": {
        "target_modules": "layers stand behind `on`: `adapt lora(rank=8) on q_proj, v_proj`",
        "lora_dropout": "adapters drop nothing",
        "dropout": "adapters drop nothing",
        "bias": "biases have no adapters",
        "task_type": "adapters know no tasks",
    },
    "function": {
        "align_corners": "`corners=true` keeps the outermost entries in place",
        "dropout_p": "a layer drops: `-> Dropout(0.1)`",
        "out": "the result has a name by `=`",
        "return_indices": "`argmax` gives places",
        "order": "write the powers, as in `sum(abs(x) ** 3) ** (1 / 3)`",
    },
}
"""By the group of the callee: an argument of others, and what does here what it does there."""


def argument(group: str, callee: str, name: str, each: str | None) -> str | None:
    """Help for an argument that nothing here is called like."""
    help = ARGUMENTS.get("function" if group == "metric" else group, {}).get(name)
    if help == "":
        help = (
            _FORM.format(each=each) if each else "losses may be weighed: `0.1 * loss`"
        )
    return help.format(name=callee) if help else None


NAMES: Final = {
    **dict.fromkeys(
        ("causal_mask", "create_mask", "generate_square_subsequent_mask"),
        "`causal=true` sees nothing later; `mask` is for the rest",
    ),
    **dict.fromkeys(
        ("make_causal_mask", "subsequent_mask", "look_ahead_mask"),
        "`causal=true` sees nothing later; `mask` is for the rest",
    ),
    "DepthwiseConv2D": "a convolution of each channel: `Conv(d, 3x3, groups=d)`",
    "EarlyStopping": "a loop of yours calls `train_step`, and stops when it likes",
    "GaussianNoise": "add a draw: `x + 0.1 * normal([B, d], rng=noise)`",
    "Identity": "what does nothing is left out, arrow and all",
    "PixelShuffle": '`rearrange("b h w (c p q) -> b (h p) (w q) c", p=2, q=2)`',
    "RepeatVector": "add an axis and stretch it: `broadcast(x[:, none], [B, 4, d])`",
    "Rescaling": "arithmetic needs no layer: `x / 255`",
    "SeparableConv2D": "two convolutions: `Conv(d, 3x3, groups=d)`, and `Conv(n, 1x1)`",
    "ZeroPad2d": "`pad(1, 1, axis=[1, 2])`",
    "ZeroPadding2D": "`pad(1, 1, axis=[1, 2])`",
    "cdist": "`norm(x[:, :, none] - y[:, none], axis=-1)` is each distance",
    "get_cosine_schedule_with_warmup": "`warmup_cosine(1e-3, warmup=100, steps=1000)`",
    "get_linear_schedule_with_warmup": "`warmup_linear(1e-3, warmup=100, steps=1000)`",
    **dict.fromkeys(
        ("isinstance", "type", "hasattr", "getattr", "callable", "id"),
        "what a parameter is follows from its use: leave it out",
    ),
    **dict.fromkeys(
        ("map", "filter", "iter", "next"),
        "a loop goes over a list: `for width in widths:`",
    ),
    **dict.fromkeys(
        ("layers", "blocks", "modules", "convs"),
        "a stack is `Block(...) * n`, applied as a whole; or a `for` makes each layer",
    ),
    **dict.fromkeys(
        ("dict", "set", "frozenset", "namedtuple", "dataclass"),
        "each value has a name of its own",
    ),
    **dict.fromkeys(
        ("sorted",), "a list keeps its order: write it in the one that is meant"
    ),
    **dict.fromkeys(
        ("str", "format", "repr", "f"), "a text stands as it is, in quotes"
    ),
    **dict.fromkeys(
        ("in_channels", "in_features", "input_size", "in_dim", "input_dim"),
        "sizes have names, in the shape of an input, or are inferred",
    ),
    "ACT2FN": "a parameter may be an activation: `model Net(act = gelu)`, `x -> act`",
    "Callback": "`Trainer` and `train_step` are generated: a loop of yours calls them",
    "DataLoader": "batches come from the loop that calls `train_step`",
    "Gemm": "`Linear(n)` is a matrix with a bias",
    "Model": "a model is a definition: `model Net(...):`",
    "Module": "a block is a definition: `block Name(...):`",
    "MultiHeadAttentionBlock": "a block of `Attention` and `Linear`, as in `nnxc new net --from vit`",
    "Param": "`param scale: [d] = zeros` declares weights",
    "PositionalEncoding": "`sinusoidal(n, d)` is a table; or learn one: `arange(T) -> Embed(n, d)`",
    "RNN": "`GRU`, `LSTM`, or a `scan` of your own",
    "SimpleRNN": "`GRU`, `LSTM`, or a `scan` of your own",
    "Transformer": "a block of `Attention` and `Linear`, stacked: `Block(heads) * n`",
    "TransformerBlock": "a block of `Attention` and `Linear`, stacked: `Block(heads) * n`",
    "TransformerDecoder": "a block of `Attention` and `Linear`, stacked: `Block(heads) * n`",
    "TransformerDecoderLayer": "a block of `Attention` and `Linear`, stacked: `Block(heads) * n`",
    "TransformerEncoder": "a block of `Attention` and `Linear`, stacked: `Block(heads) * n`",
    "TransformerEncoderLayer": "a block of `Attention` and `Linear`, stacked: `Block(heads) * n`",
    "DepthwiseConv": "a convolution of each channel: `Conv(d, 3x3, groups=d)`",
    "Residual": "a residual is `x += x -> f`",
    **dict.fromkeys(
        ("residual", "skip", "Skip", "SkipConnection", "shortcut"),
        "a residual is `x += x -> f`",
    ),
    "SwiGLU": "`((x -> Linear(n) -> silu) * (x -> Linear(n))) -> Linear(d)`",
    "GLU": "`(x -> Linear(n)) * sigmoid(x -> Linear(n))`",
    "dice_loss": "`1 - 2 * sum(p * y) / (sum(p) + sum(y))`",
    "kl": "`-0.5 * mean(1 + logvar - mu ** 2 - exp(logvar))`, of a normal distribution",
    "kl_loss": "`-0.5 * mean(1 + logvar - mu ** 2 - exp(logvar))`, of a normal distribution",
    "last": "the last is an index: `(x -> f)[:, -1]`",
    "TimeDistributed": "layers work on the last axis, whatever stands before",
    "Wrapper": "a block is a definition: `block Name(...):`",
    "apply_rotary_pos_emb": "`x -> rope(positions, theta)` turns pairs",
    "at": "a tensor does not change: choose with `where`, or join with `concat`",
    "checkpoint": "`nnxc build --remat` computes blocks again in the backward pass",
    "cond": "`where(condition, x, y)` chooses",
    "device": "a spec says nothing of devices: leave it out",
    **dict.fromkeys(
        ("dynamic_slice", "narrow", "slice_in_dim"), "a slice is an index: `x[:, a:b]`"
    ),
    "fori_loop": "`for i in range(n):`, or `scan over n with x = x:`",
    "grad": "`layer.gradient` is one; that of the loss is taken by `train_step`",
    "jit": "`train_step` is compiled: leave it out",
    "make_rng": "a stream is named where it is drawn from: `rng=noise`",
    "max_norm": "weights have no constraints",
    "pmap": "a spec says nothing of devices: leave it out",
    "reduce": "`mean`, `sum` and `max` take axes: `mean(x, axis=[H, W])`",
    "scan": "a scan is a statement: `scan xt in x over T with h = zeros([B, d]):`",
    "set": "a tensor does not change: choose with `where`, or join with `concat`",
    "switch": "`if` chooses on parameters, `where` between tensors",
    "value_and_grad": "`train_step` is generated: leave it out",
    "while_loop": "`for i in range(n):`, or `scan over n with x = x:`",
}
"""What nothing here is called like, and what there is instead."""
