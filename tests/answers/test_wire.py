"""What crosses the wall: every tag there and back, and only :class:`WireError` for what is out of form."""

from __future__ import annotations

import io
import json
import math
import socket
import struct
import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fourrounds.answers.wire import (
    HEADER,
    MAGIC,
    MAX_DEPTH,
    MAX_JSON,
    Channel,
    Closed,
    DeadlinePassed,
    Decoder,
    Encoder,
    Handle,
    NotPlain,
    TooLarge,
    WireError,
    pack,
)


def crossed(value: Any, *, from_answer: bool = False) -> Any:
    """``value`` encoded, through JSON, and decoded as the other side does."""
    objects: dict[int, Any] = {}

    def keep(thing: Any) -> int:
        objects[len(objects) + 1] = thing
        return len(objects)

    encoder = Encoder(keep=keep if from_answer else None)
    tree = json.loads(json.dumps(encoder.encode(value)))
    return Decoder(encoder.blobs, find=None if from_answer else objects.__getitem__).decode(tree)


PLAIN = [
    None,
    True,
    False,
    0,
    1,
    -(2**63),
    2**200,
    10**299,
    0.1,
    1e308,
    -0.0,
    math.inf,
    -math.inf,
    "",
    "naïve ∑ \U0001f600\x00",
    1 + 2j,
    complex(math.inf, -0.0),
    b"",
    b"\x00\xff",
    [],
    [1, [2.0, "x"], (None,)],
    (),
    (1,),
    {},
    {"a": 1, 2: [3], (4, 5): {"b": None}, None: 6, 1.5: 7},
    set(),
    {1, "a", (2, 3)},
]


@pytest.mark.parametrize("from_answer", [False, True])
@pytest.mark.parametrize("value", PLAIN, ids=[f"{type(v).__name__}{k}" for k, v in enumerate(PLAIN)])
def test_plain_values_cross(value: Any, from_answer: bool) -> None:
    got = crossed(value, from_answer=from_answer)
    assert type(got) is type(value)
    assert got == value
    assert repr(got) == repr(value)


def test_what_json_blurs_is_kept_apart() -> None:
    values = [
        1,
        1.0,
        True,
        [1],
        (1,),
        {1},
        {1: 1},
        {"1": 1},
        "1",
        1 + 0j,
        b"1",
        None,
        np.int64(1),
        np.array(1),
    ]
    for value in values:
        assert type(crossed(value)) is type(value)
    assert math.isnan(crossed(math.nan))
    assert math.copysign(1, crossed(-0.0)) == -1
    assert list(crossed({1: "int", 1.5: "float", "1": "text"})) == [1, 1.5, "1"]


SCALARS = [
    np.float16(1.5),
    np.float32(0.1),
    np.float64(0.1),
    np.int8(-1),
    np.uint64(2**64 - 1),
    np.bool_(True),
    np.complex64(1j),
    np.str_("ä"),
    np.bytes_(b"x"),
    np.datetime64("2017-06-12"),
    np.timedelta64(3, "s"),
]


@pytest.mark.parametrize("value", SCALARS, ids=lambda v: type(v).__name__)
def test_numpy_scalars_keep_their_type(value: np.generic) -> None:
    got = crossed(value)
    assert type(got) is type(value)
    assert got.dtype == value.dtype
    assert got == value


ARRAYS = {
    "float64": np.linspace(0, 1, 6).reshape(2, 3),
    "nan and inf": np.array([np.nan, np.inf, -np.inf]),
    "zero-dimensional": np.array(3.5),
    "no rows": np.zeros((0, 4)),
    "no columns": np.zeros((3, 0, 2), np.float32),
    "bool": np.array([[True, False]]),
    "int8": np.arange(5, dtype=np.int8),
    "complex": np.array([1j]),
    "big-endian": np.arange(3, dtype=">f8"),
    "text": np.array(["a", "bcd"]),
    "bytes": np.array([b"a"]),
    "dates": np.array(["2017-06-12"], "M8[D]"),
    "a view of every second": np.arange(10.0)[::2],
    "reversed": np.arange(4)[::-1],
    "broadcast": np.broadcast_to(np.arange(3), (2, 3)),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_cross_exactly(name: str) -> None:
    array = ARRAYS[name]
    got = crossed(array)
    assert type(got) is np.ndarray
    assert (got.shape, got.dtype) == (array.shape, array.dtype)
    np.testing.assert_array_equal(got, array)
    assert got.flags.writeable


def test_a_fortran_ordered_array_stays_so() -> None:
    array = np.asfortranarray(np.arange(12.0).reshape(3, 4))
    got = crossed(array)
    assert got.flags.f_contiguous
    assert not got.flags.c_contiguous
    np.testing.assert_array_equal(got, array)


def test_a_generator_crosses_in_its_state() -> None:
    rng = np.random.default_rng(3)
    rng.standard_normal(7)
    got = crossed(rng)
    assert type(got) is np.random.Generator
    np.testing.assert_array_equal(got.standard_normal(5), rng.standard_normal(5))
    for bits in (np.random.MT19937, np.random.Philox, np.random.SFC64, np.random.PCG64DXSM):
        rng = np.random.Generator(bits(5))
        assert crossed(rng).integers(2**60) == rng.integers(2**60)


class Box:
    """An object of an answer's own."""


class Liar(float):
    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = float.__hash__


class LyingArray(np.ndarray):
    pass


class Words(str):
    pass


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (Box(), "a value of type Box"),
        (Liar(1.0), "a value of type Liar"),
        (Words("x"), "a value of type Words"),
        (np.zeros(2).view(LyingArray), "a LyingArray (a subclass of ndarray; return np.asarray of it)"),
        (np.array([None]), "an array of dtype object"),
        (np.zeros(2, [("x", float)]), "an array of dtype [('x', '<f8')]"),
        (np.float64, "a value of type type"),
        (range(3), "a value of type range"),
        (10**300, "a value of type int"),
        (np.random.default_rng(0), "a value of type Generator"),
    ],
)
def test_anything_else_stays_with_the_answer(value: Any, words: str) -> None:
    assert crossed(value, from_answer=True) == Handle(1, words)
    with pytest.raises(NotPlain):
        Encoder().encode(value if type(value) is not np.random.Generator else Box())


def test_an_array_whose_elements_have_no_size_stays_there() -> None:
    for dtype in ("S0", "U0"):
        assert isinstance(crossed(np.ndarray((3,), np.dtype(dtype)), from_answer=True), Handle)


def test_a_handle_finds_its_object_again() -> None:
    box, objects = Box(), {7: "other"}
    objects[8] = box  # type: ignore[assignment]
    encoder = Encoder()
    tree = encoder.encode([Handle(8, "a value of type Box"), Handle(7, "")])
    assert Decoder(encoder.blobs, find=objects.__getitem__).decode(tree) == [box, "other"]


def test_what_is_nested_too_deeply_stays_behind_a_handle() -> None:
    value: Any = "bottom"
    for _ in range(MAX_DEPTH + 5):
        value = [value]
    got = crossed(value, from_answer=True)
    for _ in range(MAX_DEPTH):
        (got,) = got
    assert isinstance(got, Handle)
    loop: list[Any] = []
    loop.append(loop)
    assert crossed(loop, from_answer=True)
    with pytest.raises(NotPlain):
        Encoder().encode(loop)


def npy(header: dict[str, Any], data: bytes = b"") -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, header)
    return stream.getvalue() + data


def header(descr: Any, shape: Any) -> dict[str, Any]:
    return {"descr": descr, "fortran_order": False, "shape": shape}


unpickled: list[str] = []


class Bomb:
    """Does something as soon as it is unpickled."""

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return unpickled.append, ("boom",)


def pickled() -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.array([Bomb()], dtype=object), allow_pickle=True)
    return stream.getvalue()


HOSTILE = {
    "an untagged list": [1],
    "no tag": {},
    "only a type": {"type": "x"},
    "two tags": {"l": [], "t": []},
    "an unknown tag": {"pickle": "gASV"},
    "a list that is none": {"l": 5},
    "a dict without pairs": {"d": [[1]]},
    "an unhashable key": {"d": [[{"l": []}, 1]]},
    "an unhashable member": {"s": [{"l": []}]},
    "half a complex": {"c": [1]},
    "a complex of words": {"c": ["x", 1]},
    "no base64": {"b": "\u20ac"},
    "bytes that are none": {"b": {}},
    "a handle without a number": {"h": "x"},
    "an infinite handle": {"h": math.inf},
    "a generator from an answer": Encoder().encode(np.random.default_rng(0)),
    "a generator of no kind": {"g": {"d": [["bit_generator", "seed"]]}},
    "an array without a blob": {"a": 99},
    "an array before the first": {"a": -1},
    "an array by name": {"a": "0"},
    "a scalar with axes": {"n": 0},
    "no npy": {"a": 1},
    "an object array": {"a": 2},
    "more than there is": {"a": 3},
    "a petabyte": {"a": 4},
    "a negative shape": {"a": 5},
    "a structured dtype": {"a": 6},
    "elements of no size": {"a": 7},
    "text of no size": {"a": 8},
    "a dtype that is none": {"a": 9},
    "a header that is code": {"a": 10},
    "an unknown version": {"a": 11},
}
BLOBS = [
    npy(header("<f8", (2,)), bytes(16)),
    b"not an array",
    pickled(),
    npy(header("<f8", (3,)), bytes(8)),
    npy(header("<f8", (2**47,))),
    npy(header("<f8", (-1,))),
    npy(header([("x", "<f8")], (1,)), bytes(8)),
    npy(header("|S0", (10**12,))),
    npy(header("<U0", (10**12,))),
    npy(header("<f99", (1,)), bytes(99)),
    b"\x93NUMPY\x01\x00\x20\x00" + b"__import__('os').getpid()".ljust(32),
    b"\x93NUMPY\x09\x00\x00\x00",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_tree_is_refused(name: str) -> None:
    for tree in (HOSTILE[name], {"l": [1, {"d": [["k", HOSTILE[name]]]}]}):
        with pytest.raises(WireError):
            Decoder(BLOBS).decode(tree)
    assert not unpickled


def test_a_tree_deeper_than_any_encoder_makes_is_refused() -> None:
    tree: Any = 1
    for _ in range(MAX_DEPTH + 10):
        tree = {"l": [tree]}
    with pytest.raises(WireError, match="deep"):
        Decoder([]).decode(tree)


TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from([*"ltdscbhgan", "type", "zz"]), inner, max_size=2)
    ),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(tree=TREES, blob=st.binary(max_size=80))
def test_whatever_arrives_decodes_or_is_a_wire_error(tree: Any, blob: bytes) -> None:
    blobs = [blob, b"\x93NUMPY\x01\x00" + blob, BLOBS[0]]
    try:
        Decoder(blobs).decode(tree)
    except WireError:
        return


@settings(max_examples=200, deadline=None)
@given(place=st.integers(0, 143), byte=st.integers(0, 255))
def test_a_damaged_array_decodes_or_is_a_wire_error(place: int, byte: int) -> None:
    blob = bytearray(BLOBS[0])
    blob[place] = byte
    try:
        got = Decoder([bytes(blob)]).decode({"a": 0})
    except WireError:
        return
    assert type(got) is np.ndarray
    assert got.dtype.itemsize > 0


Pair = tuple[Channel, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    """A channel, and the bare socket at its other end."""
    ours, theirs = socket.socketpair()
    yield Channel(ours), theirs
    ours.close()
    theirs.close()


def soon() -> float:
    return time.monotonic() + 0.2


def test_a_frame_arrives_with_its_blobs(pair: Pair) -> None:
    channel, other = pair
    Channel(other).send({"op": "x", "n": [1, None]}, [b"", b"abc"])
    assert channel.receive(soon()) == ({"op": "x", "n": [1, None]}, [b"", b"abc"], [])


def test_a_frame_larger_than_the_socket_arrives_in_pieces(pair: Pair) -> None:
    channel, other = pair
    blob = bytes(range(256)) * 20_000
    sender = threading.Thread(target=Channel(other).send, args=({}, [blob]))
    sender.start()
    seen: list[int] = []
    message, blobs, _ = channel.receive(time.monotonic() + 20, lambda: seen.append(1))
    sender.join()
    assert (message, blobs) == ({}, [blob])


def test_file_descriptors_travel_beside_a_frame(pair: Pair) -> None:
    channel, other = pair
    mine, yours = socket.socketpair()
    Channel(other).send({"op": "x"}, fds=[yours.fileno()])
    message, _, (fd,) = channel.receive(want_fds=1)
    assert message == {"op": "x"}
    with mine, yours, socket.socket(fileno=fd) as arrived:
        mine.sendall(b"hello")
        assert arrived.recv(9) == b"hello"


def test_silence_passes_the_deadline(pair: Pair) -> None:
    channel, other = pair
    begun = time.monotonic()
    with pytest.raises(DeadlinePassed):
        channel.receive(soon())
    other.sendall(pack({}, [b"abc"])[:-1])
    with pytest.raises(DeadlinePassed):
        channel.receive(soon())
    assert 0.3 < time.monotonic() - begun < 5


def test_a_deadline_holds_against_a_trickle(pair: Pair) -> None:
    channel, other = pair
    stop = threading.Event()

    def trickle() -> None:
        other.sendall(HEADER.pack(MAGIC, 10_000, 0))
        while not stop.wait(0.01):
            other.sendall(b" ")

    thread = threading.Thread(target=trickle)
    thread.start()
    with pytest.raises(DeadlinePassed):
        channel.receive(soon())
    stop.set()
    thread.join()


def test_the_watcher_may_end_the_wait(pair: Pair) -> None:
    class Enough(Exception):
        pass

    def watch() -> None:
        raise Enough

    with pytest.raises(Enough):
        pair[0].receive(None, watch)


def test_an_end_is_told_apart_from_silence(pair: Pair) -> None:
    channel, other = pair
    other.sendall(pack({}, [b"abc"])[:-1])
    other.close()
    with pytest.raises(Closed):
        channel.receive(soon())
    with pytest.raises(Closed):
        channel.send({}, [bytes(10**7)])


def framed(text: bytes, blobs: int = 0, magic: bytes = MAGIC) -> bytes:
    return HEADER.pack(magic, len(text), blobs) + text


@pytest.mark.parametrize(
    "frame",
    [
        framed(b'{"blobs": []}', magic=b"HTTP"),
        framed(b"{}"),
        framed(b"[]"),
        framed(b'{"blobs": 1}'),
        framed(b'{"blobs": [1]}'),
        framed(b'{"blobs": [-1, 1]}'),
        framed(b'{"blobs": [true]}', 1) + b"x",
        framed(b'{"blobs": [1.0]}', 1) + b"x",
        framed(b'{"blobs": []'),
        framed(b"\xff\xfe"),
        framed(b"[" * 100_000),
        framed(b'{"blobs": [], "n": ' + b"9" * 5000 + b"}"),
    ],
    ids=range(12),
)
def test_a_frame_out_of_form_is_refused(pair: Pair, frame: bytes) -> None:
    channel, other = pair
    other.sendall(frame)
    with pytest.raises(WireError):
        channel.receive(soon())


@pytest.mark.parametrize(("text", "blobs"), [(MAX_JSON + 1, 0), (2, 2**40), (2**32 - 1, 2**64 - 1)])
def test_a_frame_that_announces_too_much_is_refused_before_it_is_read(
    pair: Pair, text: int, blobs: int
) -> None:
    channel, other = pair
    other.sendall(struct.pack(">4sIQ", MAGIC, text, blobs))
    with pytest.raises(TooLarge):
        channel.receive(soon())


@settings(max_examples=150, deadline=None)
@given(
    data=st.binary(max_size=200)
    | st.builds(
        lambda text, blobs, rest: framed(text, blobs) + rest,
        st.binary(max_size=60),
        st.integers(0, 9),
        st.binary(max_size=20),
    )
    | st.builds(lambda tree, rest: framed(json.dumps(tree).encode()) + rest, TREES, st.binary(max_size=9))
)
def test_random_bytes_are_one_of_four_errors(data: bytes) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(data)
        theirs.shutdown(socket.SHUT_WR)
        try:
            message, blobs, _ = Channel(ours).receive(time.monotonic() + 5)
        except (WireError, Closed, DeadlinePassed, TooLarge):
            return
        assert isinstance(message, dict)
        assert all(isinstance(blob, bytes) for blob in blobs)
