"""A failing input can be kept, loaded without pickle, and used."""

import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from desk_course import ALL_AXES, RIGHT, SLUG, Ran

from fourrounds import desk
from fourrounds.answers.wire import Handle
from fourrounds.desk import replay
from fourrounds.desk.errors import DeskError
from fourrounds.examiner.layout import Layout
from fourrounds.examiner.report import Call

ABOUT = {"problem": "toy", "group": "edges", "seed": 3}
ODD = [
    None,
    True,
    3,
    2.5,
    float("nan"),
    float("-inf"),
    1 + 2j,
    "text",
    b"\x00bytes",
    [1, (2.0, None), {"a": {1, 2}}],
    {"w": np.ones((2, 3), np.float32), 3: [np.arange(2), np.array(5)]},
    np.float32(0.5),
    np.array(["a", "bc"]),
    np.zeros((0, 4)),
    np.arange(6).reshape(2, 3).T,
    slice,
]


def assert_same(got: object, due: object) -> None:
    assert type(got) is type(due)
    if isinstance(due, (list, tuple)):
        assert len(got) == len(due)  # type: ignore[arg-type]
        for one, other in zip(got, due, strict=True):  # type: ignore[call-overload]
            assert_same(one, other)
    elif isinstance(due, dict):
        assert_same(list(got.items()), list(due.items()))  # type: ignore[attr-defined]
    elif isinstance(due, np.ndarray):
        assert got.dtype == due.dtype  # type: ignore[attr-defined]
        np.testing.assert_array_equal(got, due)  # type: ignore[arg-type]
        assert got.flags.f_contiguous == due.flags.f_contiguous  # type: ignore[attr-defined]
    else:
        assert got == due or (got != got and due != due)


@pytest.mark.parametrize("value", ODD[:-1], ids=lambda v: type(v).__name__)
def test_every_kind_of_argument_comes_back_as_it_was(tmp_path: Path, value: object) -> None:
    path = tmp_path / "failing.npz"
    replay.save(path, [Call("f", (value,), {"named": value})], {"f": ["x"]}, ABOUT)
    loaded = replay.load(path)
    assert_same(loaded.args, (value,))
    assert_same(loaded.kwargs, {"named": value})
    assert (loaded.problem, loaded.group, loaded.seed) == ("toy", "edges", 3)


def test_arrays_stand_in_the_file_under_their_parameters_names(tmp_path: Path) -> None:
    path = tmp_path / "failing.npz"
    q, k = np.eye(2), np.arange(3.0)
    calls = [Call("f", (k,), {}), Call("f", (q, k), {"mask": q > 0})]
    replay.save(path, calls, {"f": ["q"]}, ABOUT)
    with np.load(path, allow_pickle=False) as saved:
        np.testing.assert_array_equal(saved["q"], q)
        np.testing.assert_array_equal(saved["arg1"], k)
        np.testing.assert_array_equal(saved["mask"], q > 0)
        np.testing.assert_array_equal(saved["0.q"], k)
    assert [len(call.args) for call in replay.load(path).calls] == [1, 2]


def test_a_generator_draws_the_same_again(tmp_path: Path) -> None:
    path = tmp_path / "failing.npz"
    rng = np.random.default_rng(5)
    rng.normal()
    replay.save(path, [Call("f", (rng,), {})], {}, ABOUT)
    (loaded,) = replay.load(path).args
    assert loaded.normal() == rng.normal()


def test_objects_that_calls_pass_on_are_made_again(tmp_path: Path) -> None:
    path = tmp_path / "failing.npz"
    box = Handle(7, "a value of type list")
    calls = [
        Call("make", (1,), {}, box),
        Call("fail", (), {}, error="ValueError: no", raised="ValueError"),
        Call("put", (box, 2), {}),
        Call("put", (box,), {"item": 3}),
    ]
    replay.save(path, calls, {"make": ["first"], "put": ["box", "item"]}, ABOUT)

    def fail() -> None:
        raise ValueError("no")

    def put(box: list[int], item: int) -> list[int]:
        box.append(item)
        return box

    names = {"make": lambda first: [first], "put": put, "fail": fail}
    assert replay.load(path).run(names) == [1, 2, 3]
    assert "failing.run(globals())" in replay.snippet(path, calls)


def test_the_last_call_may_raise_to_the_learner(tmp_path: Path) -> None:
    path = tmp_path / "failing.npz"
    replay.save(path, [Call("f", (0,), {})], {}, ABOUT)
    with pytest.raises(ZeroDivisionError):
        replay.load(path).run({"f": lambda x: 1 / x})


def test_a_file_that_is_none_is_an_error_in_words(tmp_path: Path) -> None:
    with pytest.raises(DeskError, match="`fourrounds replay` makes it"):
        desk.failing_input(tmp_path / "none.npz")
    text = tmp_path / "text.npz"
    text.write_text("no archive")
    with pytest.raises(DeskError, match="no file of `fourrounds replay`"):
        desk.failing_input(text)
    pickled = tmp_path / "pickled.npz"
    with zipfile.ZipFile(pickled, "w") as archive:
        archive.writestr("__calls__.npy", pickle.dumps(print))
    with pytest.raises(DeskError, match="no file of `fourrounds replay`"):
        desk.failing_input(pickled)


def test_parameters_are_those_of_the_solution(layout: Layout) -> None:
    assert replay.parameters(layout.problem(SLUG)) == {"softmax": ["x"]}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (np.array([[1.0, -2.0], [0.5, np.inf]]), "float64 (2, 2) from -2 to 1, 1 not finite"),
        (np.array([True, False, True]), "bool (3,), 2 of 3 are True"),
        (np.full((5, 5), 7), "int64 (5, 5) from 7 to 7"),
        (np.zeros((0, 3)), "float64 (0, 3)"),
        ([np.zeros(9)] * 6, "a list of 6: float64 (9,) from 0 to 0"),
        (Handle(1, "a value of type Cache"), "(a value of type Cache that an earlier call returned)"),
        (None, "None"),
        ("a" * 100, "'aaa"),
    ],
)
def test_a_summary_fits_in_a_line(value: object, text: str) -> None:
    summary = replay.summary(value)
    assert summary.startswith(text)
    assert len(summary) < 250
    assert "\n" not in summary


def test_replay_hands_over_the_input_that_failed(
    fourrounds: Callable[..., Ran], answered: Callable[[str], Path], layout: Layout
) -> None:
    answered(ALL_AXES)
    ran = fourrounds("replay", SLUG, "--seed", "11")
    assert ran.status == 0
    path = layout.state / "replays" / "softmax-11-normalisation.npz"
    assert str(path) in ran.out
    assert "tolerance" not in ran.out.replace("the tolerance", "")  # that group passes
    wrong, right = {}, {}
    exec(ALL_AXES, wrong)
    exec(RIGHT, right)
    failing = desk.failing_input(path)
    x = failing.args[0]
    assert repr(failing).startswith("softmax, group normalisation, seed 11:\n  softmax(float64 (")
    yours, truth = wrong["softmax"](x), right["softmax"](x)
    assert not np.allclose(yours, truth)
    assert f"float64 {x.shape} from {x.min():.4g} to {x.max():.4g}" in ran.out
    assert f"float64 {yours.shape} from {yours.min():.4g} to {yours.max():.4g}" in ran.out
    for expected in (truth.min(), truth.max(), truth.flat[0]):
        assert f"{expected:.4g}" not in ran.out
    # What is printed for pasting works as it stands.
    code = ran.out[ran.out.index("from fourrounds") :]
    names = dict(wrong)
    exec(code.replace("softmax(*", "result = softmax(*"), names)
    np.testing.assert_array_equal(names["result"], yours)


def test_replay_is_no_attempt(
    fourrounds: Callable[..., Ran], answered: Callable[[str], Path], layout: Layout
) -> None:
    answered(ALL_AXES)
    fourrounds("replay", SLUG, "--seed", "11")
    assert not (layout.state / "attempts.sqlite").exists()


def test_replay_shows_an_exception_of_the_answer(
    fourrounds: Callable[..., Ran], answered: Callable[[str], Path]
) -> None:
    answered("def softmax(x):\n    raise KeyError('lost')")
    ran = fourrounds("replay", SLUG, "--seed", "1", "--group", "tolerance")
    assert ran.status == 0
    assert "no result: KeyError: 'lost'" in ran.out
    assert "normalisation" not in ran.out


def test_replay_of_what_passes_says_so(
    fourrounds: Callable[..., Ran], answered: Callable[[str], Path], layout: Layout
) -> None:
    answered(RIGHT)
    ran = fourrounds("replay", SLUG, "--seed", "1")
    assert (ran.status, ran.out.strip()) == (
        0,
        "With the seed 1, every group of softmax passes now: there is no failing input.",
    )
    assert not (layout.state / "replays").exists()


def test_replay_of_what_cannot_run_gives_the_reason(
    fourrounds: Callable[..., Ran], answered: Callable[[str], Path]
) -> None:
    answered("def softmax(x:\n    return x")
    ran = fourrounds("replay", SLUG, "--seed", "1")
    assert ran.status == 0
    assert "SyntaxError" in ran.out


def test_an_unknown_group_is_told_with_those_that_there_are(
    fourrounds: Callable[..., Ran], answered: Callable[[str], Path]
) -> None:
    answered(RIGHT)
    ran = fourrounds("replay", SLUG, "--seed", "1", "--group", "edgse")
    assert ran.status == 2
    assert "Its groups are normalisation, tolerance" in ran.err
