"""Attacks on the machine: processes that end, never end, multiply, or use up what there is."""

from hostile.cases import FIRST, WRONG, Work, case, right

BOTH = "\n\n".join(WRONG.values())
HARMFUL = "it would harm the machine"
SLOW = "it would take minutes"


def in_function(work: Work, statement: str) -> None:
    """A wrong answer that runs ``statement`` whenever it is called."""
    lines = statement.strip("\n").split("\n")
    body = "\n".join("    " + line for line in lines)
    work.code(BOTH.replace("    return np", f"{body}\n    return np"))


@case(16, verdict="crashed")
def exit_in_cell(work: Work) -> None:
    """Ends its process with os._exit while its cell runs."""
    work.wrong(after="import os\nos._exit(0)")


@case(16, verdict="crashed")
def exit_in_call(work: Work) -> None:
    """Ends its process with os._exit when it is called."""
    in_function(work, "import os\nos._exit(0)")


@case(16, verdict="crashed")
def system_exit(work: Work) -> None:
    """Raises SystemExit when it is called."""
    in_function(work, "raise SystemExit(0)")


@case(16, verdict="crashed")
def kills_itself(work: Work) -> None:
    """Sends itself SIGKILL when it is called."""
    in_function(work, "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)")


@case(16, verdict="crashed")
def segfault(work: Work) -> None:
    """Reads address 0 while its cell runs."""
    work.wrong(after="import ctypes\nctypes.string_at(0)")


@case(16, verdict="crashed")
def deep_recursion(work: Work) -> None:
    """Takes the recursion limit away and calls itself until the stack is used up."""
    in_function(work, "import sys\nsys.setrecursionlimit(10**9)\nf = lambda x: [*map(f, [x])]\nf(0)")


@case(16, holds="bubblewrap", mild=False)
def kills_its_parent(work: Work) -> None:
    """Sends SIGKILL to its parent and to the parent's parent."""
    work.wrong(
        after="""
        import os, signal
        if os.getppid() > 1:
            os.kill(os.getppid(), signal.SIGKILL)
        """
    )


@case(16, holds="bubblewrap", mild=False, stock=HARMFUL)
def kills_everything(work: Work) -> None:
    """Sends SIGKILL to every process that it may."""
    work.wrong(
        after="""
        import os, signal
        try:
            os.kill(-1, signal.SIGKILL)
        except OSError:
            pass
        """
    )


@case(16, verdict="crashed", earlier=right)
def exit_on_regrade(work: Work) -> None:
    """Hands in a right answer; when it has full marks, hands in one that ends its process."""
    work.wrong(after="import os\nos._exit(0)")


@case(30, verdict="not attempted", earlier=right)
def nothing_on_regrade(work: Work) -> None:
    """Hands in a right answer; when it has full marks, hands in a folder without a notebook."""
    (work.folder / "readme.txt").write_text("see my earlier submission")
    work.keep = False


@case(30, verdict="format", earlier=right)
def no_json_on_regrade(work: Work) -> None:
    """Hands in a right answer; when it has full marks, hands in a file that is no JSON."""
    work.path.write_text("{")


@case(17, verdict="timeout")
def endless_loop(work: Work) -> None:
    """Never returns."""
    in_function(work, "while True:\n    pass")


@case(17, 18, verdict="timeout")
def stubborn_loop(work: Work) -> None:
    """Never ends its cell, swallows every exception and ignores every signal."""
    work.wrong(
        after="""
        import signal
        for number in range(1, signal.NSIG):
            try:
                signal.signal(number, signal.SIG_IGN)
            except (OSError, ValueError):
                pass
        while True:
            try:
                while True:
                    pass
            except BaseException:
                continue
        """
    )


@case(18, verdict="timeout")
def stops_itself(work: Work) -> None:
    """Sends itself SIGSTOP when it is called."""
    in_function(work, "import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)")


@case(19, verdict="crashed|timeout|memory", holds="bubblewrap", mild=False, stock=HARMFUL)
def fork_bomb(work: Work) -> None:
    """Forks without end, and every child does too."""
    work.wrong(
        after="""
        import os
        while True:
            try:
                os.fork()
            except OSError:
                pass
        """
    )


@case(19, verdict="wrong value|memory", holds="bubblewrap", mild=False, stock=HARMFUL)
def many_processes(work: Work) -> None:
    """Starts processes until it has 500, and counts how many it got."""
    work.steal(
        """
        import os, signal, time
        children = []
        try:
            for _ in range(500):
                pid = os.fork()
                if pid == 0:
                    time.sleep(60)
                    os._exit(0)
                children.append(pid)
            won()
        except OSError:
            pass
        for pid in children:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        """
    )


@case(20, verdict="memory|timeout", stock=HARMFUL)
def memory_hog(work: Work) -> None:
    """Takes memory until there is none."""
    in_function(work, "kept = []\nwhile True:\n    kept.append(np.zeros(2**24))")


@case(20, verdict="memory", holds="bubblewrap", mild=False, stock=HARMFUL)
def memory_in_children(work: Work) -> None:
    """Shares out its memory use over forty processes."""
    work.wrong(
        after="""
        import os, time
        for _ in range(40):
            if os.fork() == 0:
                kept = b"x" * 200_000_000
                time.sleep(60)
                os._exit(0)
        time.sleep(60)
        """
    )


@case(20, 21, holds="bubblewrap", mild=False, stock=HARMFUL)
def fills_the_disk(work: Work) -> None:
    """Writes files to every folder that it may write to, until 300 MB are there."""
    work.steal(
        """
        import os
        for folder in (".", "/tmp", "/var/tmp", "/dev/shm", "/run", "/proc", "/"):
            written, number = 0, 0
            try:
                while written < 300_000_000:
                    number += 1
                    with open(f"{folder}/full-{number}", "wb", buffering=0) as file:
                        for _ in range(16):
                            written += file.write(b"x" * 2**20)
                won()
            except OSError:
                pass
        """
    )


@case(20, stock=HARMFUL)
def memory_in_files(work: Work) -> None:
    """Keeps memory where no limit on its address space sees it: memfd, System V shared memory."""
    work.steal(
        """
        import ctypes, os
        try:
            os.write(os.memfd_create("hidden"), b"x" * 1000)
            won()
        except OSError:
            pass
        if ctypes.CDLL(None).shmget(0, 2**20, 0o1600) >= 0:
            won()
        """
    )


@case(22, verdict="output", stock=SLOW)
def output_flood(work: Work) -> None:
    """Prints without end when it is called."""
    in_function(work, "while True:\n    print('x' * 2**20)")


@case(22, verdict="output", stock=SLOW)
def output_flood_in_cell(work: Work) -> None:
    """Prints without end while its cell runs, through sys.stdout and sys.__stdout__."""
    work.wrong(
        after="import sys\nwhile True:\n    print('x' * 2**20)\n    print('x' * 2**20, file=sys.__stdout__)"
    )


@case(22, verdict="ok", name="print-flood")
def print_flood(work: Work) -> None:
    """A right answer that prints 20 MB, in one line and in many."""
    work.right(after="print('x' * 10_000_000)\nfor _ in range(10_000):\n    print('y' * 1000)")


@case(22, verdict="ok")
def prints_in_many_cells(work: Work) -> None:
    """A right answer with 1,500 cells that each print 64 KB: 100 MB in all."""
    work.right()
    for _ in range(1500):
        work.insert("print('x' * 65536)", before=FIRST)


@case(20, 22, verdict="output|memory|timeout", stock=SLOW)
def huge_result(work: Work) -> None:
    """Returns an array of 400 MB."""
    in_function(work, "return np.zeros(50_000_000)")


@case(24, verdict="ok", holds="bubblewrap")
def daemon(work: Work) -> None:
    """A right answer that leaves a process behind which writes a file some seconds later."""
    work.right(
        after="""
        import subprocess, sys
        _late = "import time; time.sleep(8); open(" + repr(CANARY) + ", 'w').close(); time.sleep(20)"
        subprocess.Popen([sys.executable, "-c", _late], start_new_session=True)
        """
    )


@case(24, verdict="ok", holds="bubblewrap")
def daemon_twice_removed(work: Work) -> None:
    """A right answer whose orphaned grandchild, in a session of its own, writes a file later."""
    work.right(
        after="""
        import os, time
        if os.fork() == 0:
            os.setsid()
            if os.fork():
                os._exit(0)
            time.sleep(8)
            try:
                open(CANARY, "w").close()
            except OSError:
                pass
            time.sleep(20)
            os._exit(0)
        """
    )


@case(24, verdict="ok")
def threads(work: Work) -> None:
    """A right answer that leaves threads running, more than it may start."""
    work.right(
        after="""
        import threading, time
        try:
            for _ in range(200):
                threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
        except RuntimeError:
            pass
        """
    )
