"""What a model is, in full: every number of it, checked, with an error that names the key.

``math.prod(strides) x front-end hop`` samples make one code; ``conditioner.hop`` samples share one conditioning frame.
"""

from __future__ import annotations

import math
from typing import Annotated, Literal

from msgspec import Meta, Struct

from vqspeech.errors import InputError

#: Log-mel bands that cepstra are taken of.
CEPSTRAL_BANDS = 40

# What is above these bounds is a slip, and would fill the memory before anybody notices.
Count = Annotated[int, Meta(ge=1, le=1_000_000_000)]
Layers = Annotated[int, Meta(ge=1, le=1000)]
Kernel = Annotated[int, Meta(ge=1, le=4096)]
Fraction = Annotated[float, Meta(ge=0, le=1)]
NonNegative = Annotated[float, Meta(ge=0, le=1e6)]
Positive = Annotated[float, Meta(gt=0, le=1e6)]
Dilations = tuple[Annotated[int, Meta(ge=1, le=65536)], ...]
#: Negative ones make a block causal, see ``vqspeech.model.residual``.
SignedDilations = tuple[Annotated[int, Meta(ge=-65536, le=65536)], ...]


class AudioConfig(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The waveform at the model's input and output.

    Attributes:
        sample_rate: in Hz.
        levels: classes of the mu-law code that the decoder draws from.
        emphasis: coefficient of the pre-emphasis before mu-law; 0 for none, as in the paper.
        gain: factor after pre-emphasis, so that speech at ``rms`` fills [-1, 1].
        rms: level to which active speech is brought first; 1.0 is full scale.
    """

    sample_rate: Annotated[int, Meta(ge=1000, le=1_000_000)]
    levels: Annotated[int, Meta(ge=2, le=65536)]
    emphasis: Annotated[float, Meta(ge=0, lt=1)]
    gain: Positive
    rms: Annotated[float, Meta(gt=0, le=1)]


class ExternalCodes(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Codes of another system, which a model without an encoder decodes.

    Attributes:
        frame_period: seconds from one code to the next.
        offset: seconds from the start of a recording to the centre of the first.
        model: name of the system that makes them.
        checksum: of that system's weights.
    """

    frame_period: Annotated[float, Meta(ge=1e-6, le=3600)]
    offset: Annotated[float, Meta(ge=-86_400, le=86_400)]
    model: str | None = None
    checksum: str | None = None


class EncoderConfig(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """From waveform to one vector per code.

    Attributes:
        front_end: what the first convolution sees, the waveform itself (as in the paper) or log-mel frames; or
            ``external``: there is no encoder, codes come from another system, and ``strides`` and ``dilations`` are
            empty.
        mel_hop: samples a log-mel frame; not used with ``front_end: waveform``. With ``external``, samples per frame
            that a code is looked up for, see ``vqspeech.model.external``.
        mel_bands: bands of the log-mel front end; likewise.
        strides: one strided convolution each, window twice the stride (the paper: six of stride 2, window 4).
        channels: width of every hidden layer.
        dilations: one dilated residual block each, after the strided convolutions; negative for a causal one.
        block: ``plain`` blocks of ReLU and convolution, or ``modulated`` ones, which normalise their input.
        dimension: of the vector that is quantised, and so of the codebook.
        input_norm: normalise each band of the log-mel front end over the utterance, which removes the microphone.
        instance_norm: normalise each channel over the utterance, which removes much of the speaker.
        frame_norm: normalise each vector before the quantiser (LayerNorm without parameters).
        f0_warp: how far a recording's spectra are scaled towards the F0 of the voice that it is converted to, see
            ``vqspeech.model.frequency_warp``; 0 not at all, 1 all the way. Needs ``conditioner.pitch``.
        source: of ``front_end: external``, the codes that the decoder was trained on.
    """

    front_end: Literal["waveform", "log-mel", "external"]
    mel_hop: Annotated[int, Meta(ge=1, le=65536)]
    mel_bands: Annotated[int, Meta(ge=1, le=1024)]
    strides: tuple[Kernel, ...]
    channels: Count
    dilations: SignedDilations
    block: Literal["plain", "modulated"] = "plain"
    dimension: Count
    input_norm: bool = False
    instance_norm: bool
    frame_norm: bool
    f0_warp: Fraction = 0.0
    source: ExternalCodes | None = None

    @property
    def external(self) -> bool:
        """Whether codes come from another system."""
        return self.front_end == "external"

    @property
    def utterance_norm(self) -> bool:
        """Whether each code depends on the whole utterance, which then cannot be encoded in chunks."""
        return self.instance_norm or self.input_norm


class QuantizerConfig(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The codebook and how it learns.

    Attributes:
        codes: K, the size of the codebook.
        update: ``loss`` learns it by gradient (the paper's second term), ``ema`` by moving averages (its appendix A.1).
        decay: of the moving averages of counts and sums.
        commitment: beta, the weight of the third term.
        restart_below: a code used less than this share of the mean is moved to a vector of the batch; 0 never does.
        jitter: probability that a frame takes its neighbour's code in training (Chorowski et al. 2019).
        mean_shift: share of the way to the target speaker's mean that vectors are moved in conversion, see
            ``vqspeech.model.speaker_stats``.
        unigram_prior: weight of the target speaker's code frequencies there.
    """

    codes: Annotated[int, Meta(ge=2, le=2**20)]
    update: Literal["loss", "ema"]
    decay: Annotated[float, Meta(ge=0, lt=1)]
    commitment: NonNegative
    restart_below: Fraction
    jitter: Fraction
    mean_shift: Fraction = 1.0
    unigram_prior: Annotated[float, Meta(ge=0, le=10)] = 0.05


class ConditionerConfig(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """From codes and speaker to the decoder's conditioning frames.

    Attributes:
        hop: samples per conditioning frame; the samples per code are a multiple of it.
        channels: width of a frame.
        kernel: of the first convolution, over codes; 1 with no ``dilations`` is the paper's plain conditioning.
        dilations: one residual block each, the first half at the code rate, the rest at the frame rate; negative for a
            causal one.
        block: ``plain`` blocks, with the speaker's vector beside the codes in the first convolution; or ``modulated``
            ones, each of which the speaker scales and shifts (FiLM).
        pitch: whether log-F0 and voicing condition the frames, too; a model that has it also works without.
        speaker_dimension: of the vector learnt for each speaker.
        mel_bands: bands of the auxiliary head that predicts log-mel frames; 0 for no such head.
        cepstra: of an auxiliary head that predicts, in their place, the first cepstra normalised over the segment, for
            codes that depend on the phone and not on voice, loudness or microphone; 0 for no such head.
        features: dimension of another model's features that a further head predicts in training
            (``training.features``); 0 for no such head.
    """

    hop: Annotated[int, Meta(ge=1, le=65536)]
    channels: Count
    kernel: Kernel
    dilations: SignedDilations
    block: Literal["plain", "modulated"] = "plain"
    pitch: bool = False
    speaker_dimension: Count
    mel_bands: Annotated[int, Meta(ge=0, le=1024)]
    cepstra: Annotated[int, Meta(ge=0, le=CEPSTRAL_BANDS)] = 0
    features: Annotated[int, Meta(ge=0, le=8192)] = 0


class WaveNetConfig(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The decoder: a stack of gated causal convolutions (van den Oord et al. 2016).

    Attributes:
        layers: how many.
        cycle: layers after which the dilation begins again at 1; within a cycle it doubles.
        kernel: taps of each dilated convolution.
        residual: channels between layers.
        gate: channels of the gated unit; the dilated convolution makes twice as many.
        skip: channels of the sum over layers.
        output: channels of the hidden layer before the softmax, of each band.
        bands: into which the waveform is split (``vqspeech.model.filter_bank``); each step predicts one value of every
            band, and stands for as many samples. 1 predicts the waveform itself.
    """

    layers: Layers
    cycle: Annotated[int, Meta(ge=1, le=16)]
    kernel: Annotated[int, Meta(ge=2, le=64)]
    residual: Count
    gate: Count
    skip: Count
    output: Count
    bands: Annotated[int, Meta(ge=1, le=16)] = 1

    @property
    def dilations(self) -> tuple[int, ...]:
        """The dilation of each layer."""
        return tuple(2 ** (layer % self.cycle) for layer in range(self.layers))

    @property
    def receptive_field(self) -> int:
        """How many past samples reach one prediction, of the waveform: ``bands`` for each step."""
        return ((self.kernel - 1) * sum(self.dilations) + 1) * self.bands


class ModelConfig(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The whole of a model, without its speakers."""

    audio: AudioConfig
    encoder: EncoderConfig
    quantizer: QuantizerConfig
    conditioner: ConditionerConfig
    decoder: WaveNetConfig

    @property
    def code_hop(self) -> int:
        """Samples per code: the product of all strides."""
        front_end = 1 if self.encoder.front_end == "waveform" else self.encoder.mel_hop
        return front_end * math.prod(self.encoder.strides)

    @property
    def code_rate(self) -> float:
        """Codes per second, in Hz."""
        return self.audio.sample_rate / self.code_hop

    @property
    def bitrate(self) -> float:
        """Bits per second if every code were used alike: log2(K) times the code rate."""
        return math.log2(self.quantizer.codes) * self.code_rate

    def check(self, where: str) -> None:
        """Check what no single key can show.

        Args:
            where: the file the config came from, for the message.

        Raises:
            InputError: the parts do not fit together; names the key.
        """
        for part, dilations in (("encoder", self.encoder.dilations), ("conditioner", self.conditioner.dilations)):
            if 0 in dilations:
                raise InputError(f"model.{part}.dilations has a 0", where=where, hint="use 1 or more, or -1 or less")
        if self.conditioner.pitch and self.conditioner.block != "modulated":
            raise InputError(
                "model.conditioner.pitch needs modulated blocks",
                where=where,
                hint="set model.conditioner.block=modulated",
            )
        if self.code_hop > 1 << 20:
            raise InputError(f"a code lasts {self.code_hop} samples", where=where, hint="lower model.encoder.strides")
        if self.encoder.external:
            self._check_external(where)
        elif not self.encoder.strides:
            raise InputError("model.encoder.strides is empty", where=where, hint="give one stride a convolution")
        if self.encoder.f0_warp and not (self.encoder.front_end == "log-mel" and self.conditioner.pitch):
            raise InputError(
                "model.encoder.f0_warp needs log-mel spectra and pitch",
                where=where,
                hint="set it to 0, or model.encoder.front_end=log-mel and model.conditioner.pitch=true",
            )
        if self.conditioner.mel_bands and self.conditioner.cepstra:
            raise InputError(
                "model.conditioner.mel_bands and model.conditioner.cepstra are two auxiliary heads",
                where=where,
                hint="set one of them to 0",
            )
        if self.encoder.input_norm and self.encoder.front_end != "log-mel":
            raise InputError(
                "model.encoder.input_norm is true, but the front end is the waveform",
                where=where,
                hint="set model.encoder.front_end=log-mel, or model.encoder.input_norm=false",
            )
        if self.conditioner.hop % self.decoder.bands:
            raise InputError(
                f"model.decoder.bands is {self.decoder.bands}, but a frame lasts {self.conditioner.hop} samples",
                where=where,
                hint="choose a divisor of model.conditioner.hop",
            )
        if self.code_hop % self.conditioner.hop:
            raise InputError(
                f"model.conditioner.hop is {self.conditioner.hop}, but a code lasts {self.code_hop} samples",
                where=where,
                hint="choose a divisor of the product of model.encoder.strides",
            )

    def _check_external(self, where: str) -> None:
        encoder = self.encoder
        if encoder.strides or encoder.dilations or encoder.utterance_norm or encoder.frame_norm:
            raise InputError(
                "model.encoder has layers or norms, but its front end is external",
                where=where,
                hint="leave strides and dilations empty and all norms false",
            )
        if self.quantizer.update != "loss":
            raise InputError(
                f"model.quantizer.update is {self.quantizer.update}, but vectors of external codes need loss",
                where=where,
                hint="set model.quantizer.update=loss",
            )
