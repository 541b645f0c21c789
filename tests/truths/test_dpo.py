"""The truth of ``dpo`` against trl's trainer, and against the loss that transformers' models report.

Both take the log-softmax in float32, whatever the model is in: hence the tolerances.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from datasets import Dataset
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast
from trl import DPOConfig, DPOTrainer

from support.truths import truth_of

TRUTH = truth_of("dpo")
VOCABULARY, BETA, PAIRS, LENGTH = 23, 0.3, 3, 9


def model(seed: int) -> GPT2LMHeadModel:
    """A small decoder with random weights, far enough from uniform that every token tells."""
    torch.manual_seed(seed)
    config = GPT2Config(
        vocab_size=VOCABULARY,
        n_positions=LENGTH,
        n_embd=8,
        n_layer=1,
        n_head=2,
        initializer_range=1.0,
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        bos_token_id=2,
        eos_token_id=2,
        pad_token_id=1,
    )
    return GPT2LMHeadModel(config).double()


@pytest.fixture(scope="module")
def trainer(tmp_path_factory: pytest.TempPathFactory) -> DPOTrainer:
    words = Tokenizer(WordLevel({f"w{i}": i for i in range(VOCABULARY)}, unk_token="w0"))
    words.pre_tokenizer = Whitespace()
    return DPOTrainer(
        model=model(0),
        ref_model=model(1),
        args=DPOConfig(
            output_dir=str(tmp_path_factory.mktemp("trl")), report_to=[], use_cpu=True, bf16=False, beta=BETA
        ),
        train_dataset=Dataset.from_list([{"prompt": "w3", "chosen": "w5 w6", "rejected": "w7"}]),
        processing_class=PreTrainedTokenizerFast(tokenizer_object=words, pad_token="w1", eos_token="w2"),
    )


def draw(seed: int) -> dict[str, torch.Tensor]:
    """A batch as the trainer collates it: the winners, then the losers, padded on the right."""
    rng = np.random.default_rng(seed)
    tokens = rng.integers(3, VOCABULARY, (2 * PAIRS, LENGTH))
    place = np.arange(LENGTH)
    start, stop = rng.integers(2, 4, (2 * PAIRS, 1)), rng.integers(5, LENGTH + 1, (2 * PAIRS, 1))
    inside = place < stop
    counts = (place >= start) & inside & (rng.random(tokens.shape) < 0.8)
    arrays = (np.where(inside, tokens, 1), inside.astype(np.int64), counts.astype(np.int64))
    return dict(
        zip(("input_ids", "attention_mask", "completion_mask"), map(torch.from_numpy, arrays), strict=True)
    )


def halves(net: torch.nn.Module, batch: dict[str, torch.Tensor]) -> tuple[np.ndarray, np.ndarray]:
    """The truth's log-probabilities of winners and losers under ``net``."""
    with torch.no_grad():
        logits = net(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits.numpy()
    mask = batch["completion_mask"].numpy().astype(bool)
    winners, losers = np.split(TRUTH.torch_logprob(logits, batch["input_ids"].numpy(), mask), 2)
    return winners, losers


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_loss_and_gradients(trainer: DPOTrainer) -> None:
    """The gradients, handed on to the model's own loss of each sequence, are those of trl's loss."""
    batch, parameters = draw(0), list(trainer.model.parameters())
    trl_loss = trainer.compute_loss(trainer.model, batch)
    due = torch.autograd.grad(trl_loss, parameters)
    loss, d_w, d_l = TRUTH.torch_dpo(*halves(trainer.model, batch), *halves(trainer.ref_model, batch), BETA)
    np.testing.assert_allclose(loss, trl_loss.item(), rtol=1e-5)
    total = sum(
        float(d) * log_likelihood(trainer.model, {key: value[i : i + 1] for key, value in batch.items()})
        for i, d in enumerate(np.concatenate([d_w, d_l]))
    )
    largest = max(float(gradient.abs().max()) for gradient in due)
    for one, other in zip(torch.autograd.grad(total, parameters), due, strict=True):
        np.testing.assert_allclose(one.numpy(), other.numpy(), rtol=1e-5, atol=1e-5 * largest)


def log_likelihood(net: torch.nn.Module, sequence: dict[str, torch.Tensor]) -> torch.Tensor:
    """Of the completion: the mean that the model reports, times the number of tokens in it."""
    ids, counts = sequence["input_ids"], sequence["completion_mask"]
    labels = ids.masked_fill(counts == 0, -100)
    loss = net(input_ids=ids, attention_mask=sequence["attention_mask"], labels=labels).loss
    return -loss * counts[:, 1:].sum()


def test_sequence_logprob() -> None:
    net, batch = model(0), draw(1)
    with torch.no_grad():
        due = [
            log_likelihood(net, {key: value[i : i + 1] for key, value in batch.items()}).item()
            for i in range(2 * PAIRS)
        ]
    np.testing.assert_allclose(np.concatenate(halves(net, batch)), due, rtol=1e-5)
