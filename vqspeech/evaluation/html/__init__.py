"""The pages of the reports: Jinja templates with automatic escaping, figures as SVG, sounds inside the page."""

from __future__ import annotations

import base64
import io
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vqspeech import __version__
from vqspeech.counts import counted
from vqspeech.evaluation.html.style import STYLE

if TYPE_CHECKING:
    from jinja2 import Environment


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    loader = PackageLoader("vqspeech.evaluation.html", "templates")
    made = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    made.globals["counted"] = counted
    return made


def render(template: str, **context: Any) -> str:
    """Fill a template of this package; every value that is not ``Markup`` is escaped.

    Args:
        template: file name in ``templates/``.
        context: its variables.
    """
    from markupsafe import Markup

    made: str = _environment().get_template(template).render(style=Markup(STYLE), version=__version__, **context)
    return made + "\n"


def audio_source(waveform: NDArray[np.float32], rate: int) -> str:
    """A ``(samples,)`` waveform as the ``src`` of an ``<audio>`` element: FLAC of 16 bits in a data URL."""
    import soundfile

    file = io.BytesIO()
    soundfile.write(file, np.clip(waveform, -1, 1), rate, format="FLAC", subtype="PCM_16")
    return "data:audio/flac;base64," + base64.b64encode(file.getvalue()).decode("ascii")
