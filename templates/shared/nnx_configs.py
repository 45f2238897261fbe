"""Read and write the `config.json` of a checkpoint.

A table maps the fields of a model's Config to the keys of the file. A key that may
change what the model computes is followed, or it is an error: none is passed over.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import pairwise
from pathlib import Path
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints
from warnings import warn

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from nnx_checkpoints import (
    DTYPE_FIELDS,
    SETTING_ERRORS,
    Checkpoint,
    ConfigT,
    DefaultConfig,
    ModelT,
    beside,
    dotted,
    raise_problems,
    read_json,
    shortened,
)
from nnx_functions import exact_gelu, quick_gelu


class Settings(dict[str, Any]):
    """The values of a `config.json` by dotted keys, such as `rope_scaling.factor`, or
    `depths.0` for an entry of a list.

    Looking up a key that is missing notes it in `missing`, so that one error can list
    all of them.

    Attributes:
      file: the file.
      whole: its content, as JSON has it.
      single: the values that are neither objects nor lists of values, by key; null too.
      missing: the keys that were looked up and are not there.
      odd: what is wrong with the values of switches.
    """

    def __init__(self, file: Path, whole: Any):
        self.file, self.whole = file, whole
        self.missing: list[str] = []
        self.odd: list[str] = []
        self.flatten()

    def flatten(self) -> None:
        """Index the content by dotted keys."""
        self.clear()
        self.single: dict[str, Any] = {}
        waiting = [("", self.whole)]
        for prefix, values in waiting:
            several = values.items() if isinstance(values, dict) else enumerate(values)
            for name, value in several:
                key = repr(name) if "." in str(name) else name  # its dots part nothing
                if isinstance(value, dict | list) and value:
                    waiting.append((f"{prefix}{key}.", value))
                elif value != {}:
                    self.single[f"{prefix}{key}"] = value
                if value is not None:
                    self[f"{prefix}{key}"] = frozen(value)

    def __missing__(self, key: str) -> Any:
        self.missing += [key] if key not in self.missing else []
        return 1  # arithmetic goes on, and finds all that is missing

    def either(self, *keys: str, default: Any) -> Any:
        """The value of the first key that has one; None if all that are there are
        null, the default if none is there."""
        found = [self[key] for key in keys if key in self]
        if found:
            return found[0]
        return None if any(map(self.says, keys)) else default

    def first(self, *keys: str) -> Any:
        """The value of the first key that has one; it is missing if none has."""
        return self[next((key for key in keys if key in self), " or ".join(keys))]

    def unread(self, key: str) -> str:
        """Describe a key that the model does not read."""
        return f"{key} is {self.single[key]!r}, the model does not read it"

    def lacking(self, keys: str) -> str:
        """Describe a key, or several of one meaning, that have no value."""
        null = next(filter(self.says, keys.split(" or ")), None)
        return f"{keys} is missing" if null is None else f"{null} is null"

    def says(self, key: str) -> bool:
        """Whether a key is there, even if it is null."""
        return key in self or key in self.single

    def value(self, key: str) -> Any:
        """The value of a key that has to be there; null is one."""
        return None if self.says(key) and key not in self else self[key]

    def on(self, key: str) -> bool:
        """Whether a switch is on; a value that is no boolean is noted in `odd`."""
        value = self[key]
        if key in self and not isinstance(value, bool):
            self.odd.append(f"{key} is {value!r}, not true or false")
        return bool(value)

    def place(self, key: str) -> str:
        """A key, with a position counted from the end of a list counted from its start
        instead."""
        whole, _, at = key.rpartition(".")
        values = self.get(whole)
        if isinstance(values, tuple) and at.startswith("-") and at[1:].isdigit():
            return f"{whole}.{len(values) + int(at)}"
        return key

    def put(self, entries: dict[str, Any]) -> None:
        """Write values into the content, by their dotted keys."""
        for key, value in entries.items():
            *outer, last = key.split(".")
            place = self.whole
            for part, following in pairwise([*outer, last]):
                inner = inside(place, part)
                if not isinstance(inner, dict | list):
                    inner = [] if following == "0" else {}
                    put_at(place, part, inner)
                place = inner
            put_at(place, last, value)
        self.flatten()


@dataclass(frozen=True)
class Setting:
    """How a field of a Config is read from a `config.json`, and written to it.

    Attributes:
      keys: the keys that may hold the value, the first one that does is read; several
        are a sequence, or one text with spaces between.
      default: the value if no key is there.
      otherwise: computes the value if no key is there. With neither, one is required.
      write: gives the keys and values to write for a value of the field; by default,
        the first key holds it.
    """

    keys: str | Sequence[str] = ()
    default: Any = ...
    otherwise: Callable[[Settings], Any] | None = None
    write: Callable[[Any], dict[str, Any]] | None = None

    @classmethod
    def where(
        cls, kinds: str | Sequence[str], kind: str, keys: str, default: Any
    ) -> "Setting":
        """Read the value of `keys` if that of `kinds` is `kind`, else the default."""
        at, told = split_keys(keys), split_keys(kinds)
        return cls(
            otherwise=lambda given: (
                given.first(*at)
                if given.either(*told, default=None) == kind
                else default
            ),
            write=lambda value: (
                {at[0]: value} | ({} if value == default else {told[0]: kind})
            ),
        )

    def read(self, given: Settings, kind: Any) -> Any:
        """Read the value for a field of this type."""
        keys = split_keys(self.keys)
        required = self.default is ... and self.otherwise is None
        named = accepts(kind, Callable)  # activations are told by name
        null_counts = accepts(kind, bool) or (named and not required)
        known = given.says if null_counts else given.__contains__
        key = next(filter(known, keys[:-1] if required else keys), None)
        if key is None and self.otherwise is not None:
            return self.otherwise(given)
        if key is None and not required:
            return None if any(map(given.says, keys)) else self.default
        value = given.first(*keys) if key is None else given.get(key)
        if not named:
            return value
        return activation_named(value, next(filter(given.says, keys), keys[-1]))

    def written(self, value: Any) -> dict[str, Any]:
        """The keys and values to write for a value of the field."""
        if self.write is not None:
            return self.write(value)
        keys = split_keys(self.keys)
        whole = [k for k in keys if any(other.startswith(f"{k}.") for other in keys)]
        named = activation_name(value) if callable(value) else value
        return dict.fromkeys([*whole, *keys][:1], named)


# The keys of fields that a table only names, as transformers' models have them.
USUAL: Mapping[str, str | Setting] = {
    "vocab": "vocab_size",
    "context": "max_position_embeddings",
    "types": "type_vocab_size",
    "d": "hidden_size",
    "layers": "num_hidden_layers",
    "heads": "num_attention_heads",
    "kv_heads": "num_key_value_heads num_attention_heads",
    "head_dim": Setting(
        "head_dim",
        otherwise=lambda given: given["hidden_size"] // given["num_attention_heads"],
    ),
    "hidden": "intermediate_size",
    "act": "hidden_act",
    "eps": "layer_norm_eps",
    "rate": "hidden_dropout_prob",
    "pad": Setting("pad_token_id", None),
    "window": Setting("sliding_window", None),
    "theta": Setting("rope_parameters.rope_theta rope_theta", 10000.0),
    "bias": Setting("attention_bias", False),
    "attention_bias": Setting("attention_bias", False),
    "mlp_bias": Setting("mlp_bias", False),
    "tied": Setting("tie_word_embeddings", False),
    "experts": "num_local_experts",
    "k": "num_experts_per_tok",
    "encoder_heads": "encoder_attention_heads",
    "decoder_heads": "decoder_attention_heads",
    "encoder_hidden": "encoder_ffn_dim",
    "decoder_hidden": "decoder_ffn_dim",
    "size": "image_size",
    "patch": "patch_size",
    "channels": "num_channels",
    "classes": Setting(
        "num_labels",
        otherwise=lambda given: len(given["id2label"]) if "id2label" in given else 2,
    ),
}
# Where the type of scaled rotary positions is said.
ROPE_TYPE = "rope_parameters.rope_type", "rope_scaling.rope_type", "rope_scaling.type"
Allowed = tuple[Any, ...] | Callable[[Settings], tuple[Any, ...]]
Said = str | float | tuple[Any, ...] | Callable[[Settings, Any], Any] | None


@dataclass(frozen=True)
class ConfigFile(DefaultConfig[ConfigT]):
    """How a Config is read from a `config.json`, and written to it.

    Attributes:
      config: the Config's class.
      usual: fields that are read by their keys of `USUAL`, or else by their own names.
      fields: how each other field is read: its keys, or a `Setting`.
      optional: keys of fields that have the Config's default if they are not there.
      required: the values of keys that the model implements; `model_type` is one.
      absent: the values that required keys have if they are not there.
      added: keys that are written besides, and their values.
      known: keys that the model follows by other means, or that cannot matter.
      rates: fields that are from 0 to 1.
    """

    usual: str | Sequence[str] = ()
    fields: Mapping[str, str | Sequence[str] | Setting] | None = None
    optional: Mapping[str, str | Sequence[str]] | None = None
    required: Mapping[str | tuple[str, ...], Allowed] | None = None
    absent: Mapping[str, Any] | None = None
    added: Mapping[str, Said] | None = None
    known: str | Sequence[str] = ()
    rates: Sequence[str] = ()

    def settings(self) -> dict[str, Setting]:
        """How each field is read and written."""
        usual = {name: USUAL.get(name, name) for name in split_keys(self.usual)}
        found = {
            name: entry if isinstance(entry, Setting) else Setting(entry)
            for name, entry in {**usual, **(self.fields or {})}.items()
        }
        for name, keys in (self.optional or {}).items():
            found[name] = Setting(keys, getattr(self.config, name))
        return found

    def read(
        self, path: str | Path, *, strict: bool = True, stacklevel: int = 1
    ) -> ConfigT:
        """Read the Config of a checkpoint from its `config.json`.

        Args:
          path: the checkpoint: a folder, a file, or a name on the Hugging Face Hub.
          strict: whether keys that the model does not read are an error, or else a
            warning.
          stacklevel: of the warning, as in `warnings.warn`, from the caller on.

        Raises:
          FileNotFoundError: if there is no `config.json`.
          ValueError: listing all settings that the model does not follow, or only the
            `model_type` of another architecture, from which the others follow.
        """
        given = self.of_text(read_settings(path))
        raise_problems(f"{given.file} does not fit:", self.other_type(given))
        cfg: ConfigT
        cfg, problems = self.filled(given)
        unread = self.unread(given)
        if unread and strict:
            hint = "with strict=False, what the model does not read is a warning"
            problems += [*map(given.unread, unread), hint]
        raise_problems(f"{given.file} does not fit:", problems)
        if unread:
            told = f"{given.file}: the model does not read {', '.join(unread)}"
            warn(told, stacklevel=stacklevel + 1)
        return cfg

    def of_text(self, given: Settings, alone: bool = False) -> Settings:
        """The settings of a language model inside of a multimodal one: those of
        `text_config` before those around it, which are left out if they are to be
        `alone`. A table that names keys of `text_config` reads the file as it is."""
        inner = given.whole.get(TEXT) if isinstance(given.whole, dict) else None
        keys = {*split_keys(self.known)}.union(*map(split_keys, self.required or ()))
        for entry in self.settings().values():
            keys.update(split_keys(entry.keys))
        if not isinstance(inner, dict) or any(k.startswith(f"{TEXT}.") for k in keys):
            return given
        outer = {} if alone else {k: v for k, v in given.whole.items() if k != TEXT}
        return Settings(given.file, {**outer, **inner})

    def filled(self, given: Settings) -> tuple[Any, list[str]]:
        """Make a Config of settings, and describe what of them does not fit."""
        values, problems = {}, []
        kinds = get_type_hints(self.config)
        for name, setting in self.settings().items():
            try:
                values[name] = setting.read(given, kinds[name])
            except SETTING_ERRORS as error:
                problems.append(f"it cannot be read: {error}")
        if given.missing:
            return None, list(map(given.lacking, given.missing))
        problems = problems or list(invalid_fields(values, kinds, self.rates))
        cfg = None
        if not problems:
            try:
                cfg = self.config(**values)
            except SETTING_ERRORS as error:  # whatever its checks make of odd settings
                problems = [str(error) or repr(error)]
        return cfg, [*problems, *dict.fromkeys(given.odd), *self.unmet(given)]

    def other_type(self, given: Settings) -> Iterator[str]:
        """Describe a `model_type` that is not the model's."""
        types = (self.required or {}).get("model_type")
        said = given.get("model_type")
        if isinstance(types, tuple) and said not in (None, *types):
            yield unmet_setting("model_type", said, types)

    def allowed(self, given: Settings) -> Iterator[tuple[Sequence[str], Any]]:
        """Keys of one meaning, and the values that they may have."""
        for keys, values in (self.required or {}).items():
            yield split_keys(keys), values(given) if callable(values) else values

    def unmet(self, given: Settings) -> Iterator[str]:
        """Describe the settings that have other values than required."""
        try:
            allowed = list(self.allowed(given))
        except SETTING_ERRORS as error:
            yield f"it cannot be compared: {error}"
            return
        for keys, values in allowed:
            said = {key: given.get(key) for key in keys if given.says(key)}
            for key, value in said.items():
                if value not in values:
                    yield unmet_setting(key, value, values)
            absent = (self.absent or {}).get(keys[0], values[0])
            if not said and absent not in values:
                yield unmet_setting(keys[0], absent, values, "not there, which means ")
        for key, value in given.single.items():
            if is_called(key, RATES) and not (value is None or is_rate(value)):
                yield f"{key} is {value!r}, not from 0 to 1"
        for key in self.switched_on(given):
            yield f"{key} is {given.single[key]!r}, the model assumes False"

    def known_keys(self, given: Settings) -> set[str]:
        """The keys that are read, required, or cannot matter."""
        known = [*split_keys(self.known), *(self.added or ())]
        known += [key for keys in self.required or {} for key in split_keys(keys)]
        for setting in self.settings().values():
            keys = split_keys(setting.keys)  # an entry of a list is not the others
            lists = [key.rpartition(".")[0] for key in keys if key[-1:].isdigit()]
            known += [key for key in keys if key not in lists]
        return set(map(given.place, known))

    def switched_on(self, given: Settings) -> list[str]:
        """The switches that are on, of what the model does not do."""
        known = self.known_keys(given)
        return [
            key
            for key, value in given.single.items()
            if value and is_called(key, SWITCHES) and not covers(known, key)
        ]

    def unread(self, given: Settings) -> list[str]:
        """The keys that the model does not read, and that may matter."""
        known = self.known_keys(given)
        return [
            key
            for key, value in given.single.items()
            if not (value is None or is_called(key, (*RATES, *HARMLESS, *SWITCHES)))
            and not covers(known, key)
        ]

    def written(self, cfg: Any, like: str | Path | None = None) -> dict[str, Any]:
        """The content of a `config.json` that is read as this Config.

        Args:
          cfg: the Config.
          like: a checkpoint whose `config.json` is changed as far as it differs.

        Raises:
          ValueError: listing the fields that it cannot express.
        """
        given = Settings(Path("config.json"), {})
        if like is not None and beside(like, "config.json").exists():
            given = self.of_text(read_settings(like), alone=True)
        is_other = bool(self.differing(cfg, given))
        self.put_fields(cfg, given)
        self.put_required(given)
        self.put_added(cfg, given, is_other)
        labels = given.whole.get("id2label")
        if labels and len(labels) != given.whole.get("num_labels", len(labels)):
            # transformers would count these, not `num_labels`.
            for name in ("id2label", "label2id"):
                given.whole.pop(name, None)
        given = Settings(given.file, given.whole)
        wrong = [f"{n} is {getattr(cfg, n)!r}" for n in self.differing(cfg, given)]
        unread = map(given.unread, self.unread(given))
        problems = wrong or [*self.filled(given)[1], *unread]
        raise_problems("config.json cannot say this:", problems)
        whole: dict[str, Any] = given.whole
        return whole

    def put_fields(self, cfg: Any, given: Settings) -> None:
        """Write the fields that differ from the settings, or all if there are none."""
        known = self.settings()
        names = [n for n, s in known.items() if not given and s.write is None]
        for _ in range(2):  # the value of a field may depend on another
            for name in dict.fromkeys([*names, *self.differing(cfg, given)]):
                with suppress(*SETTING_ERRORS):
                    given.put(known[name].written(getattr(cfg, name)))
            names = []

    def put_required(self, given: Settings) -> None:
        """Give required keys of other values the first that is allowed."""
        for keys, values in self.allowed(given):
            places = [key for key in keys if given.says(key)] or keys[:1]
            if not given.missing:  # the values that are allowed may depend on others
                wrong = [key for key in places if given.get(key) not in values]
                given.put(dict.fromkeys(wrong, values[0]))
            given.missing.clear()
        given.put(dict.fromkeys(self.switched_on(given), False))

    def put_added(self, cfg: Any, given: Settings, is_other: bool) -> None:
        """Write the added keys that are not there; those that are computed also if the
        Config `is_other` than the settings were."""
        for key, value in (self.added or {}).items():
            if not given.says(key) or (is_other and callable(value)):
                with suppress(*SETTING_ERRORS):
                    said = value(given, cfg) if callable(value) else value
                    given.put({} if given.missing else {key: said})
                given.missing.clear()

    def differing(self, cfg: Any, given: Settings) -> list[str]:
        """The fields of a Config that would be read otherwise from settings."""
        names, known = [], self.settings()
        for name, kind in get_type_hints(self.config).items():
            value, given.missing = getattr(cfg, name), []
            try:
                default = getattr(self.config, name, None)
                said = known[name].read(given, kind) if name in known else default
                if given.missing or not is_same(said, value):
                    names.append(name)
            except SETTING_ERRORS:
                names.append(name)
        given.missing = []
        return [name for name in names if name not in DTYPE_FIELDS]


@dataclass(frozen=True)
class Pretrained(Checkpoint[ModelT, ConfigT]):
    """How checkpoints with a `config.json` are loaded and saved."""

    settings: ConfigFile[ConfigT]

    def save(
        self,
        model: ModelT,
        path: str | Path,
        cfg: ConfigT | None = None,
        *,
        like: str | Path | None = None,
    ) -> None:
        """Save a model as a checkpoint that `load` reads.

        Args:
          model: the model.
          path: a folder, or a file that ends in `.safetensors`.
          cfg: the model's Config; with it, a `config.json` is written too.
          like: a checkpoint from which everything else is copied: tensors that the
            model does not load, and settings that it does not read.

        Raises:
          TypeError: if `cfg` is no Config.
          ValueError: if `cfg` is not that of the model, or a `config.json` cannot
            express it.
        """
        model = self.plain(model)
        self.write(model, path, like, self.files(model, cfg, like))

    def files(
        self, model: ModelT, cfg: ConfigT | None, like: str | Path | None
    ) -> dict[str, dict[str, Any]]:
        """The contents of the JSON files beside the weights, by name."""
        if cfg is None:
            return {}
        self.settings.check_type(cfg)
        found = {"config.json": self.settings.written(cfg, like)}
        made = nnx.eval_shape(lambda: self.model(cfg, rngs=nnx.Rngs(0)))
        raise_problems("this is not the model's Config:", shape_problems(model, made))
        name = "generation_config.json"
        if like is not None and (file := beside(like, name)).exists():
            found[name] = read_json(file)
        return found


# Keys that change no output, wherever they are in the file.
HARMLESS = (
    # where a file comes from, and its precision, which the tensors have themselves
    "_name_or_path _commit_hash _class_name architectures auto_map model_type dtype "
    "torch_dtype transformers_version _diffusers_version 'transformers.js_config'* "
    # how the library computes the same, or what it returns besides
    "use_cache _attn_implementation* attn_implementation torchscript pretraining_tp "
    "output_attentions output_hidden_states output_router_logits is_encoder_decoder "
    "return_dict use_return_dict chunk_size_feed_forward gradient_checkpointing "
    "output_past output_scores return_dict_in_generate use_bfloat16 "
    "cache_implementation *softmax_in_fp32 residual_in_fp32 masked_softmax_fusion "
    "skip_bias_add skip_bias_add_qkv slow_but_exact fused_add_norm use_mambapy "
    "use_associative_scan deterministic_flash_attn init_device verbose "
    # only for training: initializers, rates, losses
    "initializer_range initializer_factor initializer_std init_std mask_time_* "
    "mask_feature_* mask_channel_* freeze_feat_extract_train label_smoothing "
    "router_aux_loss_coef router_z_loss_coef router_jitter_noise *ignore_index "
    "aux_loss_alpha seq_aux *_loss_coefficient bbox_cost class_cost giou_cost "
    "eos_coefficient apply_spec_augment ctc_loss_reduction ctc_zero_infinity "
    "contrastive_logits_temperature diversity_loss_weight num_negatives init_config "
    "init_xavier_std initializer_cutoff_factor *w_init_variance_scale "
    "rescale_prenorm_residual time_step_init_scheme "
    # labels, tokenizers, tasks
    "id2label label2id _num_labels problem_type finetuning_task task_specific_params "
    "tokenizer_class tokenizer_name timm_version "
    "bos_token_id sep_token_id cls_token_id unk_token_id prefix "
    # sampling, which older files have in place of a `generation_config.json`
    "decoder_start_token_id forced_*_token_id forced_decoder_ids max_length min_length "
    "do_sample early_stopping num_beams num_beam_groups num_return_sequences "
    "diversity_penalty length_penalty repetition_penalty *no_repeat_ngram_size "
    "bad_words_ids *suppress_tokens remove_invalid_values typical_p "
    "num_parallel_samples "
    # of other heads
    "summary_*"
).split()
# Switches of what few models do: a file in which one is on is refused, unless the table
# of a model names it.
SWITCHES = (
    "is_decoder add_cross_attention use_sliding_window use_mrope scale_embedding "
    "scale_attn_by_inverse_layer_idx reorder_and_upcast_attn "
    "apply_residual_connection_post_layernorm"
).split()
TEXT = "text_config"  # the settings of the language model in a multimodal one
RATES = ("*dropout*", "*_pdrop", "*layerdrop", "*drop_path*")  # only for training


def unmet_setting(key: str, value: Any, allowed: tuple[Any, ...], how: str = "") -> str:
    """Describe a setting of another value than those that are allowed."""
    meant = " or ".join(map(repr, allowed))
    return f"{key} is {how}{value!r}, the model assumes {meant}"


def is_called(key: str, globs: Sequence[str]) -> bool:
    """Whether a key, or an object that holds it, has one of these names."""
    parts = (key, *key.split("."))
    return any(fnmatchcase(part, glob) for part in parts for glob in globs)


def covers(known: set[str], key: str) -> bool:
    """Whether a key is known, is inside of a known one, or is a list of one entry that
    is known. In a known key, `*` stands for any text."""
    parts = key.split(".")
    around = {".".join(parts[:n]) for n in range(1, len(parts) + 1)}
    globs = [one for one in known if "*" in one]
    matched = any(fnmatchcase(one, glob) for one in around for glob in globs)
    return matched or not known.isdisjoint({*around, f"{key}.0"})


def shape_problems(model: nnx.Module, expected: nnx.Module) -> list[str]:
    """Describe the weights of a model that have other shapes than expected."""
    found, wanted = (
        {path: v.shape for path, v in nnx.to_flat_state(nnx.state(m, nnx.Param))}
        for m in (model, expected)
    )
    problems = []
    for path in dict.fromkeys([*wanted, *found]):
        shape, meant = (shapes.get(path, "not there") for shapes in (found, wanted))
        if shape != meant:
            problems.append(f"{dotted(path)} is {shape}, with it {meant}")
    return shortened(problems)


def is_rate(value: Any) -> bool:
    """Whether a value is from 0 to 1."""
    return isinstance(value, int | float) and 0 <= value <= 1


def invalid_fields(
    values: Mapping[str, Any], kinds: Mapping[str, Any], rates: Sequence[str]
) -> Iterator[str]:
    """Describe the values that are not of their field's type, or no rate."""
    for name, value in values.items():
        kind = kinds[name]
        if not has_type(value, kind):
            expected = kind.__name__ if isinstance(kind, type) else kind
            yield f"{name} would be {value!r}, not {expected}"
        elif name in rates and not is_rate(value):
            yield f"{name} would be {value!r}, not from 0 to 1"


def split_keys(keys: str | Sequence[str]) -> Sequence[str]:
    """Several keys, which may be one text with spaces between."""
    return keys.split() if isinstance(keys, str) else keys


def put_at(place: Any, part: str, value: Any) -> None:
    """Set an entry of an object, or of a list by its position, or append to a list."""
    if isinstance(place, dict):
        place[part] = value
    elif part.isdigit() and int(part) <= len(place):
        place[int(part) : int(part) + 1] = [value]


def inside(place: Any, part: str) -> Any:
    """An entry of an object, or of a list by its position."""
    if isinstance(place, dict):
        return place.get(part)
    return place[int(part)] if part.isdigit() and int(part) < len(place) else None


# Activations by their names in a `config.json`; the first name of each is written. Each
# is one object, so that Configs that have the same activation are equal.
ACTIVATIONS: dict[str, Callable[[jax.Array], jax.Array]] = {
    "relu": nnx.relu,
    "gelu": exact_gelu,
    "gelu_new": nnx.gelu,
    "quick_gelu": quick_gelu,
    "silu": nnx.silu,
    "elu": nnx.elu,
    "hardswish": nnx.hard_silu,
    "leaky_relu": nnx.leaky_relu,
    "linear": lambda x: x,
    "mish": jax.nn.mish,
    "relu2": lambda x: jnp.square(nnx.relu(x)),
    "relu6": jax.nn.relu6,
    "selu": nnx.selu,
    "sigmoid": nnx.sigmoid,
    "tanh": nnx.tanh,
    # other names of those above
    "gated-gelu": nnx.gelu,
    "gelu_accurate": nnx.gelu,
    "gelu_fast": nnx.gelu,
    "gelu_python": exact_gelu,
    "gelu_pytorch_tanh": nnx.gelu,
    "swish": nnx.silu,
}


def activation_named(
    name: Any, key: str = "an activation"
) -> Callable[[jax.Array], jax.Array]:
    """The activation of a name in a `config.json`; a ValueError if it is unknown."""
    if name not in ACTIVATIONS:
        raise ValueError(f"{key} is {name!r}, not one of {', '.join(ACTIVATIONS)}")
    return ACTIVATIONS[name]


def activation_name(function: Callable[..., Any]) -> str:
    """The name of an activation in a `config.json`.

    It is found by values: any function that computes an activation has its name.
    """
    x = jnp.linspace(-9, 9, 145)
    y = function(x)
    for name, known in ACTIVATIONS.items():
        if known is function or np.allclose(known(x), y, 1e-5, 1e-6):
            return name
    raise ValueError(f"{function} has no name")


def is_same(one: Any, other: Any) -> bool:
    """Whether values of a field are equal; activations are if they compute the same."""
    if callable(one) and callable(other):
        return one is other or activation_name(one) == activation_name(other)
    if isinstance(one, float) and isinstance(other, int | float):
        return math.isclose(one, other, rel_tol=1e-12)  # 1 - (1 - x) is nearly x
    return bool(frozen(one) == frozen(other))


def frozen(value: Any) -> Any:
    """Lists as tuples, nested ones too."""
    return tuple(map(frozen, value)) if isinstance(value, list) else value


def has_type(value: Any, kind: Any) -> bool:
    """Whether a value is of a field's type; an int is a float, but a bool is no int."""
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


def accepts(kind: Any, plain: Any) -> bool:
    """Whether the type of a field, or a member of its union, is `plain`."""
    choices = get_args(kind) if isinstance(kind, UnionType) else (kind,)
    return any((get_origin(choice) or choice) is plain for choice in choices)


def read_settings(path: str | Path) -> Settings:
    """Read the `config.json` of a checkpoint."""
    file = beside(path, "config.json")
    if not file.exists():
        raise FileNotFoundError(f"{file} is not there: pass a Config")
    try:
        return Settings(file, read_json(file))
    except RecursionError:
        raise ValueError(f"{file} is nested too deeply") from None
