"""What stages have in common: a task, its training, adapters, samples."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import qwix
from flax import nnx

from tunix.generate import sampler
from tunix.sft import peft_trainer, utils

IDS = 32  # that texts are made of; pad, start and end are the first three
NEVER = IDS + 1000  # an end that no model samples
TARGETS = ".*(q|v|o|gate|up|down)_proj"


class Letters:
    """A tokenizer of single letters."""

    def pad_id(self) -> int:
        return 0

    def bos_id(self) -> int:
        return 1

    def eos_id(self) -> int:
        return 2

    def encode(self, text: str, **options: Any) -> list[int]:
        return [3 + ord(letter) - ord("a") for letter in text]

    def decode(self, ids: Sequence[int], **options: Any) -> str:
        return "".join(chr(ord("a") + int(i) - 3) for i in ids)


def counting(
    steps: int, *, size: int = 8, length: int = 16, seed: int = 0
) -> Iterator[Any]:
    """Batches of a task that is soon learnt: each token is the one before, and one."""
    rng = np.random.default_rng(seed)
    for _ in range(steps):
        first = rng.integers(0, IDS - 3, (size, 1))
        tokens = (first + np.arange(length)) % (IDS - 3) + 3
        mask = np.ones(tokens.shape, bool)
        yield peft_trainer.TrainingInput(tokens.astype(np.int32), mask)


def arguments(tokens: Any, mask: Any) -> dict[str, Any]:
    """What a model is given besides tokens of which some are padding."""
    return {
        "positions": utils.build_positions_from_mask(mask),
        "attention_mask": utils.make_causal_attn_mask(mask),
    }


def inputs(batch: Any) -> dict[str, Any]:
    tokens, mask = batch.input_tokens, batch.input_mask
    given = {"input_tokens": tokens, "input_mask": mask}
    return given | arguments(tokens, mask)


def loss(model: Any) -> float:
    """How badly a model counts, on a batch that it was not trained on."""
    (batch,) = counting(1, seed=99)
    tokens = jnp.array(batch.input_tokens)
    logits, _ = model(tokens, **arguments(tokens, jnp.array(batch.input_mask)))
    entropies = optax.softmax_cross_entropy_with_integer_labels(
        logits[:, :-1], tokens[:, 1:]
    )
    return float(entropies.mean())


def train(
    model: Any, steps: int = 40, rate: float = 1e-2, folder: str | None = None
) -> Any:
    """Train with Tunix's trainer, with checkpoints in a folder; the model itself is changed."""
    config = peft_trainer.TrainingConfig(
        eval_every_n_steps=1000, max_steps=steps, checkpoint_root_directory=folder
    )
    trainer = peft_trainer.PeftTrainer(model, optax.adam(rate), config)
    trainer.with_gen_model_input_fn(inputs).train(counting(steps))
    return model


def adapted(model: Any) -> Any:
    """The model with qwix's adapters beside its projections."""
    provider = qwix.LoraProvider(module_path=TARGETS, rank=4, alpha=8.0)
    return qwix.apply_lora_to_model(
        model, provider, rngs=nnx.Rngs(1), **model.get_model_input()
    )


def sample(model: Any, prompts: list[str], **options: Any) -> tuple[Any, Any]:
    """A sampler, and eight tokens that it adds to each prompt."""
    config = model.config
    cache = sampler.CacheConfig(
        cache_size=32,
        num_layers=config.num_layers,
        num_kv_heads=config.num_kv_heads,
        head_dim=config.head_dim,
    )
    made = sampler.Sampler(model, Letters(), cache)
    options = {"max_generation_steps": 8, "eos_tokens": [NEVER]} | options
    return made, made(prompts, **options)


def continued(model: Any, prompt: str, more: int = 8) -> list[int]:
    """The likeliest tokens after a prompt, each by a whole call without a cache."""
    ids = [Letters().bos_id(), *Letters().encode(prompt)]
    end = len(ids) + more
    mask = jnp.ones((1, end), bool)

    @nnx.jit
    def scores(model: Any, tokens: jax.Array) -> jax.Array:
        return model(tokens, **arguments(tokens, mask))[0]

    while len(ids) < end:
        tokens = jnp.array([ids + [0] * (end - len(ids))])
        ids.append(int(scores(model, tokens)[0, len(ids) - 1].argmax()))
    return ids[-more:]
