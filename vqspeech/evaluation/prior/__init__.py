"""A learnt prior over codes, measured: its bits beside n-gram models', and its samples beside real codes.

Nothing here depends on a prior. Its bits come as numbers, its samples as codes, and speech as waveforms, of any system.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from vqspeech.evaluation.prior.bits import Bits
from vqspeech.evaluation.prior.memorisation import Neighbour, Training, nearest
from vqspeech.evaluation.prior.ngrams import NGrams
from vqspeech.evaluation.prior.repetition import Divergence, Repetition, alike, divergence, repetition
from vqspeech.evaluation.prior.words import Listener, Reader, Words, listen

Codes = NDArray[np.int32]
#: Called with what is being done, how much of it is done, and how much there is.
Progress = Callable[[str, int, int], None]

#: Systems whose nearest training data are sought.
SEARCHED = ("samples", "ngram", "real")
#: Seconds of the windows that are looked for in the training data.
WINDOW = 1.0


@dataclass(frozen=True, slots=True)
class Compared:
    """Code sequences that are measured alike.

    Attributes:
        systems: system -> name -> codes ``(frames,)``: ``samples`` of the prior; ``ngram``, drawn from the n-gram model
            of the highest order; ``real``, held out; ``shuffled``, these in random order.
        frames: codes of each sequence.
    """

    systems: dict[str, dict[str, Codes]]
    frames: int


@dataclass(frozen=True, slots=True)
class System:
    """What was found of the sequences or recordings of one kind; None where there was nothing to measure it on.

    Attributes:
        repetition: of their codes.
        divergence: of their codes from the training data's.
        neighbours: name -> its nearest training data.
        words: what a recogniser wrote.
    """

    repetition: Repetition | None = None
    divergence: Divergence | None = None
    neighbours: dict[str, Neighbour] = field(default_factory=dict)
    words: Words | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """All of an evaluation.

    Attributes:
        bits: of the prior and of the n-gram models.
        order: of the n-gram model that ``ngram`` samples were drawn from.
        systems: system -> what was found of it; none where no samples were given.
        frames: codes of each compared sequence; 0 without samples.
        frame_period: seconds per code.
        window: codes of the windows that were looked for in the training data.
        metric_names: metric -> name of its implementation.
    """

    bits: Bits
    order: int
    systems: dict[str, System]
    frames: int
    frame_period: float
    window: int
    metric_names: dict[str, str]


def compare(samples: Mapping[str, Codes], held_out: Mapping[str, Codes], ngrams: NGrams, *, seed: int = 0) -> Compared:
    """Put beside samples what they are measured against, all of one length.

    Args:
        samples: name -> codes drawn from the prior, none of them empty.
        held_out: utterance -> its codes.
        ngrams: fitted to the training codes.
        seed: of the choice among held-out utterances, the order of the shuffled and the draw of n-gram samples.
    """
    cut, real, frames = alike(list(samples.values()), held_out, seed=seed)
    generator = np.random.default_rng(seed)
    return Compared(
        {
            "samples": dict(zip(samples, cut, strict=True)),
            "ngram": {f"{ngrams.order}-gram-{n:03}": ngrams.sample(frames, seed=seed + n) for n in range(len(cut))},
            "real": real,
            "shuffled": {name: generator.permutation(codes) for name, codes in real.items()},
        },
        frames,
    )


def evaluate(
    bits: Bits,
    train: Mapping[str, Codes],
    compared: Compared | None,
    *,
    codebook_size: int,
    frame_period: float,
    order: int,
    recordings: Mapping[str, Mapping[str, Reader]] | None = None,
    listener: Listener | None = None,
    known: Collection[str] | None = None,
    progress: Progress | None = None,
) -> Result:
    """Measure what ``compare`` put together.

    Args:
        bits: as ``prior_bits.measure`` found them.
        train: utterance -> training codes.
        compared: the code sequences; None where there are no samples.
        codebook_size: number of codes.
        frame_period: seconds per code.
        order: of the n-gram model that was sampled from.
        recordings: system -> name -> what gives its waveform ``(samples,)`` at 16 kHz; systems may be others than those
            of ``compared`` (recordings as they are, or reversed).
        listener: the recogniser; None leaves words out.
        known: words of a dictionary; None leaves their share out.
        progress: called in what takes long.
    """

    def shown(what: str) -> Callable[[int, int], None] | None:
        return None if progress is None else lambda done, total: progress(what, done, total)

    window = max(1, round(WINDOW / frame_period))
    sequences = {} if compared is None else {name: dict(each) for name, each in compared.systems.items() if each}
    training = Training(train, codebook_size) if sequences else None
    names = [*sequences, *(name for name in recordings or {} if name not in sequences)]
    systems = {}
    data = list(train.values())
    for name in names:
        codes: Sequence[Codes] = list(sequences.get(name, {}).values())
        neighbours: dict[str, Neighbour] = {}
        if training and codes and name in SEARCHED:
            found = nearest(codes, training, width=window, progress=shown(f"searching, {name}"))
            neighbours = dict(zip(sequences[name], found, strict=True))
        sounds = (recordings or {}).get(name, {})
        systems[name] = System(
            repetition=repetition(codes) if codes else None,
            divergence=divergence(codes, data, codebook_size) if codes else None,
            neighbours=neighbours,
            words=listen(sounds, listener, known, progress=shown(f"listening, {name}"))
            if listener and sounds
            else None,
        )
    return Result(
        bits=bits,
        order=order,
        systems=systems,
        frames=compared.frames if compared else 0,
        frame_period=frame_period,
        window=window,
        metric_names={"recogniser": listener.name} if listener else {},
    )
