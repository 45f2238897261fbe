"""A Config from the `config.json` beside a published checkpoint: all that matters of it is read, or told."""

import math
from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

from nnx_checkpoints import read_json


class Settings(dict[str, Any]):
    """What a `config.json` says, by dotted keys; a position in a list is a key too."""

    def __init__(self, file: Path, whole: Any):
        self.file = file
        self.single: dict[str, Any] = {}  # no dict, no list of some
        self.missing: list[str] = []
        self.odd: list[str] = []  # no switches where some are asked for
        waiting = [("", whole)]
        for prefix, values in waiting:
            several = values.items() if isinstance(values, dict) else enumerate(values)
            for name, value in several:
                key = repr(name) if "." in str(name) else name  # no path
                if isinstance(value, dict | list) and value:
                    waiting.append((f"{prefix}{key}.", value))
                elif value != {}:
                    self.single[f"{prefix}{key}"] = value
                if value is not None:
                    self[f"{prefix}{key}"] = frozen(value)

    def __missing__(self, key: str) -> Any:
        self.missing += [key] if key not in self.missing else []
        return 1  # so that all that is missing is found

    def either(self, *keys: str, default: Any) -> Any:
        """The first value; None where all that is there is null, whatever the default."""
        found = [self[key] for key in keys if key in self]
        return found[0] if found else None if any(map(self.says, keys)) else default

    def first(self, *keys: str) -> Any:
        """The value of the first key that has one; the last has to be there."""
        return self[next((key for key in keys if key in self), keys[-1])]

    def says(self, key: str) -> bool:
        """Whether a key is there, were it null."""
        return key in self or key in self.single

    def on(self, key: str) -> bool:
        """Whether a switch is on."""
        value = self[key]
        if key in self and not isinstance(value, bool):
            self.odd.append(f"{key} is {value!r}, not true or false")
        return bool(value)

    def place(self, key: str) -> str:
        """A key, its position counted from the start of its list."""
        whole, _, at = key.rpartition(".")
        values = self.get(whole)
        if isinstance(values, tuple) and at.startswith("-") and at[1:].isdigit():
            return f"{whole}.{len(values) + int(at)}"
        return key

    def filling(
        self,
        make: Callable[[], Any],
        read: str | Sequence[str],
        assumed: Callable[[], dict[str, tuple[Any, ...]]] = dict,
        rates: tuple[str, ...] = (),
    ) -> Any:
        """A Config, of which some are rates. All that does not fit is one error.

        `read` are the keys that `make` reads, or that cannot matter; words, or a sequence.
        """
        cfg = None
        try:
            cfg = make()
            problems = list(misfilled(cfg, rates))
        except UNFIT as error:
            problems = [f"it cannot be read: {error}"]
        if self.missing:
            problems = [f"{key} is missing" for key in self.missing]
        else:
            keys = read.split() if isinstance(read, str) else read
            problems += [*dict.fromkeys(self.odd), *self.unlike(assumed, keys)]
        if problems:
            raise ValueError("\n  ".join([f"{self.file} does not fit:", *problems]))
        return cfg

    def unlike(
        self, assumed: Callable[[], dict[str, tuple[Any, ...]]], read: Sequence[str]
    ) -> Iterator[str]:
        """What is other than assumed, or is not read."""
        try:
            held = assumed()
        except UNFIT as error:
            yield f"it cannot be compared: {error}"
            return
        for key, allowed in held.items():
            if self.says(key) and self.get(key) not in allowed:
                meant = " or ".join(map(repr, allowed))
                yield f"{key} is {self.get(key)!r}, the model assumes {meant}"
        yield from unread(self.single, {*held, *map(self.place, read)})


# Keys that change no output, wherever they stand.
HARMLESS = (
    # where a file comes from, and the precision of its numbers, which it says itself
    "_name_or_path _commit_hash _class_name architectures auto_map model_type dtype "
    "torch_dtype transformers_version _diffusers_version 'transformers.js_config'* "
    # how the library computes the same, or what it gives besides
    "use_cache _attn_implementation* attn_implementation torchscript pretraining_tp "
    "output_attentions output_hidden_states output_router_logits is_encoder_decoder "
    "return_dict use_return_dict chunk_size_feed_forward gradient_checkpointing "
    "output_past output_scores return_dict_in_generate use_bfloat16 "
    "cache_implementation "
    # training alone: initial values, which the file replaces, rates, losses
    "initializer_range initializer_factor initializer_std init_std mask_time_* "
    "mask_feature_* mask_channel_* freeze_feat_extract_train label_smoothing "
    "router_aux_loss_coef router_z_loss_coef router_jitter_noise ignore_index "
    # labels, and what comes before and after the model
    "id2label label2id _num_labels problem_type finetuning_task task_specific_params "
    "tokenizer_class bos_token_id sep_token_id cls_token_id unk_token_id prefix "
    # how sequences are sampled, which older files say as well
    "decoder_start_token_id forced_*_token_id forced_decoder_ids max_length min_length "
    "do_sample early_stopping num_beams num_beam_groups num_return_sequences "
    "diversity_penalty length_penalty repetition_penalty *no_repeat_ngram_size "
    "bad_words_ids *suppress_tokens remove_invalid_values typical_p "
    # summaries of sequences, heads apart from the model's
    "summary_*"
).split()
# What settings of other kinds than expected raise in arithmetic.
UNFIT = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
RATES = ("*dropout*", "*_pdrop", "*layerdrop", "*drop_path*")  # of training alone


def is_called(key: str, globs: Sequence[str]) -> bool:
    """Whether a key, or one around it, has one of these names."""
    parts = (key, *key.split("."))
    return any(fnmatchcase(part, glob) for part in parts for glob in globs)


def covers(known: set[str], key: str) -> bool:
    """Whether a key is known, lies in one that is, or is single where a first entry is."""
    parts = key.split(".")
    around = {".".join(parts[:n]) for n in range(1, len(parts) + 1)}
    return not known.isdisjoint({*around, f"{key}.0"})


def unread(single: dict[str, Any], known: set[str]) -> Iterator[str]:
    """The settings that may matter, and are not known; rates that are none."""
    for key, value in single.items():
        if value is None:
            continue
        if is_called(key, RATES):
            if not is_rate(value):
                yield f"{key} is {value!r}, not from 0 to 1"
        elif not is_called(key, HARMLESS) and not covers(known, key):
            yield f"{key} is {value!r}, the model does not read it"


def is_rate(value: Any) -> bool:
    """Whether a value is from 0 to 1."""
    return isinstance(value, int | float) and 0 <= value <= 1


def misfilled(cfg: Any, rates: tuple[str, ...]) -> Iterator[str]:
    """The fields of a Config that have not their type, or are no rate."""
    for name, kind in get_type_hints(type(cfg)).items():
        value = getattr(cfg, name)
        if name not in ("dtype", "param_dtype") and not has_type(value, kind):
            expected = kind.__name__ if isinstance(kind, type) else kind
            yield f"{name} would be {value!r}, not {expected}"
        elif name in rates and not is_rate(value):
            yield f"{name} would be {value!r}, not from 0 to 1"


def frozen(value: Any) -> Any:
    """Lists as tuples, inside too."""
    return tuple(map(frozen, value)) if isinstance(value, list) else value


def has_type(value: Any, kind: Any) -> bool:
    """Whether a value is of a field's type; an int is a float, a bool is no int."""
    if isinstance(kind, UnionType):
        return any(has_type(value, choice) for choice in get_args(kind))
    plain = get_origin(kind) or kind
    if plain is tuple and isinstance(value, tuple):
        return all(has_type(item, k) for item in value for k in get_args(kind)[:1])
    if isinstance(value, bool):
        return plain is bool
    if isinstance(value, float) and math.isnan(value):
        return False
    if isinstance(value, int) and value.bit_length() > 63:
        return False
    return isinstance(value, int | float if plain is float else plain)


def read_settings(path: Path) -> Settings:
    """The settings beside a checkpoint."""
    file = (path if path.is_dir() else path.parent) / "config.json"
    if not file.exists():
        raise FileNotFoundError(f"{file} is not there: pass a Config")
    try:
        return Settings(file, read_json(file))
    except RecursionError:
        raise ValueError(f"{file} is nested too deeply") from None
