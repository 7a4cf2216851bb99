"""What every reader must hold to, whatever it is given: a result or one clear line, soon, in bounded memory."""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from vqspeech.errors import InputError

#: Cases of each kind: few in the ordinary tests, many in ``tests/nightly.sh``.
CASES = int(os.environ.get("VQSPEECH_FUZZ_CASES", "30"))
#: Another seed in each night.
SEED = int(os.environ.get("VQSPEECH_FUZZ_SEED", "0"))
#: Seconds of the processor that a case may take, and bytes that it may add to the process.
_SECONDS, _BYTES = 20, 3 << 30


class Hang(BaseException):
    """A case that took too long; no handler of errors must take it for one."""


@contextmanager
def limited() -> Iterator[None]:
    """Bound the time and the memory of a block."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise Hang(f"more than {_SECONDS} s")

    size = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
    memory = resource.getrlimit(resource.RLIMIT_AS)
    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, _SECONDS)
    resource.setrlimit(resource.RLIMIT_AS, (size + _BYTES, memory[1]))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
        resource.setrlimit(resource.RLIMIT_AS, memory)


def survives(call: Callable[[], object], case: object) -> bool:
    """Whether ``call`` gave a result; False for one clear line. All else is a fault; ``case`` says how to repeat it."""
    told: InputError | OSError
    try:
        with limited():
            call()
        return True
    except (InputError, OSError) as error:
        told = error
    except (Exception, Hang) as error:
        raise AssertionError(f"{type(error).__name__} ({str(error)[:200]}) in case {case}") from error
    if isinstance(told, InputError):
        assert "\n" not in str(told), case
        assert len(str(told)) < 2000, (case, str(told))
    else:
        assert told.filename is not None, (case, told)  # the system's word on a file
    return False
