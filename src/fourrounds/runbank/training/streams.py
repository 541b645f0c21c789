"""Where every random number of a run comes from.

Each run draws from its own generators, which hang on its family, its seeds and the purpose of the draw,
and on nothing else: not on the runs that happen to be trained beside it, nor on the order of training.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np
import torch

DTYPE = torch.float64
"""Double precision: the rounding of another machine then stays far below what changes a prediction."""


def stream(family: str, purpose: str, *seeds: int) -> np.random.Generator:
    """The generator for a purpose, e.g. ``stream("digits", "split", 7)``."""
    return np.random.default_rng([zlib.crc32(f"{family}/{purpose}".encode()), *seeds])


def tensor(values: np.ndarray | Sequence[float]) -> torch.Tensor:
    """A copy in the bank's precision."""
    return torch.tensor(np.asarray(values), dtype=DTYPE)


def initial(family: str, shapes: dict[str, tuple[int, ...]], seeds: Sequence[int]) -> dict[str, torch.Tensor]:
    """Initial weights of many models: for each name a tensor of shape (len(seeds), *shape).

    Weights (two or more axes) are Gaussian with variance 2 / fan-in, fan-in being the axis before the
    last (He et al. 2015); vectors are zero.
    """
    drawn: dict[int, dict[str, np.ndarray]] = {}
    for seed in dict.fromkeys(seeds):
        rng = stream(family, "init", seed)
        drawn[seed] = {
            name: rng.standard_normal(shape) * (2 / shape[-2]) ** 0.5 if len(shape) > 1 else np.zeros(shape)
            for name, shape in shapes.items()
        }
    return {name: tensor(np.stack([drawn[seed][name] for seed in seeds])) for name in shapes}


class Orders:
    """The order in which each of R runs sees its training items, from its order seed alone.

    Runs of the same seed share it.
    """

    def __init__(self, family: str, seeds: Sequence[int]) -> None:
        distinct = list(dict.fromkeys(seeds))
        self.where = torch.tensor([distinct.index(seed) for seed in seeds])
        self._rngs = [stream(family, "order", seed) for seed in distinct]

    def next(self, size: int) -> torch.Tensor:
        """A permutation of ``size`` items for each run's next epoch, shape (R, size)."""
        return torch.tensor(np.stack([rng.permutation(size) for rng in self._rngs]))[self.where]
