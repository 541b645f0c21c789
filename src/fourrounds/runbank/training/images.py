"""scikit-learn's digits, cut into writers, and how images are changed."""

from __future__ import annotations

import functools
import hashlib

import numpy as np
from sklearn.datasets import load_digits

BLOCKS = 13
"""The images come from 13 writers (``load_digits().DESCR``), and nothing says who wrote which. But 45% of
the images have their nearest neighbour within 70 places of their own, where 8% would by chance: images of
one writer stand together. So a block of consecutive images stands for a writer."""
TEST_BLOCKS = (1, 3, 5, 7, 9, 11)


@functools.cache
def digits() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Images (1797, 64) in [0, 1], labels (1797,), block of each image (1797,)."""
    images, labels = load_digits(return_X_y=True)
    blocks = np.arange(len(images)) * BLOCKS // len(images)
    return images / 16.0, labels, blocks


def digest() -> str:
    """SHA-256 of the images and labels."""
    images, labels, _ = digits()
    return hashlib.sha256(images.tobytes() + labels.astype(np.int64).tobytes()).hexdigest()


def moved(images: np.ndarray, down: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Images (n, 64) moved by -1, 0 or 1 pixel, with zeros coming in at the border; ``down`` and
    ``right`` (n,) integers."""
    padded = np.pad(images.reshape(-1, 8, 8), ((0, 0), (1, 1), (1, 1)))
    rows = (1 - down)[:, None, None] + np.arange(8)[None, :, None]
    columns = (1 - right)[:, None, None] + np.arange(8)[None, None, :]
    return padded[np.arange(len(images))[:, None, None], rows, columns].reshape(len(images), 64)


def jittered(images: np.ndarray, rng: np.random.Generator, noise: float = 0.1) -> np.ndarray:
    """Near-duplicates: each image moved by up to a pixel, with Gaussian noise of that standard deviation,
    clipped to [0, 1]."""
    shift = rng.integers(-1, 2, size=(2, len(images)))
    return np.clip(moved(images, *shift) + noise * rng.standard_normal(images.shape), 0, 1)
