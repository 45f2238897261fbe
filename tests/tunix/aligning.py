"""Stages that train towards preferences, a teacher, a reward."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from .specs import Make
from .work import IDS, Letters, arguments, counting

SGD = optax.sgd(1e-2)


def _moved(before: Any, model: Any) -> None:
    same = jax.tree.map(np.array_equal, before, nnx.state(model, nnx.Param))
    assert not jax.tree.all(same), "no weight changed"


def _weights(model: Any) -> Any:
    return jax.tree.map(np.array, nnx.state(model, nnx.Param))


def dpo(make: Make) -> None:
    """Direct preference optimization."""
    from tunix.sft.dpo import dpo_trainer

    rng, model = np.random.default_rng(0), make()
    before, given = _weights(model), {}
    for name in ("prompt", "chosen", "rejected"):
        given[f"{name}_ids"] = rng.integers(3, IDS, (4, 4)).astype(np.int32)
        given[f"{name}_mask"] = np.ones((4, 4), bool)
    config = dpo_trainer.DPOTrainingConfig(
        eval_every_n_steps=100,
        max_steps=3,
        max_prompt_length=4,
        max_response_length=4,
    )
    batches = [dpo_trainer.TrainingInput(**given)] * 3
    dpo_trainer.DPOTrainer(model, make(1), SGD, config).train(batches)
    _moved(before, model)


def distillation(make: Make) -> None:
    """A student learns the scores of a teacher."""
    from tunix.distillation import distillation_trainer, strategies

    student = make()
    before = _weights(student)

    def scores(model: Any, input_tokens: Any, input_mask: Any, **rest: Any) -> Any:
        return model(input_tokens, **arguments(input_tokens, input_mask))[0]

    def labels(input_tokens: Any, **rest: Any) -> Any:
        return jax.nn.one_hot(input_tokens, student.num_embed)

    strategy = strategies.LogitStrategy(scores, scores, labels)
    config = distillation_trainer.TrainingConfig(eval_every_n_steps=100, max_steps=3)
    trainer = distillation_trainer.DistillationTrainer(
        student, make(1), strategy, SGD, config
    )
    trainer.train(counting(3))
    _moved(before, student)


def grpo(make: Make) -> None:
    """Group relative policy optimization: samples, rewards, steps."""
    from tunix.rl import rl_cluster
    from tunix.rl.grpo import grpo_learner

    cluster = rl_cluster.RLCluster(
        actor=make(),
        reference=make(),
        tokenizer=Letters(),
        cluster_config=_cluster_config(rl_cluster),
    )
    config = grpo_learner.GRPOConfig(num_generations=2, num_iterations=1)
    learner = grpo_learner.GRPOLearner(
        rl_cluster=cluster, reward_fns=_variety, algo_config=config
    )
    learner.train([{"prompts": np.array(["abc", "bcd"])}] * 2, None)
    actor = cluster.actor_trainer.model
    assert all(jnp.isfinite(w).all() for w in jax.tree.leaves(_weights(actor)))


def _variety(prompts: Any, completions: Any, **rest: Any) -> list[float]:
    return [float(len(set(completion))) for completion in completions]


def _cluster_config(rl_cluster: Any) -> Any:
    from tunix.rl.rollout import base_rollout

    mesh = jax.sharding.Mesh(np.array(jax.devices()[:1]).reshape(1, 1), ("fsdp", "tp"))
    roles = rl_cluster.Role.ACTOR, rl_cluster.Role.REFERENCE, rl_cluster.Role.ROLLOUT
    return rl_cluster.ClusterConfig(
        role_to_mesh=dict.fromkeys(roles, mesh),
        rollout_engine="vanilla",
        offload_to_cpu=False,
        training_config=rl_cluster.RLTrainingConfig(
            actor_optimizer=SGD, eval_every_n_steps=10, max_steps=2
        ),
        rollout_config=base_rollout.RolloutConfig(
            max_tokens_to_generate=6, max_prompt_length=8, kv_cache_size=32
        ),
    )
