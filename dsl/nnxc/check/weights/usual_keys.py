"""The keys of `config.json` that parameters have by their names, and keys that were renamed."""

from __future__ import annotations

import re

from ...diagnostics import Sink
from ...source import Source
from ...syntax import tree, tree_weights
from ...syntax.parse import parse

USUAL = {
    "vocab": '"vocab_size"',
    "context": '"max_position_embeddings"',
    "types": '"type_vocab_size"',
    "d": '"hidden_size"',
    "layers": '"num_hidden_layers"',
    "heads": '"num_attention_heads"',
    "kv_heads": '"num_key_value_heads" or "num_attention_heads"',
    "head_dim": '"head_dim" or "hidden_size" // "num_attention_heads"',
    "hidden": '"intermediate_size"',
    "act": '"hidden_act"',
    "eps": '"layer_norm_eps"',
    "rate": '"hidden_dropout_prob"',
    "pad": '"pad_token_id" or none',
    "window": '"sliding_window" or none',
    "theta": '"rope_parameters.rope_theta" or 10000.0',
    "bias": '"attention_bias" or false',
    "attention_bias": '"attention_bias" or false',
    "mlp_bias": '"mlp_bias" or false',
    "tied": '"tie_word_embeddings" or false',
    "experts": '"num_local_experts"',
    "k": '"num_experts_per_tok"',
    "encoder_heads": '"encoder_attention_heads"',
    "decoder_heads": '"decoder_attention_heads"',
    "encoder_hidden": '"encoder_ffn_dim"',
    "decoder_hidden": '"decoder_ffn_dim"',
    "size": '"image_size"',
    "patch": '"patch_size"',
    "channels": '"num_channels"',
    "classes": '"num_labels" or len("id2label") or 2',
}
"""By a parameter's name, what is read for it where a section only names it."""

_PARTS = ("text", "vision")
_ROPE = "rope_parameters."
ROPE_TYPE = f"{_ROPE}rope_type"
_OLDER = {
    "rope_theta": ("rope_theta",),
    "rope_type": ("rope_scaling.rope_type", "rope_scaling.type"),
    "partial_rotary_factor": ("partial_rotary_factor",),
}


def usual(name: str) -> tree.Expr:
    """What is read for a parameter that is only named."""
    line = Source("", f"weights M:\n    config {name} = {usual_text(name)}\n")
    section = parse(line, Sink()).items[0]
    assert isinstance(section, tree.Weights)
    (read,) = section.body
    assert isinstance(read, tree_weights.Read) and read.values[0] is not None
    return read.values[0]


def usual_text(name: str) -> str:
    """The usual key of a name, also of one inside of `text_config`; else the key of that name."""
    outer, _, inner = name.partition("_")
    plain = inner if outer in _PARTS and inner in USUAL else name
    keys = USUAL.get(plain, f'"{name}"')
    return keys if plain == name else re.sub(r'"(\w+)', rf'"{outer}_config.\1', keys)


def places(key: str) -> tuple[str, ...]:
    """A key, and where older files say the same."""
    outer, found, name = key.rpartition(_ROPE)
    if not found or "." in name or outer[-1:] not in ("", "."):
        return (key,)
    older = _OLDER.get(name, (f"rope_scaling.{name}",))
    return (key, *(f"{outer}{other}" for other in older))
