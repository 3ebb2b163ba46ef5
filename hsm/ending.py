"""The end of a child process, noticed at once."""

import os
import select
import subprocess
from contextlib import suppress


def wait_for_end(child: "subprocess.Popen[bytes]", seconds: float) -> None:
    """Waits until the child has ended. Raises subprocess.TimeoutExpired when it has not within `seconds`.

    `Popen.wait` with a time looks again and again, up to 50 ms apart; the kernel tells it at once (pidfd_open(2), Linux 5.3).
    """
    # Where there is no such call, or it is not allowed, looking again and again has to do.
    with suppress(AttributeError, OSError):
        descriptor = os.pidfd_open(child.pid)
        try:
            ended = select.poll()
            ended.register(descriptor, select.POLLIN)
            ended.poll(seconds * 1000)
            seconds = 0
        finally:
            os.close(descriptor)
    child.wait(seconds)
