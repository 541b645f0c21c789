"""The truth of ``prompt_tuning`` against peft's prompt tuning around a small GPT-2 of transformers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from peft import PeftModelForCausalLM, PromptTuningConfig, get_peft_model
from transformers import GPT2Config, GPT2LMHeadModel
from transformers.loss.loss_utils import ForCausalLMLoss

from support.truths import truth_of

TRUTH = truth_of("prompt_tuning")
ROWS, WIDTH, TOKENS = 3, 8, 13


def tuned() -> PeftModelForCausalLM:
    """A frozen random model without dropout, and peft's prompt in front of it, in float64."""
    config = GPT2Config(
        vocab_size=TOKENS, n_positions=16, n_embd=WIDTH, n_layer=2, n_head=2, bos_token_id=0, eos_token_id=0
    )
    model = GPT2LMHeadModel(config).double()
    prompt = PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=ROWS, prompt_tuning_init="RANDOM")
    return get_peft_model(model, prompt).double().eval()


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("side", ["left", "right"])
def test_prompt_tuning(seed: int, side: str) -> None:
    torch.manual_seed(seed)
    draw = np.random.default_rng(seed)
    model = tuned()
    weight = model.prompt_encoder["default"].embedding.weight
    tokens = torch.from_numpy(draw.integers(0, TOKENS, (4, 6)))
    length = draw.integers(2, 7, (4, 1))
    places = np.arange(6) if side == "right" else np.arange(6)[::-1]
    mask = (places < length).astype(np.int64)
    labels = np.where(draw.random((4, 6)) < 0.3, -100, tokens.numpy())

    # What peft hands to the model, what the model makes of it, and the gradients of both.
    base, seen = model.get_base_model(), {}

    def keep(_: torch.nn.Module, __: tuple, arguments: dict) -> None:
        seen.update(arguments)
        seen["inputs_embeds"].retain_grad()

    base.register_forward_pre_hook(keep, with_kwargs=True)
    result = model(input_ids=tokens, attention_mask=torch.from_numpy(mask), labels=torch.from_numpy(labels))
    result.loss.backward()
    assert [p for p in model.parameters() if p.grad is not None] == [weight]  # all else is frozen

    embeddings = base.transformer.wte(tokens).detach().numpy()
    prompt = weight.detach().numpy()
    inputs, extended, targets = TRUTH.torch_prepend(prompt, embeddings, mask, labels)
    np.testing.assert_array_equal(inputs, seen["inputs_embeds"].detach().numpy())
    np.testing.assert_array_equal(extended, seen["attention_mask"].numpy())
    np.testing.assert_array_equal(targets, seen["labels"].numpy())
    assert extended.dtype == mask.dtype
    assert targets.dtype == labels.dtype

    # There the loss is taken in float32.
    own = TRUTH.torch_token_loss(result.logits.detach().numpy(), targets)
    np.testing.assert_allclose(own, result.loss.item(), rtol=1e-6)

    # Of the gradient there is no truth but autograd's: the solution itself against peft's parameter.
    d_inputs = seen["inputs_embeds"].grad.numpy()
    np.testing.assert_allclose(TRUTH.prompt_grad(d_inputs, ROWS), weight.grad.numpy(), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_token_loss_without_a_prompt(seed: int) -> None:
    """The labels of first tokens, which a prompt hides, do not count there either."""
    draw = np.random.default_rng(seed)
    logits, labels = draw.normal(size=(3, 5, TOKENS)), draw.integers(0, TOKENS, (3, 5))
    labels[draw.random((3, 5)) < 0.3] = -100
    labels[:, 0] = 1
    due = ForCausalLMLoss(torch.from_numpy(logits), torch.from_numpy(labels), TOKENS).item()
    np.testing.assert_allclose(TRUTH.torch_token_loss(logits, labels), due, rtol=1e-6)
    assert TRUTH.torch_token_loss(logits, np.full_like(labels, -100)) == 0.0


@pytest.mark.parametrize("seed", range(3))
def test_the_gradient_of_a_shared_prompt(seed: int) -> None:
    """Autograd's gradient of the prompt against differences of the loss of a model in NumPy."""
    draw = np.random.default_rng(seed)
    prompt, w_in, w_out = (draw.normal(size=shape) for shape in ((2, 5), (5, 4), (4, TOKENS)))
    embeddings, mask, labels = TRUTH.draw_batch(draw, 3, 6, 5, TOKENS)

    def loss(prompt: np.ndarray) -> float:
        total, count = 0.0, 0
        for rows, seen, tokens in zip(embeddings, mask, labels, strict=True):
            rows, seen = np.vstack([prompt, rows]), [1] * len(prompt) + list(seen)
            state = np.zeros(4)
            for place, (row, kept) in enumerate(zip(rows, seen, strict=True)):
                state = state + kept * np.tanh(row @ w_in)
                following = place + 1 - len(prompt)
                if 0 <= following < len(tokens) and tokens[following] != -100:
                    logits = state @ w_out
                    total += np.log(np.exp(logits).sum()) - logits[tokens[following]]
                    count += 1
        return total / count

    d_inputs, own = TRUTH.torch_gradients(prompt, embeddings, mask, labels, w_in, w_out)
    assert d_inputs.shape == (3, 8, 5)
    due, step = np.zeros_like(prompt), 1e-5
    for place in np.ndindex(*prompt.shape):
        moved = np.zeros_like(prompt)
        moved[place] = step
        due[place] = (loss(prompt + moved) - loss(prompt - moved)) / (2 * step)
    np.testing.assert_allclose(own, due, rtol=1e-6, atol=1e-8)
