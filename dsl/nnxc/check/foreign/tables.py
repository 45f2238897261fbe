"""What other libraries call things, and what is written here instead: tables alone."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from . import foreign_hints

MODULES: Final = frozenset(
    (
        *("torch", "nn", "F", "functional", "optim", "special", "linalg"),
        *("np", "numpy", "jnp", "jax", "lax", "random", "nnx", "linen", "flax"),
        *("tf", "keras", "layers", "activations", "losses", "optimizers", "math"),
        *("optax", "einops", "ops", "init", "initializers", "lr_scheduler"),
        *("eqx", "equinox", "hk", "haiku", "utils", "onnx"),
    )
)
"""Names before a dot that bring what stands by itself here."""

DTYPES: Final = {
    "bfloat16": "bf16",
    "bool_": "bool",
    "double": "f64",
    "float16": "f16",
    "float32": "f32",
    "float64": "f64",
    "half": "f16",
    "int16": "i16",
    "i32": "int",
    "int32": "int",
    "int64": "i64",
    "int8": "i8",
    "integer": "int",
    "long": "int",
    "uint32": "u32",
    "uint8": "u8",
}

CONSTANTS: Final = {
    **dict.fromkeys(("null", "nil", "none", "undefined", "nullptr"), "none"),
    **dict.fromkeys(("true", "yes"), "true"),
    **dict.fromkeys(("false", "no"), "false"),
}
"""Constants of others, however their letters are written."""

ARRAYS: Final = frozenset(("Tensor", "FloatTensor", "Array", "ndarray", "tensor"))
DTYPES.update({"LongTensor": "int", "IntTensor": "int", "BoolTensor": "bool"})

NAMES: Final = {
    "Add": "+",
    "CosineDecay": "cosine",
    "Dot": "vecdot",
    "ExponentialDecay": "exponential",
    "ExponentialLR": "exponential",
    "LinearLR": "linear",
    "Maximum": "maximum",
    "Minimum": "minimum",
    "MultiStepLR": "piecewise",
    "OneCycleLR": "onecycle",
    "PolynomialDecay": "polynomial",
    "SpatialDropout1D": "Dropout",
    "SpatialDropout2D": "Dropout",
    "Dropout3d": "Dropout",
    "AdaptiveAvgPool1d": "adaptive_avg_pool",
    "AdaptiveAvgPool2d": "adaptive_avg_pool",
    "AveragePooling1D": "avg_pool",
    "AveragePooling2D": "avg_pool",
    "AvgPool1d": "avg_pool",
    "AvgPool2d": "avg_pool",
    "AvgPool3d": "avg_pool",
    "BCELoss": "binary_cross_entropy",
    "BCEWithLogitsLoss": "binary_cross_entropy",
    "BatchNorm1d": "BatchNorm",
    "BatchNorm2d": "BatchNorm",
    "BatchNorm3d": "BatchNorm",
    "BatchNormalization": "BatchNorm",
    "Conv1D": "Conv",
    "Conv1DTranspose": "ConvTranspose",
    "Conv1d": "Conv",
    "Conv2D": "Conv",
    "Conv2DTranspose": "ConvTranspose",
    "Conv2d": "Conv",
    "Conv3D": "Conv",
    "Conv3d": "Conv",
    "ConvTranspose1d": "ConvTranspose",
    "ConvTranspose2d": "ConvTranspose",
    "CosineAnnealingLR": "cosine",
    "CrossEntropyLoss": "cross_entropy",
    "DenseGeneral": "Linear",
    "LinearGeneral": "Linear",
    "Dropout1d": "Dropout",
    "Dropout2d": "Dropout",
    "Hardswish": "hard_silu",
    "Hardtanh": "hard_tanh",
    "InstanceNorm1d": "InstanceNorm",
    "InstanceNorm2d": "InstanceNorm",
    "KLDivLoss": "kl_divergence",
    "L1Loss": "mae",
    "LayerNormalization": "LayerNorm",
    "MSELoss": "mse",
    "MaxPool1d": "max_pool",
    "MaxPool2d": "max_pool",
    "MaxPool3d": "max_pool",
    "MaxPooling1D": "max_pool",
    "MaxPooling2D": "max_pool",
    "MeanSquaredError": "mse",
    "MultiHeadDotProductAttention": "Attention",
    "MultiheadAttention": "Attention",
    "Multiply": "*",
    "OptimizedLSTMCell": "LSTMCell",
    "SiLU": "silu",
    "SimpleCell": "GRUCell",
    "SmoothL1Loss": "huber",
    "SparseCategoricalCrossentropy": "cross_entropy",
    "Subtract": "-",
    "Swish": "silu",
    "UpSampling2D": "upsample",
    **dict.fromkeys(("bce", "bce_loss", "bce_with_logits"), "binary_cross_entropy"),
    **dict.fromkeys(("mean_squared_error", "MeanSquaredErrorLoss"), "mse"),
    **dict.fromkeys(("mean_absolute_error", "MeanAbsoluteError"), "mae"),
    **dict.fromkeys(("ce", "ce_loss", "nll"), "cross_entropy"),
    "stop_grad": "stop_gradient",
    "topk": "top_k",
    "absolute": "abs",
    "acos": "arccos",
    "add": "+",
    "atan": "arctan",
    "atan2": "arctan2",
    "bmm": "matmul",
    "categorical_crossentropy": "soft_cross_entropy",
    "binary_cross_entropy_with_logits": "binary_cross_entropy",
    "binary_crossentropy": "binary_cross_entropy",
    "conv2d": "Conv",
    "cosine_decay_schedule": "cosine",
    "cross_entropy_loss": "cross_entropy",
    "div": "/",
    "divide": "/",
    "dot": "matmul",
    "f1_score": "f1",
    "precision_score": "precision",
    "r2_score": "r2",
    "recall_score": "recall",
    "accuracy_score": "accuracy",
    "dot_product_attention": "attend",
    "empty": "zeros",
    "hard_swish": "hard_silu",
    "inf": "1e30",
    "interpolate": "resize",
    "kl_div": "kl_divergence",
    "l1_loss": "mae",
    "mm": "matmul",
    "movedim": "transpose",
    "mse_loss": "mse",
    "mul": "*",
    "multiply": "*",
    "newaxis": "none",
    "nll_loss": "cross_entropy",
    "pow": "**",
    "rand": "uniform",
    "randn": "normal",
    "reduce_max": "max",
    "reduce_mean": "mean",
    "reduce_min": "min",
    "reduce_sum": "sum",
    "repeat_interleave": "repeat",
    "scaled_dot_product_attention": "attend",
    "smooth_l1_loss": "huber",
    "sparse_categorical_crossentropy": "cross_entropy",
    "sub": "-",
    "subtract": "-",
    "swap_axes": "swapaxes",
    "swish": "silu",
}
"""Names of others that neither spelling nor the aliases of entries explain."""

BY_ARGUMENT: Final = {
    ("interpolate", "scale_factor"): "upsample",
    ("upsample", "size"): "resize",
    ("Upsample", "size"): "resize",
}
"""Names of others that are another here where an argument of that name is given."""

_POOL = re.compile(r"global(?P<kind>avg|max)pool(?P<axes>[123]d)?|gap(?P<gap>[12]d)?")


def pool(name: str) -> str | None:
    """What others call a pooling over all places, as it is written after an arrow."""
    folded = name.lower().replace("_", "")
    folded = folded.replace("average", "avg").replace("pooling", "pool")
    found = _POOL.fullmatch(folded)
    if found is None:
        return None
    made = "max" if found["kind"] == "max" else "mean"
    axes = {"1d": "1", "3d": "[1, 2, 3]"}
    return f"{made}(axis={axes.get(found['axes'] or found['gap'], '[1, 2]')})"


INPUT_SIZES: Final = {"Linear": 1, "Conv": 1, "ConvTranspose": 1, "GRU": 1, "LSTM": 1}
INPUT_SIZES.update(dict.fromkeys(("GRUCell", "LSTMCell", "Attention"), 1))
"""Layers of others that take the size of their input first, which is inferred here."""

NOTHING: Final = {
    "Identity": "leave it out",
    "print": "a spec says what is computed, and prints nothing: leave it out",
    "super": "blocks inherit from nothing: leave it out",
    "backward": "the gradient follows from the loss: leave it out",
    "zero_grad": "the gradient follows from the loss: leave it out",
    "step": "`train_step` is generated: leave it out",
    "train": "how a model is called says whether it trains: leave it out",
    "eval": "how a model is called says whether it trains: leave it out",
    "manual_seed": "seeds are given where the model is built: leave it out",
    "no_grad": "`eval_step` computes no gradients: leave it out",
    "register_buffer": "`state name: [d] = zeros` declares it",
    "build": "sizes are inferred: leave it out",
    "summary": "`nnxc summary` prints one: leave it out",
    "compile": "a `train` says the loss and the optimizer: leave it out",
    "fit": "`Trainer` and `train_step` are generated: leave it out",
    "save": "`save_pretrained` is generated: leave it out",
    "load": "a `weights` section says what is loaded: leave it out",
    "freeze": "`freeze path` in a train keeps weights: leave it out",
    "sow": "values are returned by name, `return y=y, hidden=h`: leave it out",
    "init_weights": "initialisers are arguments, `kernel_init=`: leave it out",
}
"""Calls that stand alone elsewhere, and are not needed here."""

SAME: Final = frozenset(
    ("contiguous", "to", "cuda", "cpu", "clone", "copy", "numpy", "item", "type_as")
)
"""Methods that give the same tensor, as far as a spec goes."""

METHODS: Final = {
    "bool": "astype({x}, bool)",
    "bfloat16": "astype({x}, bf16)",
    "detach": "stop_gradient({x})",
    "double": "astype({x}, f64)",
    "float": "astype({x}, float)",
    "half": "astype({x}, f16)",
    "int": "astype({x}, int)",
    "long": "astype({x}, int)",
    "mH": "swapaxes({x}, -1, -2)",
    "mT": "swapaxes({x}, -1, -2)",
    "T": "swapaxes({x}, -1, -2)",
    "t": "swapaxes({x}, -1, -2)",
}
"""Methods and attributes without arguments."""

_RESHAPE: Final = "a shape after an arrow re-lays out: `x -> [B, 4 * d]`"

_FILLED: Final = "write the shape: `{name}([B, d])`"

HINTS: Final = {
    "Lambda": "a function stands after an arrow by its name",
    "ModuleDict": "layers have names: `Linear(8) as head`",
    "ModuleList": "a stack of layers is `Block(...) * n`",
    "Parameter": "`param scale: [d] = zeros` declares weights",
    "Sequential": "arrows chain layers: `x -> f -> g`",
    **foreign_hints.NAMES,
    "Variable": "`state count: int[] = 0` declares what is kept",
    "StepLR": "`exponential(1e-3, steps, rate)` or `piecewise(1e-3, [steps])`",
    "chain": "settings stand beside the optimizer: `clip = 1.0`",
    "warmup_cosine_decay_schedule": "`warmup_cosine(peak, warmup, steps)`",
    "collect": "name what every step gives: `collect ys = y`",
    "cross_attention": "give an `Attention` its `context`",
    "full_like": _FILLED.format(name="full"),
    "gather": "`take_along_axis`, `take`, or an index: `x[ids]`",
    "index_add": "`segment_sum` adds rows by ids",
    "index_select": "an index selects: `x[ids]`",
    **dict.fromkeys(
        ("l2_normalize", "l2_norm", "l2norm", "L2Norm", "unit_norm", "normalise"),
        "divide by `norm(x, axis=-1, keepdims=true)`",
    ),
    "masked_fill": "`where(mask, x, y)` chooses",
    "ndim": "the axes are in the shape of the input",
    "normalize": "divide by `norm(x, axis=-1, keepdims=true)`",
    "ones_like": _FILLED.format(name="ones"),
    "outputs": "values are returned: `return x`",
    "permute": "`rearrange` moves axes by name",
    "reshape": _RESHAPE,
    "scatter": "`segment_sum` adds rows by ids",
    "scatter_add": "`segment_sum` adds rows by ids",
    "self": "a block has no `self`; names stand by themselves",
    "shape": "sizes have names, in the shape of an input: `B`",
    "size": "sizes have names, in the shape of an input: `B`",
    "vmap": "`each=E` in a construction makes a copy for every entry of an axis",
    "view": _RESHAPE,
    "zeros_like": _FILLED.format(name="zeros"),
}
"""Help where nothing can be written for them."""

WEIGHTS: Final = {
    "weight": ("kernel", "embedding", "scale"),
    "weights": ("kernel", "embedding", "scale"),
    "w": ("kernel", "embedding", "scale"),
    "kernel": ("embedding", "scale"),
    "b": ("bias",),
    "beta": ("bias",),
    "gamma": ("scale",),
    "moving_mean": ("mean",),
    "moving_variance": ("var",),
    "running_mean": ("mean",),
    "running_var": ("var",),
}
"""Weights of others, and what they are here, whichever the layer has."""


def weight(name: str, known: Iterable[str]) -> str | None:
    """What a weight of another library is called here."""
    names = set(known)
    return next((n for n in WEIGHTS.get(name, ()) if n in names), None)
