"""Real-time scheduling of the threads that carry sound, where the system permits it."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

if sys.platform != "win32":
    import resource

#: Of the thread that converts, of the callbacks, which do little and must not wait for it, and of the thread that
#: watches over both, which does next to nothing and ends what does not end by itself.
CONVERSION, CALLBACK, WATCH = 1, 2, 3
#: Seconds that a thread may run with real-time scheduling and never wait.
_SPIN = 2


def ask_for_real_time(level: int) -> bool:
    """Have the calling thread scheduled before all that is not real-time (``SCHED_RR``).

    Linux permits it to root, and to users with a limit ``rtprio`` (in Debian's ``audio`` group, once a package such as
    jackd has been set up so). It leaves a twentieth of the processor to others, whatever happens
    (``/proc/sys/kernel/sched_rt_runtime_us``): enough to end what does not end, not enough to work beside it.

    Args:
        level: 1 to 99; higher ones go first.

    Returns:
        Whether it was permitted.
    """
    if not hasattr(os, "sched_setscheduler"):
        return False
    try:
        os.sched_setscheduler(0, os.SCHED_RR | os.SCHED_RESET_ON_FORK, os.sched_param(level))
    except OSError:
        return False
    return True


def give_up_real_time() -> None:
    """Have the calling thread scheduled as any other again."""
    if hasattr(os, "sched_setscheduler"):
        with contextlib.suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_OTHER | os.SCHED_RESET_ON_FORK, os.sched_param(0))


@contextlib.contextmanager
def no_spinning() -> Iterator[None]:
    """Take real-time scheduling from all threads of this process where one of them never waits.

    The kernel then leaves a twentieth of the processor to all others; PortAudio's thread, for one, spins where the
    sound server has gone. Call it in the main thread, to which Python gives signals.
    """
    if not sys.platform.startswith("linux"):
        yield
        return
    limits = resource.getrlimit(resource.RLIMIT_RTTIME)
    before = signal.signal(signal.SIGXCPU, _demote_all)
    soft = _SPIN * 1_000_000
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(
            resource.RLIMIT_RTTIME, (soft if limits[1] == resource.RLIM_INFINITY else min(soft, limits[1]), limits[1])
        )
    try:
        yield
    finally:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_RTTIME, limits)
        signal.signal(signal.SIGXCPU, before)


def _demote_all(*_: object) -> None:
    for thread in Path("/proc/self/task").iterdir():
        with contextlib.suppress(OSError):
            os.sched_setscheduler(int(thread.name), os.SCHED_OTHER | os.SCHED_RESET_ON_FORK, os.sched_param(0))
