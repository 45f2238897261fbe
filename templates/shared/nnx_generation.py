"""Read and write the `generation_config.json` of a checkpoint.

What changes the tokens that are sampled is followed, or it is an error.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nnx_checkpoints import ConfigT, ModelT, beside, raise_problems, read_json
from nnx_configs import Pretrained, frozen, has_type, is_called
from nnx_decoding import Sampling, sampling_options


@dataclass(frozen=True)
class PretrainedLM(Pretrained[ModelT, ConfigT]):
    """How checkpoints of a language model are loaded and saved, with options of
    `generate`."""

    def save(
        self,
        model: ModelT,
        path: str | Path,
        cfg: ConfigT | None = None,
        *,
        like: str | Path | None = None,
        sampling: Sampling | None = None,
    ) -> None:
        """Save a model as a checkpoint that `load` reads.

        Args:
          model: the model.
          path: a folder, or a file that ends in `.safetensors`.
          cfg: the model's Config; with it, a `config.json` is written too.
          like: a checkpoint from which everything else is copied: tensors that the
            model does not load, and settings that it does not read.
          sampling: options of `generate` for the `generation_config.json`.

        Raises:
          ValueError: if `cfg` is not that of the model, or a `config.json` cannot
            express it.
        """
        model = self.plain(model)
        files = self.files(model, cfg, like)
        if sampling is not None or (cfg is not None and like is None):
            content = generation_config(sampling or Sampling(), like)
            files["generation_config.json"] = content
        self.write(model, path, like, files)


# Keys that change none of the tokens that are sampled.
HARMLESS_SAMPLING = (
    "_* transformers_version bos_token_id pad_token_id decoder_start_token_id "
    "max_length use_cache cache_* max_cache_len return_dict_in_generate output_* "
    "renormalize_logits remove_invalid_values early_stopping length_penalty "
    "*assistant* *_lookbehind prompt_lookup_num_tokens max_matching_ngram_size "
    "compile_config disable_compile low_memory"
).split()
# Keys that change none if they are 1; all others change none if they are 0 or null.
FACTORS = (
    "num_beams num_beam_groups num_return_sequences typical_p repetition_penalty "
    "encoder_repetition_penalty guidance_scale"
).split()
FOLLOWED = {
    "do_sample": bool | None,
    "temperature": float | None,
    "top_k": int | None,
    "top_p": float | None,
    "max_new_tokens": int | None,
    "eos_token_id": int | tuple[int, ...] | None,
}


def read_generation_config(path: str | Path) -> Sampling:
    """Read the options of `generate` that come with a checkpoint.

    Args:
      path: the checkpoint. If it has no `generation_config.json`, only the tokens that
        end a text are read, from its `config.json`.

    Raises:
      ValueError: listing all settings that `generate` does not follow.
    """
    file = beside(path, "generation_config.json")
    content = read_json(file if file.exists() else beside(path, "config.json"))
    if not file.exists():
        content = {k: v for k, v in content.items() if k.startswith("eos_")}
    settings = {key: frozen(value) for key, value in content.items()}
    raise_problems(f"{file} does not fit:", not_followed(settings))
    settings = {key: value for key, value in settings.items() if value is not None}
    stop = settings.get("eos_token_id", ())
    options = Sampling(stop=stop if isinstance(stop, tuple) else (stop,))
    if "max_new_tokens" in settings:
        options["max_new_tokens"] = settings["max_new_tokens"]
    if settings.get("do_sample"):  # with the defaults of transformers
        options["temperature"] = float(settings.get("temperature", 1.0))
        options["top_k"] = settings.get("top_k", 50) or None
        top_p = settings.get("top_p", 1.0)
        options["top_p"] = top_p if top_p < 1 else None
    return options


def not_followed(settings: Mapping[str, Any]) -> Iterator[str]:
    """Describe the settings that `generate` does not follow."""
    for key, value in settings.items():
        if key in FOLLOWED:
            if not has_type(value, FOLLOWED[key]):
                yield f"{key} is {value!r}"
            continue
        neutral = not value or (key in FACTORS and value == 1)
        if not neutral and not is_called(key, HARMLESS_SAMPLING):
            yield f"{key} is {value!r}, which `generate` does not do"


def generation_config(
    sampling: Sampling, like: str | Path | None = None
) -> dict[str, Any]:
    """The content of a `generation_config.json` with these options.

    Args:
      sampling: options of `generate`.
      like: a checkpoint from which settings are copied that are no such options.

    Raises:
      TypeError: if `generate` does not have an option.
    """
    sampling_options(sampling)  # are there such options?
    content: dict[str, Any] = {}
    if like and (file := beside(like, "generation_config.json")).exists():
        content = {k: v for k, v in read_json(file).items() if k not in FOLLOWED}
    stop, temperature = [*sampling.get("stop", ())], sampling.get("temperature", 0.0)
    content["do_sample"] = temperature > 0
    content["eos_token_id"] = stop[0] if len(stop) == 1 else stop or None
    if temperature > 0:
        content["temperature"] = temperature
        content["top_k"] = sampling.get("top_k") or 0
        content["top_p"] = sampling.get("top_p") or 1.0
    if "max_new_tokens" in sampling:
        content["max_new_tokens"] = sampling["max_new_tokens"]
    return content
