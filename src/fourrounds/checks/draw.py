"""Random inputs by named shapes.

A hidden test draws from :func:`rng`. The examiner decides the seed (and writes it into the report, so that
the draw can be replayed); anywhere else the seed is fresh each time.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import numpy as np
from numpy.typing import DTypeLike, NDArray


class _Stream:
    """The seeds that one test cell is given: one for each call of :func:`rng`."""

    def __init__(self, seed: int, key: str) -> None:
        self.entropy = [seed, zlib.crc32(key.encode())]
        self.drawn = 0

    def next(self) -> np.random.Generator:
        self.drawn += 1
        return np.random.default_rng([*self.entropy, self.drawn])


_stream: ContextVar[_Stream | None] = ContextVar("fourrounds_stream", default=None)


@contextmanager
def seeded(seed: int, key: str = "") -> Iterator[None]:
    """Within the block, :func:`rng` without an argument is determined by ``seed`` and ``key``."""
    token = _stream.set(_Stream(seed, key))
    try:
        yield
    finally:
        _stream.reset(token)


def rng(seed: int | None = None) -> np.random.Generator:
    """A generator for one test: fixed by ``seed`` if given, else by the examiner, else fresh."""
    if seed is not None:
        return np.random.default_rng(seed)
    stream = _stream.get()
    return stream.next() if stream is not None else np.random.default_rng()


class Shapes:
    """Sizes for named axes, drawn so that no two axes have the same length.

    >>> s = Shapes(rng(0), B=(2, 4), T=(3, 8), D=16)
    >>> x = s.normal("B T D")       # an array of shape (s["B"], s["T"], 16)
    >>> m = s.mask("B 1 T")         # numbers stand for themselves

    Equal lengths would let a transposed or wrongly broadcast axis pass unseen, so they are never drawn; a
    ``ValueError`` says when the ranges leave no choice.
    """

    def __init__(self, rng: np.random.Generator, **sizes: int | tuple[int, int]) -> None:
        self.rng = rng
        self._sizes: dict[str, int] = {name: size for name, size in sizes.items() if isinstance(size, int)}
        ranges = {name: size for name, size in sizes.items() if not isinstance(size, int)}
        # The narrowest range chooses first, so that a wide one cannot take its only value.
        for name in sorted(ranges, key=lambda n: ranges[n][1] - ranges[n][0]):
            low, high = ranges[name]
            free = sorted(set(range(low, high + 1)) - set(self._sizes.values()))
            if not free:
                raise ValueError(f"no size is left for axis {name} in {low}..{high}: {self._sizes} are taken")
            self._sizes[name] = int(rng.choice(free))

    def __getitem__(self, name: str) -> int:
        return self._sizes[name]

    def shape(self, axes: str) -> tuple[int, ...]:
        """The lengths of the axes named in ``axes``, e.g. ``"B T D"``; a number stands for itself."""
        return tuple(int(axis) if axis.isdigit() else self._sizes[axis] for axis in axes.split())

    def normal(self, axes: str, scale: float = 1.0, dtype: DTypeLike = np.float64) -> NDArray:
        """Independent normal values with standard deviation ``scale``."""
        return (scale * self.rng.standard_normal(self.shape(axes))).astype(dtype)

    def uniform(
        self, axes: str, low: float = 0.0, high: float = 1.0, dtype: DTypeLike = np.float64
    ) -> NDArray:
        """Independent uniform values in [low, high)."""
        return self.rng.uniform(low, high, self.shape(axes)).astype(dtype)

    def integers(self, axes: str, low: int, high: int) -> NDArray:
        """Independent int64 values in [low, high)."""
        return self.rng.integers(low, high, self.shape(axes))

    def mask(self, axes: str, keep: float = 0.6) -> NDArray[np.bool_]:
        """A boolean mask over ``axes``, True with probability ``keep``.

        Along the last axis (which needs a length of at least two) every row has a True and a False, so the
        mask is mixed and no row is empty.
        """
        shape = self.shape(axes)
        if shape[-1] < 2:
            raise ValueError(f"a mixed mask needs two places along its last axis, {axes!r} has {shape[-1]}")
        mask = self.rng.random(shape) < keep
        rows = mask.reshape(-1, shape[-1])
        for row in rows:
            yes, no = self.rng.choice(shape[-1], size=2, replace=False)
            row[yes], row[no] = True, False
        return rows.reshape(shape)
