"""A stream's conversion of a whole recording at once, written slowly and apart from ``vqspeech.streaming``.

The same causal definitions: loops over frames in place of running classes, sorted lists in place of histograms, whole
convolutions of the network in place of streamed ones.
"""

from __future__ import annotations

import numpy as np
import scipy.signal
import torch
import torch.nn.functional as F
from autocorrelation_pitch import complete, frames, paths
from streaming_models import RATE

from vqspeech.generation import generate
from vqspeech.melspectrogram import filterbank, log_mel
from vqspeech.model.vqvae import VQVAE
from vqspeech.streaming.average_speech import average_moments


def levelled(waveform: np.ndarray, ends: list[int], *, period: float, rms: float) -> tuple[np.ndarray, list[bool]]:
    """The waveform at the working level, and after each frame whether there is speech; frames end at ``ends``."""
    floor, since, powers, gains, speech = None, np.inf, [], [1.0, 1.0], []
    made = waveform.astype(float).copy()
    for n, (begin, end) in enumerate(zip([0, *ends], ends, strict=False)):
        made[begin:end] *= gains[n] + (gains[n + 1] - gains[n]) * (np.arange(end - begin) + 1) / (end - begin)
        level = max(-80.0, 10 * np.log10(max(np.var(waveform[begin:end].astype(float)), 1e-12)))
        floor = level if floor is None else min(level, floor + 3.0 * period)
        since = 0.0 if level > max(floor + 9.0, -70.0) else since + period
        speech.append(since < 0.25)
        if since == 0.0:
            powers.append(level)
        least = _bin(_loud(powers) - 30) if powers else 0
        active = [10 ** (p / 10) for p in powers if _bin(p) >= least]
        seconds = len(powers) * period
        found = np.sqrt(np.mean(active)) if active else rms
        gains.append(float(np.clip((rms / found) ** (seconds / (seconds + 0.1)), 0.1, 300.0)))
    return made.astype(np.float32), speech


def _bin(level: float) -> int:
    return int(np.clip((level + 80) // 0.5, 0, 179))


def _loud(levels: list[float]) -> float:
    """The middle of the bin of the level that 95 of 100 do not exceed."""
    ordered = sorted(_bin(level) for level in levels)
    return -80 + 0.5 * (ordered[int(np.ceil(0.95 * len(ordered) - 1e-9)) - 1] + 0.5)


def vectors(
    network: VQVAE, waveform: np.ndarray, speech_of_frame: list[bool], warp_of_frame: list[float]
) -> torch.Tensor:
    """``(codes, dimension)`` of a waveform at the working level, with running moments of its log-mel bands."""

    def warped(power: torch.Tensor) -> torch.Tensor:
        bins = np.arange(power.shape[2])
        rows = zip(power[0].numpy(), warp_of_frame, strict=True)
        return torch.from_numpy(np.array([np.interp(bins / warp, bins, row) for row, warp in rows]))[None].float()

    encoder, config = network.encoder, network.config
    shaped = network.companding.preemphasise(torch.from_numpy(waveform)[None])
    hop, bands = config.encoder.mel_hop, config.encoder.mel_bands
    frames = log_mel(shaped, sample_rate=RATE, hop=hop, bands=bands, alter=warped)[0].numpy()
    prior, most = (seconds * RATE / config.encoder.mel_hop for seconds in (1.0, 8.0))
    mean, variance = average_moments(config)
    count, rows = prior, []
    for frame, speech in zip(frames.astype(float), speech_of_frame, strict=False):
        if speech:
            count = min(count + 1, most)
            new = mean + (frame - mean) / count
            variance = variance + ((frame - mean) * (frame - new) - variance) / count
            mean = new
        rows.append((frame - mean) / (np.sqrt(variance) + 0.05))
    x = torch.from_numpy(np.array(rows, np.float32)).t()[None]
    for strided in encoder.strided:
        x = F.leaky_relu(strided(x), 0.1)
    x = x.transpose(1, 2)
    for block in encoder.blocks:
        x = block(x)
    z = encoder.projection(x.transpose(1, 2))[0].t()
    return F.layer_norm(z, z.shape[1:])


def codes(network: VQVAE, z: torch.Tensor, speech_of_code: list[bool], voice: dict[int, float]) -> torch.Tensor:
    """Adapted codes, one after the other."""
    config, target = network.config.quantizer, network.speaker_stats.blended(voice)
    seen: list[torch.Tensor] = []
    made = []
    for vector, speech in zip(z, speech_of_code, strict=False):
        if speech:
            seen.append(vector)
        shifted = vector
        if seen:
            trust = len(seen) / (len(seen) + 2.0 * network.config.code_rate)
            shifted = vector + config.mean_shift * trust * (target.mean - torch.stack(seen).mean(0))
        costs = (shifted - network.quantizer.codebook).square().sum(1)
        costs = costs - config.unigram_prior * z.shape[1] * target.unigram.log()
        made.append(int(costs.argmin()))
    return torch.tensor(made)


def pitch(
    network: VQVAE, waveform: np.ndarray, steps: list[tuple[int, int, int]], rms: float
) -> tuple[torch.Tensor, dict[int, float]]:
    """Pitch of frames: for each step, the sample it ends at, the first frame whose turn it is, and how many are.

    Also the running mean of log-F0 after each step.
    """
    hop = network.config.conditioner.hop
    logs, rows, means = [], [], {}
    step = round(0.008 * RATE)
    best = paths(frames(waveform, RATE, step=step, peak=7.0 * rms), RATE, step=step)
    for end, first, count in steps:
        path = best[complete(end, RATE, step=step)]
        f0 = np.zeros(count)
        for n in range(count):
            at = round((first + n + 0.5) * hop / step - 0.5)
            f0[n] = path[at] if 0 <= at < len(path) else 0.0
        logs += [np.log(value) for value in f0 if value]
        width = (np.log(450) - np.log(65)) / 160
        bins = [min(159, int((value - np.log(65)) // width)) for value in logs]
        middle = (sorted(bins)[-(-len(bins) // 2) - 1] + 0.5) * width + np.log(65) if logs else 0.0
        near = [
            value
            for value, place in zip(logs, bins, strict=True)
            if (middle - 0.6 - np.log(65)) // width <= place <= (middle + 0.6 - np.log(65)) // width
        ]
        seconds = len(near) * hop / RATE
        mean = (sum(near) * hop / RATE + 0.1 * np.log(150)) / (seconds + 0.1)
        deviation = np.sqrt(((np.var(near) if near else 0) * seconds + 0.5 * 0.04) / (seconds + 0.5))
        for value in f0:
            z = np.clip((np.log(value) - mean) / deviation, -4, 4) if value else 0.0
            rows.append([z, float(value > 0), 1.0])
        means[end] = mean
    return torch.tensor(rows, dtype=torch.float32), means


def post_filtered(
    speech: np.ndarray, expected: np.ndarray, *, hop: int, strength: float, behind: int, held: int
) -> np.ndarray:
    """Speech through one filter of minimum phase after the other, each from its Hilbert transform."""
    window, count = 256, (len(speech) + behind) // hop + 1
    expected = np.pad(expected, ((0, count), (0, 0)))
    padded = torch.from_numpy(np.concatenate([speech, np.zeros(window, np.float32)]))
    found = log_mel(padded[None], sample_rate=RATE, hop=hop, bands=expected.shape[1])[0].numpy()[:count]
    bank = filterbank(RATE, expected.shape[1], torch.device("cpu")).numpy()
    filters = []
    for n in range(count):
        # An energy is exp(3 log_mel - 1); half its logarithm is that of an amplitude.
        gains = np.clip(strength * 1.5 * (expected[n] - found[n]), -15 * np.log(10) / 20, 6 * np.log(10) / 20)
        amplitudes = np.array([row @ gains / row.sum() if row.sum() else 0.0 for row in bank])
        circle = np.concatenate([amplitudes, amplitudes[-2:0:-1]])
        response = np.fft.ifft(np.exp(np.conj(scipy.signal.hilbert(circle)))).real[: window // 2]
        fading = np.ones(window // 2)
        fading[-window // 8 :] = np.cos(np.pi / 2 * (np.arange(window // 8) + 0.5) / (window // 8)) ** 2
        filters.append(response * fading)
    flat = np.eye(1, window // 2)[0]
    # The first frame whose window ends when that of the sample, and those held back, do.
    lag = next(n for n in range(99) if (window - hop) // 2 + hop + behind <= (n + held + 1) * hop)
    made = np.zeros(len(speech))
    for t in range(len(speech)):
        frame, place = (t + behind) // hop - lag, ((t + behind) % hop + 0.5) / hop
        own, before = (filters[n] if n >= 0 else flat for n in (frame, frame - 1))
        past = speech[max(0, t - window // 2 + 1) : t + 1][::-1]
        made[t] = ((place * own + (1 - place) * before)[: len(past)] * past).sum()
    return made.astype(np.float32)


@torch.no_grad()
def convert(network: VQVAE, waveform: np.ndarray, voice: dict[int, float], *, seed: int) -> np.ndarray:
    """What a stream of kind ``modulated`` or ``bands`` makes of a recording, as many samples."""
    config = network.config
    hop, rms, frame_hop = config.code_hop, config.audio.rms, config.conditioner.hop
    step, ahead = 2 * hop, network.encoder.reach[1]
    scale = network.conditioner.frames_per_code
    half = config.conditioner.dilations[: len(config.conditioner.dilations) // 2]
    lag = config.conditioner.kernel // 2 + sum(d for d in half if d > 0)
    total = len(waveform) // step * step + 40 * step + ahead
    padded = np.concatenate([waveform, np.zeros(total - len(waveform), np.float32)])
    # Steps end where the look-ahead of a whole number of them does; some of them are a frame of level.
    first = ahead % step or step
    ends = list(range(first, total + 1, step))
    grouped = max(1, round(0.02 * RATE / step))
    aligned, speech = levelled(padded, ends[grouped - 1 :: grouped], period=grouped * step / RATE, rms=rms)
    flags = [bool(speech[(n + 1) // grouped - 1]) if (n + 1) // grouped else False for n in range(len(ends))]

    def step_of(sample: int) -> int:
        """The step in which so many samples are there for the first time."""
        return min(len(flags) - 1, max(0, -(-(sample - first) // step)))

    window_ahead = (256 - config.encoder.mel_hop) // 2 + config.encoder.mel_hop
    count = total // config.encoder.mel_hop
    turns, coded = [], 0
    for end in ends:
        there = max(0, (end - ahead) // hop)
        if there > coded:
            begin, stop = (max(0, n - lag) * scale for n in (coded, there))
            if stop > begin:
                turns.append((end, begin, stop - begin))
            coded = there
    rows, means = pitch(network, aligned, turns, rms)
    target = float(network.speaker_stats.blended(voice).pitch[0])
    of_frames, warps = [], []
    for n in range(count):
        place = step_of(n * config.encoder.mel_hop + window_ahead)
        of_frames.append(flags[place])
        mean = next((means[end] for end in reversed(ends[:place]) if end in means), np.log(150))
        warps.append(float(np.clip(np.exp(config.encoder.f0_warp * (target - mean)), 1 / 1.3, 1.3)))
    z = vectors(network, aligned[: total // hop * hop], of_frames, warps)
    made = codes(network, z, [flags[step_of((n + 1) * hop + ahead)] for n in range(len(z))], voice)
    used = min(len(made), len(rows) // scale)
    values = network.quantizer.lookup(made[None, :used])
    sounding = network.voice(voice)
    frames = sounding.frames(values, rows[None, : used * scale])[0]
    length = -(-len(waveform) // frame_hop) + 2
    drawn = generate(network.decoder, [frames[:length]], hop=frame_hop, seed=seed)[0]
    return network.companding.waveform(torch.from_numpy(drawn))[: len(waveform)]
