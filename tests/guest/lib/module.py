# SPDX-License-Identifier: GPL-2.0
"""The module: loading it, and its files."""

import ctypes
import errno
import os
import shutil
import subprocess
from pathlib import Path

from vmtest.paths import TOP

# Those for the kernel that is running; the program that boots the guest sets the path.
MODULES = Path(os.environ.get("ZERO_PAGE_MODULES") or TOP)
MODULE = MODULES / "zero_page.ko"
MODULE_COPY = Path("/run") / MODULE.name
DIRECTORY = Path("/sys/kernel/mm/zero_page")

DEFAULTS = {
    "enabled": 0,
    "mini_order": 0,
    "batch_size": 64 << 20,
    "delay_millisecs": 1000,
    "max_zeroed": "max",
}

# <asm/unistd_64.h>
SYS_DELETE_MODULE, SYS_FINIT_MODULE = 176, 313
_LIBC = ctypes.CDLL(None, use_errno=True)


def _syscall(number, *arguments):
    """Makes a system call libc has no function for; returns 0 or the name of the errno."""
    if _LIBC.syscall(number, *arguments) == 0:
        return 0
    return errno.errorcode[ctypes.get_errno()]


def insmod(**parameters):
    """Does the same as insmod, but faster; returns 0 or the name of the errno."""
    arguments = " ".join(f"{name}={value}" for name, value in parameters.items())
    # Reading it from the host each time would take longer than everything else.
    if not MODULE_COPY.exists():
        shutil.copyfile(MODULE, MODULE_COPY)
    with open(MODULE_COPY, "rb") as file:
        return _syscall(SYS_FINIT_MODULE, file.fileno(), arguments.encode(), 0)


def loaded():
    """Whether zero_page is loaded."""
    return Path("/sys/module/zero_page").exists()


def rmmod():
    """Unloads zero_page if it is loaded."""
    if loaded():
        result = _syscall(SYS_DELETE_MODULE, b"zero_page", os.O_NONBLOCK)
        if result:
            raise AssertionError(f"rmmod: {result}")


def load(**parameters):
    """Loads zero_page afresh, with `parameters`."""
    rmmod()
    result = insmod(**parameters)
    if result:
        raise AssertionError(f"insmod {parameters}: {result}")


def read(name):
    """Returns the text of the file `name` of zero_page's directory."""
    return (DIRECTORY / name).read_text()


def write(name, text):
    """Writes a file of zero_page's directory in one go; returns 0 or the name of the errno."""
    file = os.open(DIRECTORY / name, os.O_WRONLY)
    try:
        data = text if isinstance(text, bytes) else str(text).encode()
        written = os.write(file, data)
        return 0 if written == len(data) else f"{written} of {len(data)} bytes written"
    except OSError as error:
        return errno.errorcode[error.errno]
    finally:
        os.close(file)


def tune(**values):
    """Writes values to zero_page's files; all of them must be accepted."""
    for name, value in values.items():
        result = write(name, value)
        if result:
            raise AssertionError(f"writing {value!r} to {name}: {result}")


def kernel_log():
    """Returns the kernel's log."""
    return subprocess.run(["dmesg"], capture_output=True, text=True, check=True).stdout
