"""What an answer cannot reach where bubblewrap holds it: tried from inside."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from inside import Worker, levels, value

from fourrounds.answers import system
from fourrounds.answers.sandbox import Answer, Limits, Sandbox

pytestmark = pytest.mark.needs("bubblewrap")
Open = Callable[..., Worker]
REPO = Path(__file__).resolve().parents[2]
LIBC = "import ctypes, errno, os\nlibc = ctypes.CDLL(None, use_errno=True)\n"


@pytest.fixture(scope="module", params=levels("namespaces", "bubblewrap"))
def held(request: pytest.FixtureRequest, sandboxes: Callable[[str], Sandbox]) -> Iterator[Worker]:
    """One answer for all tests that only look."""
    sandboxes(request.param)  # skips where this machine refuses the level
    with Sandbox(request.param) as sandbox:
        answer = sandbox.open(Limits())
        yield Worker(answer, request.param)
        answer.close()


@pytest.fixture(params=levels("namespaces", "bubblewrap"))
def level(request: pytest.FixtureRequest) -> str:
    """The levels at which answers share nothing."""
    name: str = request.param
    return name


def test_it_sees_only_what_it_needs(held: Worker) -> None:
    seen = held.tell("import os\nprint(sorted(os.listdir('/')), sorted(os.listdir('/site')))")
    root, site = map(eval, seen.replace("] [", "]\n[").splitlines())
    prefix = Path(sys.base_prefix).resolve().parts[1]
    assert set(root) <= {"bin", "dev", "lib", "lib32", "lib64", "proc", "site", "tmp", "usr", prefix}
    assert {"numpy", "matplotlib", "IPython", "fourrounds"} <= set(site)
    assert not {"torch", "nbgrader", "scipy", "pip"} & set(site)
    parts = ["__init__.py", "answers", "checks", "critique", "design", "proposal", "runbank"]
    assert eval(held.tell("print(sorted(os.listdir('/site/fourrounds')))")) == parts
    bank = ["__init__.py", "data", "families.py", "lab.py", "store.py", "table.py"]
    assert eval(held.tell("print(sorted(os.listdir('/site/fourrounds/runbank')))")) == bank


@pytest.mark.parametrize(
    "path",
    [
        REPO,
        REPO / "source",
        REPO / "gradebook.db",
        REPO / "src" / "fourrounds" / "examiner",
        Path(sys.prefix) / "lib" / "python{}.{}".format(*sys.version_info) / "site-packages" / "torch",
        Path.home() / ".ssh",
        Path("/etc/passwd"),
        Path("/sys"),
        Path("/run"),
    ],
    ids=lambda path: path.name,
)
def test_the_examiners_files_are_not_there(held: Worker, path: Path) -> None:
    assert held.tell(f"import os\nprint(os.path.lexists({str(path)!r}))") == "False\n"


def test_no_torch_anywhere_on_its_path(held: Worker) -> None:
    found = held.tell(
        "import importlib.machinery as m, sys\n"
        "print([m.PathFinder.find_spec(n) for n in ('torch', 'nbgrader', 'scipy')])"
    )
    assert found == "[None, None, None]\n"
    assert held.tell("print([p for p in sys.path if 'packages' in p])") == "[]\n"


def test_nothing_can_be_written_but_its_own_tmp(held: Worker) -> None:
    for folder in ("/", "/site", "/site/numpy", "/usr", "/usr/lib", "/dev", os.path.dirname(os.__file__)):
        error = held.run(f"open({folder + '/mine'!r}, 'w')").error
        assert error is not None, folder
        assert error["type"] in {"OSError", "PermissionError"}, folder
    held.tell("open('/tmp/mine', 'w').write('x')\nopen('mine too', 'w').write('x')")


CONNECT = """
import socket
for address in ("127.0.0.1", "10.0.0.1", "1.1.1.1"):
    try:
        socket.create_connection((address, PORT), timeout=1)
        print("connected")
    except OSError:
        print("refused")
print([name for _, name in socket.if_nameindex()])
"""


def test_no_network(held: Worker) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        assert held.tell(CONNECT.replace("PORT", port)) == "refused\nrefused\nrefused\n['lo']\n"


def test_no_unix_socket_of_the_machine(held: Worker, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        name = f"\0fourrounds-{os.getpid()}"
        server.bind(name)
        server.listen()
        error = held.run(f"import socket\nsocket.socket(socket.AF_UNIX).connect({name!r})").error
        assert error is not None
        assert error["type"] == "ConnectionRefusedError"


CAPABILITIES = """
import struct
held = ctypes.create_string_buffer(24)
libc.capget(struct.pack("Ii", 0x20080522, 0), held)
bounding = [c for c in range(41) if libc.prctl(23, c, 0, 0, 0) > 0]
print(held.raw == bytes(24), bounding, libc.prctl(39, 0, 0, 0, 0), 0 in (os.getuid(), os.geteuid()))
"""


def test_no_capability_and_no_way_to_one(held: Worker) -> None:
    assert held.tell(LIBC + CAPABILITIES) == "True [] 1 False\n"
    error = held.run("os.setuid(0)").error
    assert error is not None
    assert error["type"] in {"OSError", "PermissionError"}


@pytest.mark.parametrize(
    "attempt",
    [
        "libc.unshare(0x10000000)",
        "libc.unshare(0x00020000)",
        "libc.setns(0, 0)",
        "libc.mount(b'tmpfs', b'/tmp', b'tmpfs', 0, None)",
        "libc.umount2(b'/tmp', 2)",
        "libc.ptrace(0, 0, 0, 0)",
        "libc.process_vm_readv(os.getppid(), None, 0, None, 0, 0)",
        "libc.memfd_create(b'x', 0)",
        "libc.shmget(0, 4096, 0o1600)",
        "libc.syscall({'x86_64': 321, 'aarch64': 280}[os.uname().machine], 0, 0, 0)",
        "libc.syscall(425, 1, 0)",
        "libc.syscall({'x86_64': 56, 'aarch64': 220}[os.uname().machine], 0x10000000, 0, 0, 0, 0)",
    ],
)
def test_system_calls_that_undo_the_walls_are_refused(held: Worker, attempt: str) -> None:
    assert held.tell(f"{LIBC}print({attempt}, errno.errorcode[ctypes.get_errno()])") == "-1 EPERM\n"


def test_clone3_is_not_there_and_processes_start_all_the_same(held: Worker) -> None:
    assert (
        held.tell(f"{LIBC}print(libc.syscall(435, 0, 0), ctypes.get_errno() == errno.ENOSYS)") == "-1 True\n"
    )
    assert (
        held.tell("import subprocess\nprint(subprocess.run(['echo', 'x'], capture_output=True).stdout)")
        == "b'x\\n'\n"
    )


PROCESSES = """
import os
def there(pid):
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True
print(os.getpid(), os.getppid(), [p for p in range(2, 1000) if there(p) and p != os.getpid()])
"""


def test_it_sees_no_process_but_its_own(held: Worker) -> None:
    pid, parent, others = held.tell(PROCESSES).split(maxsplit=2)
    assert int(pid) < 5
    assert int(parent) < 3
    assert others == "[]\n"
    if held.level == "namespaces":
        assert held.tell("print(os.listdir('/proc'))") == "[]\n"


DESCRIPTORS = """
import os, stat
def descriptors():
    count = 0
    for fd in range(256):
        try:
            mode = os.fstat(fd).st_mode
        except OSError:
            continue
        count += stat.S_ISSOCK(mode) or stat.S_ISFIFO(mode) or stat.S_ISREG(mode)
    return int(count)
"""


def test_it_holds_no_descriptor_but_its_own_channel(held: Worker) -> None:
    held.tell(DESCRIPTORS)
    assert held.tell("print(descriptors())") == "1\n"
    session = held.session()
    assert value(session, "descriptors") == 1
    session.close()


BOMB = """
import os, time
def bomb():
    count = 0
    try:
        while count < 400:
            if not os.fork():
                time.sleep(30)
                os._exit(0)
            count += 1
    except OSError:
        pass
    return count
"""
ECHO = "import subprocess\nprint(subprocess.run(['echo', 'ok'], capture_output=True, text=True).stdout)"


def test_a_fork_bomb_is_bounded(opened: Open) -> None:
    worker = opened()
    worker.tell(BOMB)
    session = worker.session()
    assert 10 < value(session, "bomb") < 60
    worker.answer.close()
    assert opened().tell(ECHO) == "ok\n\n"


def test_a_daemon_ends_with_the_answer(opened: Open) -> None:
    worker = opened()
    before = family()
    worker.tell(
        "import os, time\n"
        "if not os.fork():\n"
        "    os.setsid()\n"
        "    if not os.fork():\n"
        "        while True: time.sleep(0.01)\n"
        "    os._exit(0)\n"
        "os.wait()[0]"
    )
    daemons = family() - before
    assert daemons
    worker.answer.close()
    _, alive = psutil.wait_procs(daemons, timeout=5)
    assert not [process for process in alive if process.status() != psutil.STATUS_ZOMBIE]


def family() -> set[psutil.Process]:
    return set(psutil.Process().children(recursive=True))


def test_answers_share_no_file_and_no_memory(opened: Open) -> None:
    first = opened()
    folders = ("/tmp", "/dev/shm") if first.level == "namespaces" else ("/tmp",)
    for folder in folders:
        first.tell(f"open('{folder}/left', 'w').write('x')")
    first.tell("import numpy as np\nnp.mine = 1\nnp.sum = None")
    second = opened()
    for folder in folders:
        assert second.tell(f"import os\nprint(os.path.exists('{folder}/left'))") == "False\n"
    assert second.tell("import numpy as np\nprint(hasattr(np, 'mine'), np.sum([1, 2]))") == "False 3\n"


def test_the_disk_is_limited(opened: Open) -> None:
    worker = opened(disk=2 * 2**20)
    error = worker.run(
        "with open('/tmp/big', 'wb') as file:\n    for _ in range(40): file.write(bytes(2**20))"
    ).error
    assert error is not None
    assert error["type"] == "OSError"
    if worker.level == "namespaces":
        many = worker.run("for n in range(5000): open(f'/tmp/{n}', 'w')").error
        assert many is not None
        assert many["message"].startswith("[Errno 28] No space left on device")


def test_as_root_it_runs_as_nobody(held: Worker) -> None:
    uid = int(held.tell("import os\nprint(os.getuid())"))
    assert uid == (system.NOBODY if os.getuid() == 0 else os.getuid())


def test_the_warm_process_is_single_threaded(sandboxes: Callable[[str], Sandbox]) -> None:
    sandbox = sandboxes("namespaces")
    assert sandbox._process is not None
    warm = [
        psutil.Process(sandbox._process.pid),
        *psutil.Process(sandbox._process.pid).children(recursive=True),
    ]
    assert [p.num_threads() for p in warm] == [1] * len(warm)


def test_an_answer_is_closed_once(opened: Open) -> None:
    answer: Answer = opened().answer
    answer.close()
    assert answer.ended
    assert answer.close() is None
