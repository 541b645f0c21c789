"""Everything that depends on the operating system: namespaces, limits, seccomp, bubblewrap, processes.

Linux offers all of it; elsewhere the functions do what they can (see ``sandbox.LEVELS``). System calls go
through ctypes because Python 3.11 has no ``os.unshare`` and no mount at all.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
import shutil
import signal
import struct
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import psutil

CAN_FORK = hasattr(os, "fork") and sys.platform != "darwin"  # forking after Accelerate has started is unsafe
NOBODY = 65534

_CLONE_NEWNS, _CLONE_NEWIPC, _CLONE_NEWUSER, _CLONE_NEWPID = 0x00020000, 0x08000000, 0x10000000, 0x20000000
_MS_NOSUID, _MS_NODEV, _MS_NOEXEC, _MS_BIND, _MS_REC, _MS_PRIVATE = 2, 4, 8, 4096, 16384, 1 << 18
_PR_SET_DUMPABLE, _PR_CAPBSET_DROP, _PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 4, 24, 22, 38


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _checked(result: int, what: str) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


# -- inside the sandbox


def enter_namespaces(limits: dict[str, int]) -> int:
    """Fork a process into user, mount, pid and IPC namespaces of its own, without capabilities, under
    ``limits``.

    Returns the new process's pid in the caller and 0 in the new process. It is pid 1 of its namespace (its
    death is the death of all its children), sees an empty /proc, and has fresh /tmp and /dev/shm. Raises
    ``OSError`` where the kernel refuses.
    """
    libc = _libc()
    uid, gid = os.getuid(), os.getgid()
    _checked(
        libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNS | _CLONE_NEWPID | _CLONE_NEWIPC),
        "unshare(user, mount, pid, ipc)",
    )
    # A new user namespace makes the process undumpable, and its own /proc files unwritable with it.
    libc.prctl(_PR_SET_DUMPABLE, 1, 0, 0, 0)
    for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)
    pid = os.fork()
    if pid:
        return pid
    _mount(None, "/", None, _MS_REC | _MS_PRIVATE)
    common = _MS_NOSUID | _MS_NODEV
    _mount("tmpfs", "/tmp", "tmpfs", common, f"size={limits['disk']},mode=1777,nr_inodes=4096")
    _mount("tmpfs", "/dev/shm", "tmpfs", common | _MS_NOEXEC, "size=16m,mode=1777,nr_inodes=256")
    _mount("tmpfs", "/proc", "tmpfs", common | _MS_NOEXEC, "size=4k,nr_inodes=2,mode=0555")
    os.chdir("/tmp")
    _drop_capabilities(libc)
    set_limits(limits)
    return 0


def _mount(source: str | None, target: str, kind: str | None, flags: int, data: str | None = None) -> None:
    encode = [None if s is None else s.encode() for s in (source, target, kind, data)]
    _checked(_libc().mount(encode[0], encode[1], encode[2], flags, encode[3]), f"mount {target}")


def _drop_capabilities(libc: ctypes.CDLL) -> None:
    for capability in range(64):
        if libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0):
            break  # past the kernel's last capability
    header = struct.pack("Ii", 0x20080522, 0)
    _checked(libc.capset(header, bytes(24)), "capset")


def set_limits(limits: dict[str, int]) -> None:
    """Resource limits of this process.

    Memory (address space), file size, processes, open files, cpu seconds, no core files.
    """
    try:
        import resource
    except ImportError:  # Windows
        return
    wanted = {
        "RLIMIT_AS": limits["memory"],
        "RLIMIT_FSIZE": limits["disk"],
        "RLIMIT_NPROC": limits["processes"],
        "RLIMIT_NOFILE": 256,
        "RLIMIT_CPU": limits["cpu"],
        "RLIMIT_CORE": 0,
    }
    for name, value in wanted.items():
        if sys.platform == "darwin" and name == "RLIMIT_AS":
            continue  # the dynamic linker's shared cache alone exceeds any useful value there
        with contextlib.suppress(ValueError, OSError, AttributeError):
            resource.setrlimit(getattr(resource, name), (value, value))


# System calls that an answer has no use for and that would undo a limit (memory outside RLIMIT_AS, new
# namespaces)
# or reach the kernel's less travelled parts. Numbers: (x86_64, aarch64).
_DENIED = {
    "unshare": (272, 97),
    "setns": (308, 268),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "mount_setattr": (442, 442),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "pidfd_getfd": (438, 438),
    "keyctl": (250, 219),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "shmget": (29, 194),
    "msgget": (68, 186),
    "personality": (135, 92),
}
_CLONE = (56, 220)
_CLONE3 = (435, 435)
_ARCHES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}


def harden() -> None:
    """Forbid new privileges and, on Linux, the system calls of ``_DENIED``.

    For this process and its children for good.
    """
    if sys.platform != "linux":
        return
    libc = _libc()
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    column = _ARCHES.get(platform.machine())
    if column is None:
        return
    which, audit = column
    eperm, enosys, allow = 0x00050001, 0x00050026, 0x7FFF0000
    program: list[tuple[int, int, int, int]] = [
        (0x20, 0, 0, 4),  # load the architecture
        (0x15, 1, 0, audit),
        (0x06, 0, 0, 0x80000000),  # another architecture's calls: kill
        (0x20, 0, 0, 0),  # load the call's number
    ]
    if which == 0:
        program += [(0x35, 0, 1, 0x40000000), (0x06, 0, 0, eperm)]  # the x32 numbers of x86_64
    for numbers in _DENIED.values():
        program += [(0x15, 0, 1, numbers[which]), (0x06, 0, 0, eperm)]
    # clone3 keeps its flags in memory, where a filter cannot look: without it the C library falls back to
    # clone.
    program += [(0x15, 0, 1, _CLONE3[which]), (0x06, 0, 0, enosys)]
    program += [
        (0x15, 0, 3, _CLONE[which]),
        (0x20, 0, 0, 16),  # its flags
        (0x45, 0, 1, 0x7E020000),  # any CLONE_NEW*
        (0x06, 0, 0, eperm),
        (0x06, 0, 0, allow),
    ]
    code = b"".join(struct.pack("HBBI", *line) for line in program)
    buffer = ctypes.create_string_buffer(code)
    prog = struct.pack("HxxxxxxP", len(program), ctypes.addressof(buffer))
    _checked(libc.prctl(_PR_SET_SECCOMP, 2, prog, 0, 0), "seccomp")


@contextlib.contextmanager
def process_ended(pid: int) -> Iterator[list[int]]:
    """A descriptor that becomes readable when the child ``pid`` ends, in a list.

    An empty list where there is none.
    """
    try:
        fd = os.pidfd_open(pid)
    except (AttributeError, OSError):
        yield []
        return
    try:
        yield [fd]
    finally:
        os.close(fd)


def kill_family(pid: int) -> None:
    """Kill a session and, where this process is the first of a pid namespace, everything else in it."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
        if os.getpid() == 1:
            os.kill(-1, signal.SIGKILL)


# -- outside: what the sandbox is made of

ANSWER_NEEDS = ("numpy", "matplotlib", "ipython")
PROJECT_PARTS = (
    "__init__.py",
    "answers",
    "checks",
    "critique",
    "design",
    "proposal",
    # The bank's table and the lab, without what trains and judges the runs.
    *(f"runbank/{part}" for part in ("__init__.py", "families.py", "store.py", "table.py", "lab.py", "data")),
)
"""What of this project an answer may import: no test, no truth, no score."""


def answer_modules() -> dict[str, Path]:
    """The files and folders that an answer can import beside the standard library: name in the sandbox ->
    path here.

    They are those of the distributions in ``ANSWER_NEEDS`` and all that these require, and ``PROJECT_PARTS``.
    """
    from packaging.requirements import Requirement

    found: dict[str, Path] = {}
    waiting, seen = list(ANSWER_NEEDS), set()
    while waiting:
        name = waiting.pop()
        key = name.lower().replace("_", "-")
        if key in seen:
            continue
        seen.add(key)
        try:
            distribution = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue
        # The record itself: the library's list of path objects takes half a second for all of them.
        lines = (distribution.read_text("RECORD") or "").splitlines()
        for top in {line.partition(",")[0].partition("/")[0] for line in lines}:
            if top in {"", "..", "__pycache__"} or top.endswith((".pth", ".virtualenv")):
                continue
            found.setdefault(top, Path(str(distribution.locate_file(top))))
        for text in distribution.requires or ():
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                waiting.append(requirement.name)
    here = Path(__file__).resolve().parents[1]
    for part in PROJECT_PARTS:
        found[f"fourrounds/{part}"] = here / part
    return {name: path for name, path in sorted(found.items()) if path.exists()}


def worker_environment() -> dict[str, str]:
    """The environment of an answer: the same when a learner grades alone and when a class is graded."""
    environment = {
        "HOME": "/tmp",
        "LANG": "C.UTF-8",
        "PATH": "/usr/bin:/bin",
        "MPLBACKEND": "Agg",
        "MPLCONFIGDIR": "/tmp/matplotlib",
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    # One thread each: a pool would not survive the fork, and an answer's processor time must be its own.
    for name in ("OPENBLAS", "OMP", "MKL", "VECLIB_MAXIMUM", "NUMEXPR"):
        environment[f"{name}_NUM_THREADS"] = "1"
    return environment


_START = (
    "import sys; sys.path[:0] = {path!r}; from fourrounds.answers import worker; worker.main(sys.argv[1:])"
)


@dataclass(frozen=True)
class _Bind:
    source: Path
    target: str


def _interpreter_binds() -> list[_Bind]:
    """The system's libraries and this interpreter's standard library, each once."""
    binds = [_Bind(Path("/usr"), "/usr")]
    prefix = Path(sys.base_prefix).resolve()
    if not prefix.is_relative_to("/usr"):
        binds.append(_Bind(prefix, str(prefix)))
    return binds


def _hidden_folders() -> list[str]:
    """Folders under the binds that could hold third-party packages (torch among them).

    Covered with emptiness.
    """
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    prefix = Path(sys.base_prefix).resolve()
    candidates = [
        prefix / "lib" / version / "site-packages",
        prefix / "lib" / version / "dist-packages",
        Path("/usr/lib/python3/dist-packages"),
        *Path("/usr/local/lib").glob("python3*/*-packages"),
        *Path("/usr/lib").glob("python3.*/site-packages"),
    ]
    return sorted({str(folder) for folder in candidates if folder.is_dir()})


def bubblewrap_path() -> str | None:
    """Where bubblewrap is, if it is installed."""
    return shutil.which("bwrap") if sys.platform == "linux" else None


def bubblewrap_command(
    worker_args: list[str], disk: int, stage: Path | None = None
) -> tuple[list[str], list[_Bind]]:
    """The bubblewrap command that starts the worker, and the folders that must be staged for it first.

    With ``stage`` (needed when the process drops from root to nobody, who may be unable to read a path under
    root's home) the sources of the binds are ``stage/0``, ``stage/1`` and so on.
    """
    modules = answer_modules()
    roots: list[_Bind] = []

    def staged(path: Path) -> str:
        if stage is None or path.is_relative_to("/usr"):
            return str(path)
        for number, root in enumerate(roots):
            if path.is_relative_to(root.source):
                return str(stage / str(number) / path.relative_to(root.source))
        roots.append(_Bind(path, ""))
        return str(stage / str(len(roots) - 1))

    for parent in sorted({path.parent for path in modules.values()}, key=lambda p: len(p.parts)):
        staged(parent)
    command = [bubblewrap_path() or "bwrap"]
    for name in ("user", "pid", "net", "ipc", "uts", "cgroup-try"):
        command.append(f"--unshare-{name}")
    command += ["--die-with-parent", "--new-session", "--hostname", "answer", "--clearenv"]
    for key, value in worker_environment().items():
        command += ["--setenv", key, value]
    for bind in _interpreter_binds():
        command += ["--ro-bind", staged(bind.source), bind.target]
    for link in ("bin", "lib", "lib64", "lib32"):
        if os.path.islink(f"/{link}"):
            command += ["--symlink", f"usr/{link}", f"/{link}"]
        elif os.path.isdir(f"/{link}"):
            command += ["--ro-bind", f"/{link}", f"/{link}"]
    for folder in _hidden_folders():
        command += ["--size", "4096", "--tmpfs", folder, "--remount-ro", folder]
    for name, path in modules.items():
        command += ["--ro-bind", staged(path), f"/site/{name}"]
    command += ["--proc", "/proc", "--dev", "/dev", "--size", str(disk), "--tmpfs", "/tmp", "--chdir", "/tmp"]
    command += ["--remount-ro", "/dev", "--remount-ro", "/"]
    # The venv's python is a link into the base prefix; started by its real path it needs no site-packages.
    python = os.path.realpath(sys.executable)
    command += ["--", python, "-I", "-S", "-c", _START.format(path=["/site"]), *worker_args]
    return command, roots


def process_command(worker_args: list[str], folder: Path) -> list[str]:
    """The command that starts the worker without bubblewrap.

    ``folder`` is filled with links to what an answer may import, so that nothing else is on its path; where
    links are not allowed (Windows) its path is this environment's, and only the refusal by name remains.
    """
    modules = answer_modules()
    path = [str(folder)]
    try:
        for name, source in modules.items():
            link = folder / name
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(source)
    except OSError:
        path = [str(Path(__file__).resolve().parents[2]), sysconfig.get_path("purelib")]
    return [os.path.realpath(sys.executable), "-I", "-S", "-c", _START.format(path=path), *worker_args]


def start_bubblewrap(worker_args: list[str], fds: list[int], disk: int, folder: Path) -> subprocess.Popen:
    """Start the worker in bubblewrap. As root it runs as nobody, since the kernel exempts root from process
    limits.

    ``folder`` is an empty folder of the caller's that serves as the mount point of what is staged for nobody.
    """
    options = {
        "stdin": subprocess.DEVNULL,
        "stdout": subprocess.DEVNULL,
        "stderr": subprocess.PIPE,
        "cwd": "/",
    }
    if os.getuid() != 0:
        command, _ = bubblewrap_command(worker_args, disk)
        return subprocess.Popen(command, pass_fds=fds, env={}, **options)  # type: ignore[call-overload]
    # What is mounted on the folder is seen by the launched process alone.
    folder.chmod(0o755)
    command, roots = bubblewrap_command(worker_args, disk, folder)
    sources = [str(root.source) for root in roots]
    launch = (
        f"import sys; sys.path[:0] = [{str(Path(__file__).resolve().parents[2])!r}]; "
        "from fourrounds.answers import system; "
        f"system.launch_as_nobody({command!r}, {sources!r}, {str(folder)!r})"
    )
    python = [os.path.realpath(sys.executable), "-I", "-S", "-c", launch]
    return subprocess.Popen(python, pass_fds=fds, env={}, **options)  # type: ignore[call-overload]


def launch_as_nobody(command: list[str], sources: list[str], stage: str) -> None:
    """As root.

    Bind ``sources`` under ``stage`` in a mount namespace of our own, become nobody, and exec ``command``.
    """
    _checked(_libc().unshare(_CLONE_NEWNS), "unshare(mount)")
    _mount(None, "/", None, _MS_REC | _MS_PRIVATE)
    _mount("tmpfs", stage, "tmpfs", _MS_NOSUID | _MS_NODEV, "mode=0755,size=64k")
    for number, source in enumerate(sources):
        target = f"{stage}/{number}"
        os.mkdir(target)
        _mount(source, target, None, _MS_BIND)
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)
    os.execv(command[0], command)


def start_process(worker_args: list[str], fds: list[int], folder: Path) -> subprocess.Popen:
    """Start the worker as a plain process in a session of its own."""
    command = process_command(worker_args, folder / "site")
    home = folder / "home"  # not on the path: what an answer writes there cannot be imported, as elsewhere
    home.mkdir()
    environment = {**os.environ, **worker_environment()} if sys.platform == "win32" else worker_environment()
    environment["HOME"] = environment["MPLCONFIGDIR"] = str(home)
    options: dict = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    if sys.platform == "win32":
        return subprocess.Popen(command, env=environment, cwd=home, **options)
    return subprocess.Popen(
        command, pass_fds=fds, env=environment, cwd=home, start_new_session=True, **options
    )


def process_limit(own_namespace: bool) -> int:
    """RLIMIT_NPROC for an answer: 48 processes of its own.

    The kernel counts them by user. In a user namespace of its own (Linux 5.14 and later) only the answer's
    are counted; elsewhere those that the user has already are added.
    """
    if own_namespace and _kernel_version() >= (5, 14):
        return 48
    try:
        import psutil

        uid = os.getuid() or NOBODY  # root's answers run as nobody
        return 48 + sum(p.num_threads() for p in psutil.process_iter() if p.uids().real == uid)
    except Exception:  # processes come and go, and some platforms tell nothing: leave room
        return 4096


def _kernel_version() -> tuple[int, int]:
    parts = platform.release().split(".")
    try:
        return int(parts[0]), int(parts[1].split("-")[0])
    except (ValueError, IndexError):
        return (0, 0)


# -- outside: measuring and killing


@dataclass(frozen=True)
class Usage:
    """What a tree of processes uses.

    Per pid the peak and the file-backed resident bytes, and processor seconds.
    """

    peak: dict[int, int]
    resident: dict[int, int]
    cpu_seconds: dict[int, float]


def usage(root: int) -> Usage:
    """The usage of process ``root`` and all its descendants, by the kernel's account of each."""
    import psutil

    peak: dict[int, int] = {}
    resident: dict[int, int] = {}
    cpu: dict[int, float] = {}
    try:
        top = psutil.Process(root)
        family = [top, *top.children(recursive=True)]
    except psutil.Error:
        family = []
    for process in family:
        try:
            high, now = _memory_of(process)
            times = process.cpu_times()
        except (psutil.Error, OSError, ValueError):
            continue
        peak[process.pid], resident[process.pid] = high, now
        # children_* are those that the process has waited for
        cpu[process.pid] = times.user + times.system
    return Usage(peak, resident, cpu)


def _memory_of(process: psutil.Process) -> tuple[int, int]:
    """Peak and present private memory of a process in bytes."""
    if sys.platform == "linux":
        with open(f"/proc/{process.pid}/status") as file:
            fields = dict(line.split(":", 1) for line in file if ":" in line)
        # A process that has ended and is not yet waited for has no memory, and none of these lines.
        kib = {n: int(fields.get(n, "0").split()[0]) for n in ("VmHWM", "RssFile", "RssAnon", "RssShmem")}
        # Pages of libraries come and go with what the code touches: they are no cost of the answer's.
        return (kib["VmHWM"] - kib["RssFile"]) * 1024, (kib["RssAnon"] + kib["RssShmem"]) * 1024
    info = process.memory_info()
    return getattr(info, "peak_wset", info.rss), info.rss


def kill_tree(process: subprocess.Popen) -> None:
    """Kill a worker that was started as a plain process, with what it has started."""
    import psutil

    family: list = []
    with contextlib.suppress(psutil.Error):
        family = psutil.Process(process.pid).children(recursive=True)
    if hasattr(os, "killpg"):
        with contextlib.suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(OSError):
        process.kill()
    for member in family:
        with contextlib.suppress(psutil.Error):
            member.kill()
