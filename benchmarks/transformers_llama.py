"""Llama's greedy decoding by transformers, as a process that is asked line by line.

python transformers_llama.py FOLDER, with a Python that has torch and transformers
"""

from __future__ import annotations

import json
import sys
import time

import torch
from transformers import LlamaForCausalLM


def main(folder: str) -> None:
    """Answers each request, prompts and a number of tokens, with seconds and tokens."""
    model = LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        prompts = torch.tensor(request["prompts"])
        start = time.perf_counter()
        whole = model.generate(
            prompts,
            attention_mask=torch.ones_like(prompts),
            max_new_tokens=request["more"],
            do_sample=False,
        )
        seconds = time.perf_counter() - start
        tokens = whole[:, prompts.shape[1] :].tolist()
        print(json.dumps({"seconds": seconds, "tokens": tokens}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
