"""For all tests: one thread, so that they are quick beside other work, and one hypothesis profile."""

from __future__ import annotations

import torch
from hypothesis import HealthCheck, settings

torch.set_num_threads(1)
# Without deadlines: a busy machine is no fault of the code. ``too_slow`` is a deadline on the making of examples.
settings.register_profile("vqspeech", deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("vqspeech")
