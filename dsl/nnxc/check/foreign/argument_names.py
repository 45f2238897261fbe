"""What other libraries call arguments, and what is written here instead: tables."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

ARGUMENTS: Final[dict[str, str | tuple[str, ...]]] = {
    "activation": "activation",
    "align_corners": "corners",
    "alpha": "negative_slope",
    "betas": "b1",
    **dict.fromkeys(("beta1", "beta_1"), "b1"),
    **dict.fromkeys(("beta2", "beta_2"), "b2"),
    "causal_mask": "causal",
    "center": "bias",
    "decay": "weight_decay",
    "diagonal": "k",
    "dim": ("axis", "over"),
    **dict.fromkeys(("axis", "axes"), "over"),
    "dims": "axis",
    "dim0": "a",
    "dim1": "b",
    "embed_dim": "d",
    "embedding_dim": "d",
    "embedding_size": "d",
    "epsilon": "eps",
    "features": ("out", "d"),
    "filters": "features",
    "input": "logits",
    "target": "labels",
    "targets": "labels",
    "y_pred": "logits",
    "y_true": "labels",
    "hidden_dim": "hidden",
    "hidden_features": "hidden",
    "hidden_size": "hidden",
    "init_value": "init",
    "input_dim": "vocab",
    "is_causal": "causal",
    **dict.fromkeys(("initial_state", "init_state", "h0", "hx", "initial_carry"), "h"),
    "kernel_dilation": "dilation",
    "kernel_initializer": "kernel_init",
    "kernel_size": "window",
    "key": "rng",
    "keepdim": "keepdims",
    "label_smoothing": "smoothing",
    "lora_alpha": "alpha",
    "lr": "learning_rate",
    "attn_mask": "mask",
    "mask": "where",
    "mode": "method",
    **dict.fromkeys(("decay_steps", "T_max", "total_iters", "total_steps"), "steps"),
    **dict.fromkeys(("num_training_steps", "num_steps", "transition_steps"), "steps"),
    **dict.fromkeys(("num_warmup_steps", "warmup_iters", "num_warmup"), "warmup"),
    **dict.fromkeys(("max_lr", "peak_lr", "max_value"), "peak"),
    **dict.fromkeys(("initial_learning_rate", "base_lr", "init_lr"), "init"),
    **dict.fromkeys(("min_lr", "end_value", "final_lr", "end_learning_rate"), "end"),
    **dict.fromkeys(("decay_rate", "gamma"), "rate"),
    "milestones": "boundaries",
    **dict.fromkeys(("std", "scale", "sigma"), "stddev"),
    "gain": "scale",
    "T": "temperature",
    "wd": "weight_decay",
    "steps": "n",
    "num": "n",
    "kernel": "window",
    "kernel_shape": "window",
    "dropout_rate": "rate",
    "drop_rate": "rate",
    "n_head": "heads",
    "n_heads": "heads",
    "negative_slope": "alpha",
    "norm_eps": "eps",
    "num_classes": "n",
    "num_embeddings": "vocab",
    "num_groups": "groups",
    "num_heads": "heads",
    "nhead": "heads",
    "out_channels": "features",
    "out_dim": "out",
    "out_features": "out",
    "output_dim": "d",
    "p": "rate",
    "padding_idx": "padding",
    "peak_value": "peak",
    "pool_size": "window",
    "prob": "rate",
    "r": "rank",
    "repeats": "n",
    "rngs": "rng",
    "size": "shape",
    "start_dim": "axis",
    "strides": "stride",
    "scale_factor": "factor",
    "eta": "learning_rate",
    "feature_group_count": "groups",
    "units": "out",
    "use_bias": "bias",
    "use_scale": "scale",
    "vocab_size": "vocab",
    "warmup_steps": "warmup",
    "window_shape": "window",
    **dict.fromkeys(
        ("weight_init", "init", "initializer", "w_init", "init_fn"), "kernel_init"
    ),
}
"""An argument of others, and what it is here where the callee has that."""

VALUES: Final = {
    "mode": {
        "bicubic": "torch_bicubic",
        "linear": "bilinear",
        "nearest": "torch_nearest",
        "nearest-exact": "nearest",
    }
}
"""What the texts that an argument of others takes are here."""

UNNEEDED: Final = frozenset(
    (
        *("in_features", "in_channels", "input_size", "input_dim", "input_shape"),
        *("num_features", "normalized_shape", "num_channels", "features_in", "inputs"),
        *(
            "inplace",
            "device",
            "batch_first",
            "requires_grad",
            "name",
            "layout",
            "train",
        ),
        *("rngs", "deterministic", "training", "use_running_average", "dtype"),
        *("param_dtype", "qkv_features", "embed_dim", "need_weights", "input_length"),
        *("is_training", "trainable", "memory_format", "average_attn_weights"),
        *("track_running_stats", "decode", "params", "data_format"),
    )
)
"""Arguments of others that say nothing here: sizes of inputs, places, modes."""


def argument(name: str, known: Iterable[str]) -> str | None:
    """What an argument of another library is called here."""
    here = ARGUMENTS.get(name, ())
    meant = (here,) if isinstance(here, str) else here
    return next((n for n in known if n in meant), None)
