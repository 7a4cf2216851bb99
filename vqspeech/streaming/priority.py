"""Real-time scheduling of the threads that carry sound, where the system permits it."""

from __future__ import annotations

import contextlib
import os

#: Of the thread that converts, and of the callbacks, which do little and must not wait for it.
CONVERSION, CALLBACK = 1, 2


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
