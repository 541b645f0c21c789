"""Random inputs: no two axes alike, masks that are mixed, and draws that a seed decides."""

from __future__ import annotations

import numpy as np
import pytest

from fourrounds.checks import Shapes, rng, seeded


@pytest.mark.parametrize("seed", range(40))
def test_no_two_axes_have_one_length(seed: int) -> None:
    s = Shapes(rng(seed), B=(2, 4), H=(2, 5), Tq=(3, 7), Tk=(3, 7), D=8)
    lengths = [s[name] for name in ("B", "H", "Tq", "Tk", "D")]
    assert len(set(lengths)) == 5
    assert 2 <= s["B"] <= 4
    assert 3 <= s["Tk"] <= 7
    assert s["D"] == 8


def test_every_length_of_a_range_is_drawn() -> None:
    assert {Shapes(rng(seed), T=(3, 6))["T"] for seed in range(60)} == {3, 4, 5, 6}


def test_the_narrowest_range_chooses_first() -> None:
    for seed in range(40):
        s = Shapes(rng(seed), wide=(2, 4), narrow=(3, 3))
        assert (s["narrow"], s["wide"] in {2, 4}) == (3, True)


def test_ranges_that_leave_no_choice_are_an_error() -> None:
    with pytest.raises(ValueError, match=r"no size is left for axis C in 2\.\.3"):
        Shapes(rng(0), A=(2, 3), B=(2, 3), C=(2, 3))


def test_shapes_by_name_and_by_number() -> None:
    s = Shapes(rng(0), B=3, T=5)
    assert s.shape("B 1 T") == (3, 1, 5)
    assert s.shape("") == ()
    assert s.normal("B T").shape == (3, 5)
    with pytest.raises(KeyError):
        s.shape("B X")


def test_draws_have_the_dtype_and_range_that_was_asked_for() -> None:
    s = Shapes(rng(0), N=2000)
    normal = s.normal("N", scale=3.0)
    assert normal.dtype == np.float64
    assert 2.7 < normal.std() < 3.3
    assert s.normal("N", dtype=np.float32).dtype == np.float32
    uniform = s.uniform("N", 2.0, 5.0, dtype=np.float32)
    assert (uniform.dtype, uniform.min() >= 2, uniform.max() <= 5) == (np.float32, True, True)
    whole = s.integers("N", -1, 2)
    assert (whole.dtype, set(whole.tolist())) == (np.int64, {-1, 0, 1})


@pytest.mark.parametrize("keep", [0.0, 0.05, 0.6, 1.0])
def test_every_row_of_a_mask_is_mixed(keep: float) -> None:
    mask = Shapes(rng(1), B=3, Tq=50, Tk=2).mask("B Tq Tk", keep=keep)
    assert mask.dtype == np.bool_
    assert mask.shape == (3, 50, 2)
    assert mask.any(axis=-1).all()
    assert not mask.all(axis=-1).any()


def test_a_mask_over_one_place_cannot_be_mixed() -> None:
    with pytest.raises(ValueError, match="two places along its last axis"):
        Shapes(rng(0), B=4).mask("B 1")


def test_the_examiners_seed_decides_every_draw() -> None:
    def draws(seed: int, key: str) -> list[float]:
        with seeded(seed, key):
            return [float(rng().random()), float(rng().random()), float(rng(7).random())]

    assert draws(1, "a") == draws(1, "a")
    assert draws(1, "a")[0] != draws(1, "a")[1]
    assert draws(1, "a")[:2] != draws(1, "b")[:2]
    assert draws(1, "a")[:2] != draws(2, "a")[:2]
    assert draws(1, "a")[2] == draws(2, "b")[2] == float(np.random.default_rng(7).random())


def test_without_a_seed_every_draw_is_fresh() -> None:
    assert rng().random() != rng().random()
    with seeded(3):
        inside = rng().random()
    with seeded(3):
        with seeded(4):
            rng()
        assert rng().random() == inside
    assert rng().random() != inside
