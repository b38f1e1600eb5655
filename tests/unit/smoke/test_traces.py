"""What strace writes down is read without missing a connection or a file of foreign code."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.smoke import traces

INET = '7 connect(3, {sa_family=AF_INET, sin_port=htons(443), sin_addr=inet_addr("192.0.2.1")}, 16)'
INET6 = '7 connect(3, {sa_family=AF_INET6, sin6_port=htons(53), inet_pton(AF_INET6, "::1", &sin6_addr)}, 28)'
UNIX = '7 connect(3, {sa_family=AF_UNIX, sun_path="/tmp/.X11-unix/X0"}, 110)'
SENT = (
    '9 sendto(4, "x", 1, 0, {sa_family=AF_INET, sin_port=htons(9)}, 16) = 1',
    "9 sendmsg(4, {msg_name={sa_family=AF_INET6, sin6_port=htons(9)}, msg_namelen=28, msg_iov=[]}, 0) = 1",
    "9 sendmmsg(4, [{msg_hdr={msg_name={sa_family=AF_INET, sin_port=htons(9)}}}], 2, 0) = 2",
)


@pytest.mark.parametrize("call", [INET, INET6])
@pytest.mark.parametrize(
    "end", [" = -1 EINPROGRESS (Operation now in progress)", " = 0", " <unfinished ...>"]
)
def test_every_connection_is_seen(call: str, end: str) -> None:
    assert traces.connections([call + end, "7 <... connect resumed>) = 0"]) == [call + end]


def test_what_is_sent_without_a_connection_is_seen() -> None:
    assert traces.connections(SENT) == list(SENT)


def test_sockets_of_files_are_no_connections() -> None:
    lines = [f"{UNIX} = 0", f"{UNIX} <unfinished ...>", '7 sendto(3, "x", 1, 0, NULL, 0) = 1']
    assert traces.connections(lines) == []


def test_what_was_opened_and_run_is_named() -> None:
    lines = [
        '7 execve("/opt/p/h2ogpt", ["/opt/p/h2ogpt", "a"], 0x7ffe /* 20 vars */) = 0',
        '7 execve("/usr/bin/absent", ["absent"], 0x7ffe /* 20 vars */) = -1 ENOENT (No such file)',
        '7 openat(AT_FDCWD, "/opt/p/a.so", O_RDONLY|O_CLOEXEC) = 3',
        '7 openat(AT_FDCWD, "/opt/p/absent.so", O_RDONLY) = -1 ENOENT (No such file or directory)',
        '7 openat(5, "b.py", O_RDONLY) = 3',
        '7 open("/opt/p/c.so.1.2", O_RDONLY) = 3',
        '7 openat(AT_FDCWD, "/home/me/notes.txt", O_RDONLY) = 3',
        '7 openat(AT_FDCWD, "/x=1/d.pyc", O_RDONLY) = 0',
    ]
    names = ["/opt/p/h2ogpt", "/opt/p/a.so", "b.py", "/opt/p/c.so.1.2", "/x=1/d.pyc"]
    assert traces.loaded(lines) == names


def test_a_call_in_two_halves_is_one() -> None:
    lines = [
        '7 openat(AT_FDCWD, "/tmp/evil.so", O_RDONLY|O_CLOEXEC <unfinished ...>',
        '8 openat(AT_FDCWD, "/tmp/absent.so", O_RDONLY|O_CLOEXEC <unfinished ...>',
        '9 execve("/tmp/tool", ["tool"], 0x7ffe /* 20 vars */ <unfinished ...>',
        "8 <... openat resumed>)             = -1 ENOENT (No such file or directory)",
        "7 <... openat resumed>)             = 4",
        "9 <... execve resumed>)             = 0",
        '10 openat(AT_FDCWD, "/tmp/never.so", O_RDONLY <unfinished ...>',
        "11 <... openat resumed>) = 3",
    ]
    assert traces.loaded(lines) == ["/tmp/evil.so", "/tmp/tool"]


def test_names_are_what_they_are_on_disk() -> None:
    line = r'7 openat(AT_FDCWD, "/tmp/\303\251 \"q\" \\ \n/x.py", O_RDONLY) = 3'
    assert traces.loaded([line]) == ['/tmp/é "q" \\ \n/x.py']


def test_what_is_foreign() -> None:
    names = ["/opt/p/a.so", "/usr/lib/b.so", "/opt/other/c.so", "d.py", "/opt/p/../x/e.so", "/opt/p2/f.so"]
    allowed = ("/opt/p", "/usr/", "/home/me/bin/h2ogpt")
    assert traces.foreign(names, allowed) == ["/opt/other/c.so", "/opt/p2/f.so", "/opt/x/e.so", "d.py"]
    assert traces.foreign(["/home/me/bin/h2ogpt"], allowed) == []


PROBE = """
import socket, sys, threading
def busy(family, host):
    for _ in range(40):
        with socket.socket(family) as found:
            found.settimeout(0.001)
            try: found.connect((host, 9))
            except OSError: pass
        open(sys.argv[1]).close()
threads = [threading.Thread(target=busy, args=args) for args in
    ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"), (socket.AF_INET, "127.0.0.2"))]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
"""


@pytest.mark.linux
@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not here")
def test_a_real_trace_of_threads_that_interrupt_each_other(tmp_path: Path) -> None:
    module, trace_path = tmp_path / "é 中文.py", tmp_path / "trace"
    module.touch()
    command = [*traces.COMMAND, "-o", str(trace_path), sys.executable, "-c", PROBE, str(module)]
    subprocess.run(command, check=True, capture_output=True)
    lines = traces.read(trace_path)
    assert any("unfinished" in line for line in lines), "no call was interrupted: nothing was tested"
    assert len(traces.connections(lines)) == 120
    assert traces.loaded(lines).count(str(module)) == 120


def test_background_processes_are_told_by_their_kind() -> None:
    lines = [
        '7 execve("/opt/é/h2ogpt-worker", ["/opt/é/h2ogpt-worker", "host", "--data-dir", "/d"], 0x7) = 0',
        '8 execve("/opt/h2ogpt-worker", ["/opt/h2ogpt-worker", "library"], 0x7ffd <unfinished ...>',
        '9 execve("/usr/bin/sh", ["sh", "-c", "h2ogpt-worker render"], 0x7) = 0',
    ]
    assert traces.background_kinds(lines) == {"host", "library"}
