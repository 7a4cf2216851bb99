"""One more voice for a model, from recordings to a model directory: what ``adapt`` and the page share."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from vqspeech import __version__
from vqspeech.counts import counted
from vqspeech.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from vqspeech.api import Model
    from vqspeech.training.adaptation import Fitted, VoiceFit

#: Seconds of speech, pauses at the ends of recordings left out, under which a voice cannot be learnt.
LEAST_SECONDS = 15.0
#: Steps of learning, at most.
STEPS = 100


def require_name(name: str, where: str | None = None) -> None:
    """Check the name of a new voice: it must stand in a line of a list, in a blend and in the name of a file.

    Raises:
        InputError: it cannot.
    """
    if not re.fullmatch(r"\w[\w.-]*", name):
        raise InputError(f"{name!r} cannot be a speaker's name", where=where, hint="use letters, digits, - _ .")


def speech_of(
    model: Model, waveforms: Sequence[NDArray[np.float32]], where: str | os.PathLike[str] | None = None
) -> list[NDArray[np.float32]]:
    """Recordings without silence at their ends, silent ones left out.

    Args:
        model: what they were read for.
        waveforms: each ``(samples,)``, as ``Model.read`` gives them.
        where: they come from, for the message.

    Raises:
        InputError: there is too little speech in all.
    """
    from vqspeech import audio

    rate = model.sample_rate
    speech = [audio.trim_silence(waveform, rate) for waveform in waveforms if audio.active_rms(waveform, rate)]
    seconds = sum(map(len, speech)) / rate
    if seconds < LEAST_SECONDS:
        raise InputError(
            f"{seconds:.1f} s of speech, too little to learn a voice from",
            where=where,
            hint=f"give {LEAST_SECONDS:.0f} s at the very least; a minute is good",
        )
    return speech


def save_voice(
    model: Model,
    speaker: str,
    speech: Sequence[NDArray[np.float32]],
    fit: VoiceFit,
    fitted: Fitted,
    out: Path,
    *,
    base: str,
) -> None:
    """Write the model with its new voice, and a card that says what it was made from; all of it or nothing.

    Args:
        model: what the voice was learnt for.
        speaker: name of the voice.
        speech: what it was learnt from.
        fit: how.
        fitted: what came of it.
        out: model directory to make.
        base: what ``model`` is called on the card.
    """
    import torch

    from vqspeech.model.checkpoint import save_model
    from vqspeech.training.adaptation import add_voice

    with _whole_folder(out) as folder:
        said = torch.cat([model.vectors(waveform) for waveform in speech])
        save_model(add_voice(model.network, speaker, fitted.adapter, said, fit.pitch_statistics), folder)
        (folder / "README.md").write_text(
            _card(speaker, base, model, fitted, len(speech), fit.seconds), encoding="utf-8"
        )


@contextmanager
def _whole_folder(target: Path) -> Iterator[Path]:
    """A folder to write in that takes the place of ``target`` when all is written, and only then."""
    target.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        yield folder
        mask = os.umask(0)
        os.umask(mask)
        folder.chmod(0o777 & ~mask)
        folder.replace(target)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _card(speaker: str, base: str, model: Model, fitted: Fitted, recordings: int, seconds: float) -> str:
    """The card of the new model: what it was made from, what the voice is worth, and the card of the first."""
    made = (
        f"Made by `vqspeech adapt` {__version__} from {base} (SHA-256 of its weights {model.checksum}) and "
        f"{counted(recordings, 'recording')}, {seconds:.0f} s, of the speaker {speaker}."
    )
    text = f"""# A model with the voice {speaker} added

{made}

The voice has a speaker's vector, a conditioning network and a projection into the decoder's layers of its own, learnt
from the recordings. Encoder, codebook, decoder and all other voices are the first model's, to the bit.

| the last sixth of the recordings, not learnt from | nats per sample |
|---|---|
| in the nearest voice of the first model, {fitted.nearest} | {fitted.before:.3f} |
| in the voice {speaker}, after {counted(fitted.steps, "step")} | {fitted.after:.3f} |

It is a person's voice: use it as that person agreed to, do not deceive with it, and tell listeners that it is
synthetic.
"""
    first = model.folder / "README.md"
    if first.is_file():
        body = re.sub(r"^#", "##", first.read_text(encoding="utf-8"), flags=re.MULTILINE)
        text += f"\n## The model it was made from\n\n{body}"
    return text
