"""Filters the system calls (seccomp(2)) of a server and all that it starts; the filter cannot be removed.

It refuses calls that no server needs and that have opened the kernel to attackers again and again, and the keyrings,
which processes of one user share. It also marks a server's processes, so that the platform recognises them when they
connect to it (/proc/PID/status, "Seccomp_filters").
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
import sys

from .linux import seccomp_filter, set_no_new_privileges

# The machines of <linux/audit.h>, and the numbers of the calls in <asm/unistd.h>: x86-64's, and the generic ones of
# arm64.
_MACHINES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_CALLS = {
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "open_by_handle_at": (304, 265),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
}
# From <linux/bpf_common.h>: a load of 32 bits, jumps if equal and if greater or equal, a return. The actions are from
# <linux/seccomp.h>.
_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_NUMBER, _ARCHITECTURE = 0, 4
# The first number of calls of x86-64's ABI with 32-bit pointers.
_X32 = 0x40000000


# A fork inherits the filter of its zygote.
_is_confined = False


def confine_calls() -> None:
    """Filters the calls of this process and what it starts; kernels without seccomp and other systems do nothing."""
    global _is_confined  # noqa: PLW0603 - what all forks of this process have
    if sys.platform != "linux" or _is_confined:
        return
    _is_confined = True
    program = _program(os.uname().machine)
    buffer = ctypes.create_string_buffer(program)
    try:
        set_no_new_privileges()
        seccomp_filter(len(program) // 8, ctypes.addressof(buffer))
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOSYS):
            raise


def _program(machine: str) -> bytes:
    """Returns the filter, which refuses calls of other machines and of 32 bits as if the kernel did not have them."""
    if machine not in _MACHINES:
        return _step(_RETURN, _ALLOW)
    refused = [numbers[list(_MACHINES).index(machine)] for numbers in _CALLS.values()]
    count = len(refused)
    steps = [
        _step(_LOAD, _ARCHITECTURE),
        _step(_EQUAL, _MACHINES[machine], no=count + 3),
        _step(_LOAD, _NUMBER),
        _step(_AT_LEAST, _X32, yes=count + 1),
        *(_step(_EQUAL, number, yes=count - index) for index, number in enumerate(refused)),
        _step(_RETURN, _ALLOW),
        _step(_RETURN, _ERRNO | errno.ENOSYS),
    ]
    return b"".join(steps)


def _step(code: int, value: int, yes: int = 0, no: int = 0) -> bytes:
    """Returns a struct sock_filter; `yes` and `no` are how many steps are skipped."""
    return struct.pack("HBBI", code, yes, no, value)
