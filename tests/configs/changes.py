"""Other legal values for each setting of a configuration, by its type and its name."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

ACTIVATIONS = ("gelu", "gelu_new", "quick_gelu", "relu", "silu", "tanh", "gelu_10")
TEXTS = {
    "position": ("absolute", "relative_key", "relative_key_query", "rotary"),
    "layer_type": ("full_attention", "sliding_attention", "basic", "bottleneck"),
    "norm_type": ("time_group_norm", "weight_norm", "layernorm", "batchnorm"),
    "feat_extract_norm": ("group", "layer"),
    "scaling": ("mean", "std", "none"),
    "pad_mode": ("constant", "reflect", "replicate"),
    "pooling": ("cls", "mean", "max"),
    "feed_forward_proj": ("relu", "gated-gelu", "gated-silu"),
}
ROPES: tuple[dict[str, Any], ...] = (
    {"rope_type": "default"},
    {"rope_type": "linear", "factor": 2.0},
    {"rope_type": "dynamic", "factor": 2.0},
    {
        "rope_type": "llama3",
        "factor": 8.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 32,
    },
    {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 16},
)
# What says where a configuration comes from, not what it is.
_ABOUT = (
    *("model_type", "architectures", "transformers_version", "_name_or_path", "dtype"),
    *("torch_dtype", "_diffusers_version", "_class_name", "auto_map", "id2label"),
    *("label2id", "output_attentions", "output_hidden_states", "return_dict"),
    *("_attn_implementation", "attn_implementation", "_commit_hash", "problem_type"),
    *("torchscript", "transformers_weights", "quantization_config"),
)
_CLASS = ("model_type", "architectures", "_class_name")
_LABELS = (("id2label",), ("label2id",))


@dataclass(frozen=True)
class Change:
    """Another value of one setting: the first, second, ... that is tried."""

    path: tuple[Any, ...]
    value: Any
    turn: int
    size: (
        bool  # a positive number in place of one: nothing else begins or ends to matter
    )

    def __str__(self) -> str:
        key = ".".join(map(str, self.path)) or "nothing"
        return f"{key} = {json.dumps(self.value, default=str)}"


ABSENT = "absent"  # in place of a value: the file does not say it
NOTHING = Change((), None, 0, False)


def changes(settings: Mapping[str, Any]) -> Iterator[Change]:
    """Every way that is known to change one of the settings."""
    for path, value in _leaves(settings, ()):
        for turn, other in enumerate(_others(path[-1], value)):
            if other != value or type(other) is not type(value):
                yield Change(path, other, turn, _positive(value) and _positive(other))


def absences(settings: Mapping[str, Any]) -> Iterator[Change]:
    """Each setting left out, labels too; not what says of which class a file is."""
    waiting: list[tuple[tuple[Any, ...], Any]] = [((), settings)]
    for path, inner in waiting:
        if path:
            yield Change(path, ABSENT, 0, False)
        if isinstance(inner, Mapping) and path[-1:] not in _LABELS:
            waiting += [((*path, k), v) for k, v in inner.items() if k not in _CLASS]


def changed(settings: Any, several: Iterable[Change]) -> Any:
    """The settings with several changes made."""
    for change in several:
        settings = _with(settings, change.path, change.value)
    return settings


def _positive(value: Any) -> bool:
    return type(value) in (int, float) and value > 0


def _leaves(settings: Any, path: tuple[Any, ...]) -> Iterator[tuple[Any, Any]]:
    for key, value in settings.items():
        if key in _ABOUT:
            continue
        yield (*path, key), value
        if isinstance(value, Mapping):
            yield from _leaves(value, (*path, key))


def _with(settings: Mapping[str, Any], path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return settings
    first, *rest = path
    if not rest and value == ABSENT:
        return {key: other for key, other in settings.items() if key != first}
    inner = _with(settings[first], tuple(rest), value) if rest else value
    return {**settings, first: inner}


def _others(key: str, value: Any) -> Iterator[Any]:
    """Legal values of a setting other than its own; the library tells which it refuses."""
    if key in ("rope_parameters", "rope_scaling"):
        theta = value.get("rope_theta", 10000.0) if isinstance(value, Mapping) else 1e4
        yield from ({"rope_theta": theta, **rope} for rope in ROPES)
        return
    match value:
        case bool():
            yield not value
        case int():
            yield from (value // 2, 2 * value)
        case float():
            yield from (16 * value, value / 16) if value else (0.3,)
        case str():
            yield from _texts(key, value)
        case list() | tuple():
            yield list(reversed(value))
            yield list(value[:-1])
            for other in _others(key, value[0]) if value else ():
                yield [other] * len(value)
        case None:
            yield from (True, 4, 0.5, *_texts(key, ""))
    inner = isinstance(value, Mapping) and "model_type" in value
    if value is not None and not inner:  # else one of published size
        yield None


def _texts(key: str, value: str) -> Iterator[str]:
    if any(part in key for part in ("act", "nonlinearity")) or value in ACTIVATIONS:
        yield from ACTIVATIONS
    for part, texts in TEXTS.items():
        if part in key:
            yield from texts
