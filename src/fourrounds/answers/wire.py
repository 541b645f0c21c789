"""What crosses the wall between the examiner and an answer, and how.

A frame is a JSON tree with arrays beside it: 16 bytes of header (magic, length of the JSON, length of the
blobs), the JSON, and the blobs (each an ``.npy`` file, written and read without pickle). The tree keeps apart
what JSON would blur:

================ =======================================================================
Python           tree
================ =======================================================================
None, bool, str  themselves
int, float       themselves (NaN and the infinities included; 1 and 1.0 stay different)
list, tuple      ``{"l": [...]}``, ``{"t": [...]}``
dict, set        ``{"d": [[key, value], ...]}``, ``{"s": [...]}``
complex, bytes   ``{"c": [re, im]}``, ``{"b": base64}``
numpy.ndarray    ``{"a": number of the blob}``
NumPy scalar     ``{"n": number of the blob}``
numpy Generator  ``{"g": state of its bit generator}`` (to the answer only)
anything else    ``{"h": handle, "type": words}`` (from the answer; the object stays there)
================ =======================================================================

Only exact types cross: a subclass of ``ndarray`` or of ``float`` could lie about itself, so it stays behind a
handle. Whatever arrives from an answer is hostile: :func:`decode` raises :class:`WireError` for anything out
of form.
"""

from __future__ import annotations

import base64
import io
import json
import math
import select
import socket
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np

MAGIC = b"4RND"
HEADER = struct.Struct(">4sIQ")
MAX_JSON = 16 * 2**20
MAX_BLOBS = 256 * 2**20
MAX_DEPTH = 40
PLAIN_KINDS = "biufcSUmM"
_REAL_TIME = time.monotonic


class WireError(Exception):
    """A frame or a tree is out of form."""


class TooLarge(WireError):
    """A frame is larger than what may cross."""


class Closed(Exception):
    """The other side has closed the channel (its process ended, most often)."""


class DeadlinePassed(Exception):
    """No complete frame arrived in time."""


class NotPlain(TypeError):
    """A value that may not cross towards an answer. Raised to the author of a test."""


@dataclass(frozen=True)
class Handle:
    """An object that stayed with the answer. It can be passed back in a later call of the same test cell."""

    number: int
    answer_type: str


@dataclass
class Encoder:
    """Turns a value into a tree and its blobs.

    ``keep`` stores what is not plain and returns its handle's number.
    """

    keep: Callable[[Any], int] | None = None
    blobs: list[bytes] = field(default_factory=list)

    def encode(self, value: Any, depth: int = 0) -> Any:
        kind = type(value)
        if value is None or kind in (bool, str, float) or (kind is int and abs(value) < 10**300):
            return value
        if kind is np.ndarray and value.dtype.kind in PLAIN_KINDS and _plain_layout(value.dtype):
            return {"a": self._blob(value)}
        if issubclass(kind, np.generic) and kind.__module__ == "numpy" and value.dtype.kind in PLAIN_KINDS:
            return {"n": self._blob(np.asarray(value))}
        if depth < MAX_DEPTH:
            if kind is list:
                return {"l": [self.encode(v, depth + 1) for v in value]}
            if kind is tuple:
                return {"t": [self.encode(v, depth + 1) for v in value]}
            if kind is dict:
                return {
                    "d": [[self.encode(k, depth + 1), self.encode(v, depth + 1)] for k, v in value.items()]
                }
            if kind in (set, frozenset):
                return {"s": [self.encode(v, depth + 1) for v in value]}
        if kind is complex:
            return {"c": [value.real, value.imag]}
        if kind is bytes:
            return {"b": base64.b64encode(value).decode()}
        return self._special(value)

    def _special(self, value: Any) -> Any:
        if self.keep is not None:
            return {"h": self.keep(value), "type": _type_words(value)}
        if isinstance(value, Handle):
            return {"h": value.number, "type": value.answer_type}
        if type(value) is np.random.Generator:
            return {"g": self.encode(value.bit_generator.state)}
        raise NotPlain(
            f"a {type(value).__name__} cannot be handed to an answer: "
            "pass plain data, arrays, a NumPy Generator or a handle"
        )

    def _blob(self, array: np.ndarray) -> int:
        # Order is kept, so that a transposed input arrives transposed.
        fortran = array.flags.f_contiguous and not array.flags.c_contiguous
        header = _header(array.dtype, array.shape, fortran)
        self.blobs.append(header + array.tobytes("F" if fortran else "C"))
        return len(self.blobs) - 1


@lru_cache(1024)
def _header(dtype: np.dtype, shape: tuple[int, ...], fortran: bool) -> bytes:
    """What stands before the elements in an ``.npy`` file; version 1 holds every plain dtype."""
    stream = io.BytesIO()
    described = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": fortran, "shape": shape}
    np.lib.format.write_array_header_1_0(stream, described)
    return stream.getvalue()


@lru_cache(1024)
def _parsed(header: bytes) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Shape, Fortran order and dtype from the header of an ``.npy`` file. Raises what NumPy raises."""
    stream = io.BytesIO(header)
    version = np.lib.format.read_magic(stream)
    if version != (1, 0):
        raise WireError("an array of an unknown version")
    return np.lib.format.read_array_header_1_0(stream, max_header_size=2000)


def _plain_layout(dtype: np.dtype) -> bool:
    # Elements of no size could be any number, in no bytes.
    return dtype.names is None and dtype.subdtype is None and dtype.itemsize > 0


def _type_words(value: Any) -> str:
    kind = type(value)
    name = getattr(kind, "__name__", "object")
    if kind is np.ndarray:
        return f"an array of dtype {value.dtype}"
    if isinstance(value, np.ndarray):
        return f"a {name} (a subclass of ndarray; return np.asarray of it)"
    return f"a value of type {name}"


@dataclass
class Decoder:
    """Turns a tree back into a value.

    ``find`` gives the object behind a handle (on the answer's side only).
    """

    blobs: list[bytes]
    find: Callable[[int], Any] | None = None

    def decode(self, tree: Any, depth: int = 0) -> Any:
        if depth > MAX_DEPTH + 2:
            raise WireError("nested too deeply")
        if tree is None or isinstance(tree, (bool, int, float, str)):
            return tree
        if not isinstance(tree, dict):
            raise WireError("an untagged value")
        tags = set(tree) - {"type"}
        if len(tags) != 1:
            raise WireError("a value with no tag or several")
        (tag,) = tags
        body = tree[tag]
        try:
            return self._tagged(tag, body, tree, depth)
        except (WireError, NotPlain):
            raise
        except Exception as error:
            raise WireError(f"a {tag!r} out of form: {type(error).__name__}") from error

    def _tagged(self, tag: str, body: Any, tree: dict, depth: int) -> Any:
        if tag == "a" or tag == "n":
            array = self._array(body)
            if tag == "a":
                return array
            if array.ndim:
                raise WireError("a scalar with axes")
            return array[()]
        if tag == "l":
            return [self.decode(v, depth + 1) for v in body]
        if tag == "t":
            return tuple(self.decode(v, depth + 1) for v in body)
        if tag == "s":
            return {self.decode(v, depth + 1) for v in body}
        if tag == "d":
            return {self.decode(k, depth + 1): self.decode(v, depth + 1) for k, v in body}
        if tag == "c":
            return complex(float(body[0]), float(body[1]))
        if tag == "b":
            return base64.b64decode(body, validate=True)
        if tag == "h":
            number = int(body)
            if self.find is not None:
                return self.find(number)
            return Handle(number, as_text(tree.get("type", "an object"), 200))
        if tag == "g" and self.find is not None:
            state = self.decode(body, depth + 1)
            bits = getattr(np.random, state["bit_generator"])()
            bits.state = state
            return np.random.Generator(bits)
        raise WireError(f"the unknown tag {tag[:20]!r}")

    def _array(self, number: Any) -> np.ndarray:
        if not isinstance(number, int) or not 0 <= number < len(self.blobs):
            raise WireError("an array without its bytes")
        data = self.blobs[number]
        start = 10 + int.from_bytes(data[8:10], "little")
        shape, fortran, dtype = _parsed(data[:start])
        if dtype.kind not in PLAIN_KINDS or not _plain_layout(dtype):
            raise WireError("an array of an unusual dtype")
        if len(data) - start != math.prod(shape) * dtype.itemsize:
            raise WireError("an array with too many bytes or too few")
        # Of a copy, since a buffer's view can only be read.
        flat = np.frombuffer(bytearray(data[start:]), dtype)
        return flat.reshape(shape, order="F" if fortran else "C")


def as_text(value: Any, most: int) -> str:
    """``value`` as at most ``most`` characters that can be written to a file: no surrogate stands alone."""
    return str(value)[:most].encode("utf-8", "replace").decode()


def pack(message: dict[str, Any], blobs: list[bytes]) -> bytes:
    """The bytes of one frame."""
    text = json.dumps({**message, "blobs": [len(b) for b in blobs]}).encode()
    return b"".join([HEADER.pack(MAGIC, len(text), sum(map(len, blobs))), text, *blobs])


class Channel:
    """Frames over a connected stream socket."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock

    def send(
        self,
        message: dict[str, Any],
        blobs: list[bytes] | None = None,
        fds: list[int] | None = None,
        deadline: float | None = None,
    ) -> None:
        """Send one frame, with open file descriptors beside it if given.

        ``deadline`` is on ``time.monotonic``'s clock: a frame may be larger than what the system holds for
        somebody who does not read. Raises :class:`Closed`, :class:`DeadlinePassed`; after that a part of the
        frame is on its way, and the channel is of no more use.
        """
        data = pack(message, blobs or [])
        try:
            if deadline is not None:
                self.sock.settimeout(max(0.001, deadline - _REAL_TIME()))
            if fds:
                sent = socket.send_fds(self.sock, [data[: HEADER.size]], fds)
                data = data[sent:]
            self.sock.sendall(data)
            if deadline is not None:
                self.sock.settimeout(None)
        except TimeoutError as error:
            raise DeadlinePassed from error
        except OSError as error:
            raise Closed(str(error)) from error

    def receive(
        self,
        deadline: float | None = None,
        watch: Callable[[], None] | None = None,
        limit: int = MAX_BLOBS,
        want_fds: int = 0,
    ) -> tuple[dict[str, Any], list[bytes], list[int]]:
        """Receive one frame: its message, blobs and file descriptors.

        ``deadline`` is on ``time.monotonic``'s clock; ``watch`` is called every few milliseconds while
        waiting and may raise. Raises :class:`DeadlinePassed`, :class:`Closed`, :class:`WireError`.
        """
        fds: list[int] = []
        if want_fds:
            head, fds, _, _ = socket.recv_fds(self.sock, HEADER.size, want_fds)
            if not head:
                raise Closed
            head += self._exactly(HEADER.size - len(head), deadline, watch)
        else:
            head = self._exactly(HEADER.size, deadline, watch)
        magic, text_length, blob_length = HEADER.unpack(head)
        if magic != MAGIC:
            raise WireError("the frame does not start as one")
        if text_length > MAX_JSON or blob_length > limit:
            raise TooLarge(f"a frame of {(text_length + blob_length) / 2**20:.0f} MB")
        try:
            message = json.loads(self._exactly(text_length, deadline, watch))
        except (ValueError, RecursionError) as error:
            raise WireError("the frame is not JSON") from error
        if not isinstance(message, dict):
            raise WireError("the frame is not an object")
        lengths = message.pop("blobs", None)
        if (
            not isinstance(lengths, list)
            or not all(type(n) is int and n >= 0 for n in lengths)
            or sum(lengths) != blob_length
        ):
            raise WireError("the frame does not say how long its arrays are")
        blobs = [self._exactly(n, deadline, watch) for n in lengths]
        return message, blobs, fds

    def _exactly(self, count: int, deadline: float | None, watch: Callable[[], None] | None) -> bytes:
        parts = bytearray()
        while len(parts) < count:
            if deadline is not None or watch is not None:
                left = None if deadline is None else deadline - _REAL_TIME()
                if left is not None and left <= 0:
                    raise DeadlinePassed
                step = left if watch is None else min(0.02, left if left is not None else 0.02)
                ready, _, _ = select.select([self.sock], [], [], step)
                if not ready:
                    if watch is not None:
                        watch()
                    continue
            try:
                part = self.sock.recv(min(count - len(parts), 2**20))
            except OSError as error:
                raise Closed(str(error)) from error
            if not part:
                raise Closed
            parts += part
        return bytes(parts)

    def close(self) -> None:
        self.sock.close()
