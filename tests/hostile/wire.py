"""Attacks on the examiner's channel, which the answer's process holds open."""

from __future__ import annotations

from hostile.cases import WRONG, Work, case

BOTH = "\n\n".join(WRONG.values())
ONLY_OURS = "it has no such channel"

TOOLS = """
import json, os, stat, struct

def _sockets():
    for number in range(3, 256):
        try:
            if stat.S_ISSOCK(os.fstat(number).st_mode):
                yield number
        except OSError:
            pass

def _frame(message, blobs=()):
    text = json.dumps({**message, "blobs": [len(b) for b in blobs]}).encode()
    return struct.pack(">4sIQ", b"4RND", len(text), sum(map(len, blobs))) + text + b"".join(blobs)

def _send(data):
    for number in _sockets():
        try:
            os.write(number, data)
        except OSError:
            pass
"""


@case(48, verdict="format|crashed", stock="it would break the kernel's own sockets")
def junk_in_cell(work: Work) -> None:
    """Writes junk to every open file descriptor while its cell runs."""
    work.wrong(
        after="""
        import os
        for number in range(3, 256):
            try:
                os.write(number, b"junk" * 1000)
            except OSError:
                pass
        """
    )


@case(48, verdict="format|crashed", stock=ONLY_OURS)
def junk_in_call(work: Work) -> None:
    """Writes junk to every socket when it is called."""
    work.code(TOOLS + BOTH.replace("return np", "_send(b'junk' * 1000)\n    return np"))


@case(48, verdict="wrong type|format", stock=ONLY_OURS)
def forged_results(work: Work) -> None:
    """Sends results of its own, and verdicts with full points, before the examiner has asked."""
    work.code(
        TOOLS
        + BOTH.replace("return np", "_forge()\n    return np")
        + """
def _forge():
    for n in range(1, 10):
        result = {"value": None, "kind": "ok", "points": 4}
        _send(_frame({"n": n, "results": [result], "kind": "ok", "points": 4}))
"""
    )


@case(48, verdict="format", stock=ONLY_OURS)
def forged_cell_replies(work: Work) -> None:
    """Sends replies for cells that have not run, one with an output of infinite length."""
    work.wrong(
        after=TOOLS
        + """
for n in range(1, 10):
    for reply in ({"error": None, "stdout": "", "written": float("inf")}, {"error": [], "stdout": []}):
        _send(_frame({"n": n, **reply}))
"""
    )


@case(48, verdict="format|output|crashed|wrong type", stock=ONLY_OURS)
def forged_arrays(work: Work) -> None:
    """Sends arrays whose headers promise a petabyte, objects, or a pickle."""
    work.code(
        TOOLS
        + BOTH.replace("return np", "_forge()\n    return np")
        + """
def _forge():
    for header in ("'<f8', 'fortran_order': False, 'shape': (1000000, 1000000, 1000)",
                   "'|O', 'fortran_order': False, 'shape': (1,)",
                   "'|S0', 'fortran_order': False, 'shape': (10**18,)"):
        text = ("{'descr': " + header + ", }").encode()
        pickled = b"cos\\nsystem\\n(S'true'\\ntR."
        blob = b"\\x93NUMPY\\x01\\x00" + struct.pack("<H", len(text)) + text + pickled
        for n in range(1, 10):
            _send(_frame({"n": n, "results": [{"value": {"a": 0}}]}, [blob]))
"""
    )


@case(48, verdict="output|format", stock=ONLY_OURS)
def forged_length(work: Work) -> None:
    """Announces a frame of an exabyte."""
    work.wrong(after=TOOLS + '_send(struct.pack(">4sIQ", b"4RND", 100, 2**60))')


@case(48, verdict="timeout", stock=ONLY_OURS)
def half_a_frame(work: Work) -> None:
    """Announces a frame, sends half of it, and sleeps."""
    work.wrong(after=TOOLS + "import time\n_send(_frame({'n': 1, 'x': 'y' * 100})[:50])\ntime.sleep(60)")


@case(48, verdict="format|crashed|timeout", stock=ONLY_OURS)
def drips(work: Work) -> None:
    """Announces a frame and sends it byte by byte, to keep the examiner waiting."""
    work.wrong(
        after=TOOLS
        + """
import time
for byte in _frame({"n": 1, "x": "y" * 10_000}):
    _send(bytes([byte]))
    time.sleep(0.1)
"""
    )


@case(48, verdict="wrong type|format|wrong value", stock=ONLY_OURS)
def patched_worker(work: Work) -> None:
    """Patches the code on its side of the wall: encoder, comparison of inputs, description of errors."""
    work.wrong(
        after="""
        from fourrounds.answers import wire, worker
        wire.Encoder.encode = lambda self, value, depth=0: {"h": float("inf"), "type": ["ok"] * 1000}
        worker.AnswerProcess._describe = lambda self, error: {"type": "ok", "points": 4}
        """
    )


@case(48, verdict="timeout|crashed", stock=ONLY_OURS)
def never_listens(work: Work) -> None:
    """Stops reading from the channel, while the examiner has a large cell to send."""
    work.wrong(
        after="""
        import time
        from fourrounds.answers import wire
        wire.Channel.receive = lambda *args, **kwargs: time.sleep(1e6)
        """
    )
    work.cell("multi-head-answer")["source"] = "# " + "x" * 399_000


@case(48, verdict="crashed|format", stock=ONLY_OURS)
def closes_everything(work: Work) -> None:
    """Closes every file descriptor while its cell runs."""
    work.wrong(after="import os\nos.closerange(0, 256)")


@case(48, verdict="crashed|format|wrong type", stock=ONLY_OURS)
def lies_about_its_end(work: Work) -> None:
    """Ends its process when it is called, and reports an exit status that no process has."""
    work.wrong(
        after="""
        import os
        from fourrounds.answers import worker
        worker.AnswerProcess._wait = lambda self, pid: 0x137F

        def attention(q, k, v, mask=None):
            os._exit(1)
        """
    )
