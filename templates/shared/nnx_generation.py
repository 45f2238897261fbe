"""Options of `generate` and the `generation_config.json` of a checkpoint: what changes
tokens is read and written, or told."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nnx_checkpoints import ConfigT, ModelT, beside, raise_problems, read_json
from nnx_configs import Pretrained, frozen, has_type, is_called
from nnx_decoding import Sampling


@dataclass(frozen=True)
class PretrainedLM(Pretrained[ModelT, ConfigT]):
    """How folders that were published hold a language model, and how it is sampled."""

    def save(
        self,
        model: ModelT,
        path: str | Path,
        cfg: ConfigT | None = None,
        *,
        like: str | Path | None = None,
        sampling: Sampling | None = None,
    ) -> None:
        """Save the weights as `load` reads them, in a folder or a file.

        With `cfg`, the model's, a `config.json` beside them says it. What neither says
        is copied from the checkpoint `like`. Options of `generate` go into
        `generation_config.json`.
        """
        model = self.plain(model)
        files = self.files(model, cfg, like)
        if sampling is not None or (cfg is not None and like is None):
            said = generation_config(sampling or Sampling(), like)
            files["generation_config.json"] = said
        self.write(model, path, like, files)


# Keys of a `generation_config.json` that change no token of those that are drawn.
UNSAMPLED = (
    "_* transformers_version bos_token_id pad_token_id decoder_start_token_id "
    "max_length use_cache cache_* max_cache_len return_dict_in_generate output_* "
    "renormalize_logits remove_invalid_values early_stopping length_penalty "
    "*assistant* *_lookbehind prompt_lookup_num_tokens max_matching_ngram_size "
    "compile_config disable_compile low_memory"
).split()
# Keys that change none where they are 1; others where they are 0, false or null.
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
    """The options of `generate` that a checkpoint says; what it says besides is one
    error.

    Where it has no `generation_config.json`, its `config.json` has the tokens that end
    a text.
    """
    file = beside(path, "generation_config.json")
    given = read_json(file if file.exists() else beside(path, "config.json"))
    said = {k: frozen(v) for k, v in given.items() if file.exists() or k[:4] == "eos_"}
    raise_problems(f"{file} does not fit:", unsampled(said))
    said = {k: v for k, v in said.items() if v is not None}
    stop = said.get("eos_token_id", ())
    options = Sampling(stop=stop if isinstance(stop, tuple) else (stop,))
    if "max_new_tokens" in said:
        options["max_new_tokens"] = said["max_new_tokens"]
    if said.get("do_sample"):  # with what transformers has where the file says nothing
        options["temperature"] = float(said.get("temperature", 1.0))
        options["top_k"] = said.get("top_k", 50) or None
        nucleus = said.get("top_p", 1.0)
        options["top_p"] = nucleus if nucleus < 1 else None
    return options


def unsampled(said: Mapping[str, Any]) -> Iterator[str]:
    """The settings that `generate` does not follow."""
    for key, value in said.items():
        if key in FOLLOWED:
            if not has_type(value, FOLLOWED[key]):
                yield f"{key} is {value!r}"
            continue
        neutral = not value or (key in FACTORS and value == 1)
        if not neutral and not is_called(key, UNSAMPLED):
            yield f"{key} is {value!r}, which `generate` does not do"


def generation_config(
    sampling: Sampling, like: str | Path | None = None
) -> dict[str, Any]:
    """What says these options of `generate` to transformers, over what the checkpoint
    `like` says."""
    if unknown := sampling.keys() - Sampling.__annotations__:
        raise ValueError(f"`generate` has no option {min(unknown)}")
    said: dict[str, Any] = {}
    if like and (file := beside(like, "generation_config.json")).exists():
        said = {k: v for k, v in read_json(file).items() if k not in FOLLOWED}
    stop, temperature = [*sampling.get("stop", ())], sampling.get("temperature", 0.0)
    said["do_sample"] = temperature > 0
    said["eos_token_id"] = stop[0] if len(stop) == 1 else stop or None
    if temperature > 0:
        said["temperature"] = temperature
        said["top_k"] = sampling.get("top_k") or 0
        said["top_p"] = sampling.get("top_p") or 1.0
    if "max_new_tokens" in sampling:
        said["max_new_tokens"] = sampling["max_new_tokens"]
    return said
