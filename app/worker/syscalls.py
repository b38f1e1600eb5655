"""System calls that `sandbox` refuses, by number and processor architecture (Linux).

What stands in `refused`, by subject: sockets and what is done with them (`write` to a socket that is open
already stays possible); starting processes and programs; looking into, signalling or rescheduling other
processes; changing modes, owners, times and extended attributes of files; changing rights, limits and
namespaces of the process itself; mounts; keys, bpf, perf, userfaultfd; shared memory, queues and semaphores
between processes; modules, reboot, clock; watching and opening files by handle. `missing` is answered with
"not implemented", so that the C library falls back to an older call that the filter can judge.

Source: `asm/unistd_64.h` (x86-64) and `asm-generic/unistd.h` (AArch64) of the Linux kernel's headers.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class SyscallTable:
    """Numbers of system calls on one architecture.

    Attributes:
        audit_arch: the architecture's AUDIT_ARCH value.
        refused: fail with EPERM.
        missing: fail with ENOSYS.
        terminal: fail with ENOTTY (`ioctl`).
        signal_by_pid: allowed where the first argument is the process itself.
        prlimit: allowed for the process itself.
        clone: allowed for threads, where threads are.
        opens: (number, position of the flags) of the calls that open files by name.
    """

    audit_arch: int
    refused: tuple[int, ...]
    missing: tuple[int, ...]
    terminal: tuple[int, ...]
    signal_by_pid: tuple[int, ...]
    prlimit: int
    clone: int
    opens: tuple[tuple[int, int], ...]


# fmt: off
X86_64 = SyscallTable(
    audit_arch=0xC000003E,
    refused=(
        29, 30, 31, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 53, 54, 57, 58, 59, 64, 65, 66, 68, 69, 70, 71,
        90, 91, 92, 93, 94, 101, 103, 105, 106, 109, 112, 113, 114, 116, 117, 119, 122, 123, 126, 129, 132,
        134, 135, 141, 142, 144, 153, 154, 155, 157, 159, 160, 161, 163, 164, 165, 166, 167, 168, 169, 170,
        171, 172, 173, 175, 176, 179, 188, 189, 190, 197, 198, 199, 200, 203, 227, 235, 240, 241, 246, 248,
        249, 250, 251, 253, 260, 261, 268, 272, 280, 288, 294, 297, 298, 299, 300, 303, 304, 305, 307, 308,
        310, 311, 312, 313, 314, 317, 319, 320, 321, 322, 323, 424, 428, 429, 430, 431, 432, 433, 434, 438,
        440, 442, 443, 447, 452, 463, 466, 469,
    ),
    missing=(425, 426, 427, 435, 437),
    terminal=(16,),
    signal_by_pid=(62, 234),
    prlimit=302,
    clone=56,
    opens=((2, 1), (257, 2)),
)

AARCH64 = SyscallTable(
    audit_arch=0xC00000B7,
    refused=(
        5, 6, 7, 14, 15, 16, 26, 30, 39, 40, 41, 51, 52, 53, 54, 55, 58, 60, 88, 89, 91, 92, 97, 104, 105,
        106, 112, 116, 117, 118, 119, 122, 130, 138, 140, 142, 143, 144, 145, 146, 147, 149, 151, 152, 154,
        157, 159, 161, 162, 164, 167, 170, 171, 180, 181, 186, 187, 188, 189, 190, 191, 193, 194, 195, 196,
        198, 199, 200, 201, 202, 203, 206, 207, 208, 210, 211, 212, 217, 218, 219, 221, 224, 225, 240, 241,
        242, 243, 262, 264, 265, 266, 268, 269, 270, 271, 272, 273, 274, 277, 279, 280, 281, 282, 294, 424,
        428, 429, 430, 431, 432, 433, 434, 438, 440, 442, 443, 447, 452, 463, 466, 469,
    ),
    missing=(425, 426, 427, 435, 437),
    terminal=(29,),
    signal_by_pid=(129, 131),
    prlimit=261,
    clone=220,
    opens=((56, 2),),
)
# fmt: on
