"""The trainer of ``recall``: its sequences, and its three mixers against loops over the positions."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from fourrounds.runbank.families import RECALL, Config, Run
from fourrounds.runbank.training import recall
from fourrounds.runbank.training.outcome import Recorder
from fourrounds.runbank.training.recall import sequences
from fourrounds.runbank.training.streams import stream

# -- the sequences


@pytest.mark.parametrize("pairs", [4, 8, 16])
def test_sequences_are_well_formed(pairs: int) -> None:
    tokens, targets = sequences(np.random.default_rng(0), 200, pairs)
    assert (tokens.shape, targets.shape) == ((200, 3 * pairs), (200, pairs))
    keys, values, asked = tokens[:, 0 : 2 * pairs : 2], tokens[:, 1 : 2 * pairs : 2], tokens[:, 2 * pairs :]
    assert set(keys.ravel()) == set(range(32))
    assert set(values.ravel()) == set(range(32, 48))
    assert set(targets.ravel()) == set(range(16))
    for row in range(200):
        assert len(set(keys[row])) == pairs
        assert sorted(asked[row]) == sorted(keys[row])
    assert (asked != keys).any(0).all()


@pytest.mark.parametrize("pairs", [4, 16])
def test_who_remembers_every_pair_answers_every_query(pairs: int) -> None:
    for tokens, targets in zip(*sequences(np.random.default_rng(1), 50, pairs), strict=True):
        given, asked = tokens[: 2 * pairs].tolist(), tokens[2 * pairs :].tolist()
        known = dict(zip(given[::2], given[1::2], strict=True))
        assert [known[key] - 32 for key in asked] == targets.tolist()


@pytest.mark.parametrize("pairs", [4, 8, 16])
def test_sets_are_of_the_stated_sizes_nested_and_different(pairs: int) -> None:
    x, y, x_val, y_val = recall._train(0, 1024, pairs)
    small = recall._train(0, 256, pairs)
    x_test, y_test = recall._test(pairs)
    assert (y_test.size, y_val.size, len(x)) == (RECALL.n_test, RECALL.n_val, 1024)
    for one, other in zip(small, (x[:256], y[:256], x_val, y_val), strict=True):
        np.testing.assert_array_equal(one, other)
    everything = np.concatenate([x, x_val, x_test, recall._train(1, 1024, pairs)[0]])
    assert len(np.unique(everything, axis=0)) == len(everything)
    keys = everything[:, 0 : 2 * pairs : 2]
    assert len(np.unique(keys, axis=0)) > len(keys) - 10  # by chance a list of 4 keys comes twice


# -- the model


def weights_of(seed: int, width: int) -> dict[str, np.ndarray]:
    """Embeddings of variance 1, convolutions of variance 1/4, all else of variance 1 / fan-in."""
    rng = stream("recall", "init", seed)
    embedding, conv = rng.standard_normal((48, width)), rng.standard_normal((3, 2, width)) / 2
    query, key, value = (rng.standard_normal((width, width)) / width**0.5 for _ in range(3))
    head = rng.standard_normal((width, 16)) / width**0.5
    return {"embedding": embedding, "conv": conv, "query": query, "key": key, "value": value, "head": head}


def elu_plus_1(x: np.ndarray) -> np.ndarray:
    return np.where(x > 0, x + 1, np.exp(np.minimum(x, 0)))


def logits_of(p: dict[str, np.ndarray], tokens: np.ndarray, pairs: int, mixer: str) -> np.ndarray:
    """The logits (pairs, 16) of one sequence, position by position.

    Linear attention is the recurrence that it is equal to: a state that takes up one position after another.
    """
    width = p["embedding"].shape[1]
    here = p["embedding"][tokens]
    before = np.concatenate([np.zeros((1, width)), here[:-1]])
    q, k, v = (
        (conv[0] * here + conv[1] * before) @ p[name]
        for conv, name in zip(p["conv"], ("query", "key", "value"), strict=True)
    )
    state, total = np.zeros((width, width)), np.zeros(width)
    out = []
    for t in range(len(tokens)):
        if mixer == "linear":
            state += np.outer(elu_plus_1(k[t]), v[t])
            total += elu_plus_1(k[t])
            mixed = elu_plus_1(q[t]) @ state / (elu_plus_1(q[t]) @ total + 1e-6)
        else:
            seen = range(max(0, t - 7) if mixer == "window" else 0, t + 1)
            scores = np.exp([q[t] @ k[s] / width**0.5 for s in seen])
            mixed = sum(score * v[s] for score, s in zip(scores, seen, strict=True)) / scores.sum()
        out.append(mixed @ p["head"])
    return np.array(out[2 * pairs :])


@pytest.mark.parametrize("mixer", ["softmax", "linear", "window"])
@pytest.mark.parametrize(("pairs", "width"), [(4, 8), (8, 16)])
def test_mixer_is_a_loop_over_the_positions(
    pairs: int, width: int, mixer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loss of the first batch, and (at a learning rate of 0) the answers to every test query."""
    losses: list[float] = []
    monkeypatch.setattr(Recorder, "loss", lambda self, values: losses.append(values.item()))
    monkeypatch.setattr(recall, "EPOCHS", 1)
    config: Config = {"mixer": mixer, "lr": 0.0, "pairs": pairs, "width": width, "train_size": 256}
    made = recall.train([Run(config, 5, 6, 7)])
    p = weights_of(5, width)

    def logits(tokens: np.ndarray) -> np.ndarray:
        return np.stack([logits_of(p, row, pairs, mixer) for row in tokens])

    x, y, *_ = recall._train(6, 256, pairs)
    items = stream("recall", "order", 7).permutation(256)[:32]
    due = torch.nn.functional.cross_entropy(
        torch.tensor(logits(x[items])).flatten(0, 1), torch.tensor(y[items]).flatten()
    )
    assert losses[0] == pytest.approx(due.item(), rel=1e-10)
    x_test, y_test = recall._test(pairs)
    np.testing.assert_array_equal(made.correct[0], (logits(x_test).argmax(-1) == y_test).ravel())


def test_a_window_hides_what_softmax_finds() -> None:
    """Most keys of 8 pairs lie further back than 8 positions: only softmax can find them."""
    base = {**RECALL.reference, "lr": 0.03}
    near, far = (
        recall.train([Run({**base, "mixer": mixer}, 0, 0, 0)]).test[0, -1] / RECALL.n_test
        for mixer in ("window", "softmax")
    )
    assert near < 0.5 < 0.9 < far
