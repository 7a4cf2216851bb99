"""Teach a model one more voice from a minute of recordings: a new model directory, all other voices as they were.

vqspeech adapt --data my-recordings/ --speaker me --out my-model
vqspeech convert --model my-model --src a.wav --speaker me

The last sixth of the recordings is held out and says when to stop. Stopped before, the same command goes on where it
was. Add only voices whose owners agree.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from vqspeech import ranges
from vqspeech.cli.common.model import add_model, load
from vqspeech.cli.common.pipes import add_allow_pipes
from vqspeech.cli.common.sources import Source, sources
from vqspeech.counts import counted
from vqspeech.errors import InputError
from vqspeech.new_voice import STEPS, require_name, save_voice, speech_of
from vqspeech.speaker_blend import require_voices


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "--data", type=Path, required=True, metavar="DIR", help="the recordings: a folder of them, or a data directory"
    )
    parser.add_argument("--speaker", required=True, metavar="NAME", help="what to call the new voice")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="model directory to make")
    add_model(parser)
    add_allow_pipes(parser)
    parser.add_argument("--steps", type=ranges.COUNT, default=STEPS, metavar="N", help=f"at most; default: {STEPS}")
    parser.add_argument("--threads", type=ranges.WORKERS, metavar="N", help="CPU threads; default: all cores")
    parser.add_argument("--seed", type=ranges.SEED, default=0, metavar="N", help="of the order of learning; default: 0")


def run(options: argparse.Namespace) -> None:
    """Fit the voice, write the model and say what it is worth."""
    require_name(options.speaker, "--speaker")
    if options.steps < 1:
        raise InputError(f"{options.steps} steps teach nothing", where="--steps", hint="give 1 or more")
    if options.out.exists() and not (options.out.is_dir() and not any(options.out.iterdir())):
        raise InputError("is there already", where=options.out, hint="name a new folder")
    found = _recordings(options.data, options.speaker)

    import torch

    from vqspeech.training.adaptation import VoiceFit

    if options.threads:
        torch.set_num_threads(options.threads)
    model = load(options)
    require_voices(model.speakers, where=model.folder)
    if options.speaker in model.speakers:
        raise InputError(
            f"the model has a voice {options.speaker!r} already", where="--speaker", hint="choose another name"
        )
    read = [model.read(source.recording, start=source.start, end=source.end) for source in found]
    waveforms = speech_of(model, read, options.data)
    codes = [model.encode_waveform(waveform) for waveform in waveforms]
    fit = VoiceFit(model.network, waveforms, codes, seed=options.seed)
    checkpoint = options.out.with_name(f"{options.out.name}.partial")
    _say(f"{fit.seconds:.0f} s of speech in {counted(len(found), 'recording')}, the last sixth of it held out")
    try:
        fitted = fit.run(checkpoint, steps=options.steps, progress=_progress)
    except KeyboardInterrupt:
        _say("stopped; the same command goes on from there")
        raise
    base = "the packaged model" if options.model is None else f"`{options.model}`"
    save_voice(model, options.speaker, waveforms, fit, fitted, options.out, base=base)
    checkpoint.unlink(missing_ok=True)
    print(
        f"{options.out}: {options.speaker}, {fitted.after:.3f} nats per sample held out "
        f"({fitted.before:.3f} in the nearest voice, {fitted.nearest})"
    )


def _recordings(data: Path, speaker: str) -> list[Source]:
    """The recordings of one speaker.

    Raises:
        InputError: there are none, or those of several speakers.
    """
    if not data.is_dir():
        raise InputError("no such folder", where=data, hint="give a folder of recordings, or a data directory")
    if not (data / "wav.scp").is_file():
        return sources([str(data)])
    from vqspeech.datadir import DataDir

    groups = DataDir.read(data).by_speaker()
    if len(groups) > 1 and speaker not in groups:
        raise InputError(
            f"holds {counted(len(groups), 'speaker')}, none called {speaker!r}",
            where=data,
            hint="name one of them with --speaker",
        )
    chosen = groups.get(speaker) or next(iter(groups.values()), ())
    return [Source(u.id, u.recording, u.start, u.end) for u in chosen]


def _progress(step: int, steps: int, nll: float) -> None:
    _say(f"step {step}/{steps}  held out: nll {nll:.3f}")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
