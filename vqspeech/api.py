"""A model ready for use: recordings to codes, codes to speech, one voice to another."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from vqspeech import audio, ranges
from vqspeech.codes import CodeInfo, FrameTimes
from vqspeech.codes.duration_penalty import penalised_codes
from vqspeech.counts import counted
from vqspeech.devices import find_device
from vqspeech.errors import InputError, MissingExtraError, decoding
from vqspeech.generation import EngineName, Precision, make_engine
from vqspeech.generation.conditioning import ConditioningPlan
from vqspeech.generation.native_encoder import native_blocks
from vqspeech.generation.partial_output import PartialOutput
from vqspeech.generation.postfilter import STRENGTH
from vqspeech.generation.synthesis import synthesise
from vqspeech.inference.inputs import Recording, checked_codes, checked_pitch, waveform_of
from vqspeech.inference.intonation import f0_of, relative_pitch, takes_pitch
from vqspeech.inference.waveform_encoder import WaveformEncoder
from vqspeech.model.checkpoint import checksum, codes_checksum, load_model, model_folder
from vqspeech.model.conditioner import PITCH_FEATURES
from vqspeech.model.external import frames_of, on_frames
from vqspeech.model.hub import download
from vqspeech.model.packaged import find_model, model_name
from vqspeech.model.speaker_conditioning import Voice
from vqspeech.model.vqvae import VQVAE
from vqspeech.pitch import Intonation
from vqspeech.speaker_blend import parse_voice, require_speaker
from vqspeech.streaming import Stream

if TYPE_CHECKING:
    from vqspeech.model.hub_mixin import HubModel

__all__ = ["Model", "Progress", "Recording", "Through", "load"]

#: What makes the waveform.
Through: TypeAlias = Literal["decoder", "mel"]
#: Called with samples drawn and samples to be drawn.
Progress: TypeAlias = Callable[[int, int], None]


def load(
    model: str | os.PathLike[str] | None = None,
    *,
    engine: EngineName = "auto",
    precision: Precision = "fp32",
    threads: int = 1,
    post_filter: float = STRENGTH,
    device: str = "cpu",
) -> Model:
    """Load a model.

    Args:
        model: the name of a packaged model (``vqspeech models`` lists them), a model directory, an experiment's folder
            or ``hf://owner/name[@revision]``, a repository of the Hugging Face Hub; the packaged ``default`` if not
            given. A string is a name first: a folder of the same name is ``./units``, or a ``Path``.
        engine: what draws the samples, see ``vqspeech.generation.make_engine``.
        precision: of the native engine's products.
        threads: of the native engine.
        post_filter: how far speech is brought towards what the mel head expects of its codes; 0 gives the samples as
            they were drawn, 1 makes up for all of the difference.
        device: where encoder and conditioning network, and the torch engine, compute: ``auto``, ``cpu``, ``cuda`` or
            ``cuda:N``.

    Raises:
        InputError: there is no model, it is damaged, or the engine is not to be had; or the post-filter's strength is
            not from 0 to 1.
    """
    ranges.SHARE.check(post_filter, "post_filter")
    folder = model_folder(find_model(model))
    network = load_model(folder).to(find_device(device))
    return Model(network, folder, engine=engine, precision=precision, threads=threads, post_filter=post_filter)


class Model:
    """A VQ-VAE and the engine that draws its samples. Make one with ``vqspeech.load``.

    Args:
        network: in evaluation mode.
        folder: where it was read from.
        engine: as in ``load``.
        precision: as in ``load``.
        threads: as in ``load``.
        post_filter: as in ``load``.

    Attributes:
        speakers: the voices it has.
        sample_rate: of the waveforms it takes and gives, in Hz.
    """

    def __init__(
        self,
        network: VQVAE,
        folder: Path,
        *,
        engine: EngineName,
        precision: Precision,
        threads: int,
        post_filter: float,
    ) -> None:
        self.network = network
        self.folder = folder
        self.engine = make_engine(network.decoder, engine, precision, threads)
        self._engine_name, self._threads = engine, threads
        self.post_filter = post_filter
        self.speakers = network.speakers
        self.sample_rate = network.config.audio.sample_rate

    def __getstate__(self) -> dict[str, object]:
        """Everything but the engine, which holds memory of its own: another process makes its own."""
        kept = {name: value for name, value in vars(self).items() if name not in ("engine", "_encoder")}
        return kept | {"engine": (self._engine_name, self.engine.precision, self._threads)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Make the engine anew."""
        self.__dict__.update(state)
        self.engine = make_engine(self.network.decoder, *state["engine"])

    @classmethod
    def from_pretrained(
        cls,
        pretrained_model_name_or_path: str | os.PathLike[str],
        *,
        revision: str | None = None,
        cache_dir: str | os.PathLike[str] | None = None,
        token: str | bool | None = None,
        force_download: bool = False,
        local_files_only: bool = False,
        **options: Any,
    ) -> Model:
        """A model from a folder on disk or, where there is none of that name, from the Hugging Face Hub.

        Args:
            pretrained_model_name_or_path: a model directory, for which neither network nor huggingface_hub is needed,
                or ``owner/name``.
            revision: branch, tag or commit of the repository.
            cache_dir: in place of huggingface_hub's cache.
            token: for private repositories; what ``hf auth login`` stored if not given.
            force_download: even if it is in the cache.
            local_files_only: do not use the network.
            options: as for ``load``: ``engine``, ``precision``, ``threads``, ``post_filter``, ``device``.

        Raises:
            InputError: as ``load`` and ``vqspeech.model.hub.download``.
        """
        folder = Path(pretrained_model_name_or_path)
        if not folder.is_dir():
            folder = download(
                str(pretrained_model_name_or_path),
                revision=revision,
                cache_dir=cache_dir,
                token=token,
                force_download=force_download,
                local_files_only=local_files_only,
            )
        return load(folder, **options)

    def save_pretrained(self, save_directory: str | os.PathLike[str], **options: Any) -> None:
        """Write the model directory and its card, as they are sent to the Hub.

        Args:
            save_directory: made if need be; a card that is there already stays.
            options: of ``huggingface_hub.ModelHubMixin.save_pretrained``, such as
                ``model_card_kwargs={"license": "cc-by-4.0"}``.

        Raises:
            InputError: huggingface_hub is not installed.
        """
        self._on_hub().save_pretrained(save_directory, **options)

    def push_to_hub(self, repo_id: str, **options: Any) -> str:
        """Send the model directory and its card to a repository of the Hugging Face Hub, made if need be.

        Args:
            repo_id: ``owner/name``.
            options: of ``huggingface_hub.ModelHubMixin.push_to_hub``, such as ``private`` and ``commit_message``.

        Returns:
            Where the commit is to be seen.

        Raises:
            InputError: huggingface_hub is not installed, or the Hub refuses.
        """
        with decoding("cannot be sent", where=repo_id, hint="check name, network and `hf auth login`"):
            return self._on_hub().push_to_hub(repo_id, **options)

    def _on_hub(self) -> HubModel:
        try:
            from vqspeech.model.hub_mixin import HubModel
        except ImportError:
            raise MissingExtraError("huggingface_hub", extra="hub", purpose="the Hugging Face Hub") from None
        return HubModel(self.network, self.folder)

    @property
    def checksum(self) -> str:
        """SHA-256 of all its weights; that in ``code_info`` is of what decides the codes alone."""
        return checksum(self.folder)

    @property
    def codebook(self) -> NDArray[np.float32]:
        """The vectors of its codes, ``(codes, dimension)``."""
        return self.network.quantizer.codebook.detach().cpu().numpy().astype(np.float32)

    @property
    def code_info(self) -> CodeInfo:
        """Codebook size and frame times, for ``codes.json``."""
        config = self.network.config
        hop = config.code_hop
        source = config.encoder.source
        if source is not None:
            times = source.frame_period, source.offset
            return CodeInfo(config.quantizer.codes, *times, model=source.model, checksum=source.checksum)
        return CodeInfo(
            codebook_size=config.quantizer.codes,
            frame_period=hop / config.audio.sample_rate,
            offset=hop / 2 / config.audio.sample_rate,
            model=model_name(self.folder),
            checksum=codes_checksum(self.folder),
        )

    def read(
        self, recording: Recording, *, start: float | None = None, end: float | None = None
    ) -> NDArray[np.float32]:
        """A recording as ``(samples,)`` at the model's sample rate and level.

        Args:
            recording: see ``Recording``.
            start: seconds into it; its beginning if not given.
            end: seconds into it; its end if not given.

        Raises:
            InputError: it cannot be read, is empty or holds NaN, or ``start`` and ``end`` are not a part of it.
        """
        waveform = waveform_of(recording, self.sample_rate, start=start, end=end)
        return audio.normalise_level(waveform, self.sample_rate, self.network.config.audio.rms)

    def encode(
        self, recording: Recording, speaker: str | None = None, *, duration_penalty: float = 0.0
    ) -> NDArray[np.int32]:
        """The codes of a recording, ``(frames,)``; the last frame is filled up with silence.

        Args:
            recording: see ``Recording``.
            speaker: the voice that the codes are brought to, to be decoded in it (see
                ``vqspeech.model.speaker_stats``); not given, the nearest codes.
            duration_penalty: what a change of code costs, in units of the mean squared distance of two codebook vectors
                (``vqspeech.codes.duration_penalty``): fewer, longer units. Not together with ``speaker``.

        Raises:
            InputError: as ``read`` and ``voice``.
        """
        return self.encode_waveform(self.read(recording), speaker, duration_penalty=duration_penalty)

    def encode_waveform(
        self, waveform: NDArray[np.float32], speaker: str | None = None, *, duration_penalty: float = 0.0
    ) -> NDArray[np.int32]:
        """The codes of what ``read`` gave, ``(samples,)`` at the model's rate and level -> ``(frames,)``.

        Args:
            waveform: what ``read`` gave.
            speaker: as for ``encode``.
            duration_penalty: as for ``encode``.

        Raises:
            InputError: as ``voice``.
        """
        ranges.WEIGHT.check(duration_penalty, "duration_penalty")
        if duration_penalty and speaker is not None:
            raise InputError("a duration penalty of codes that are brought to a voice", hint="leave one of them out")
        if duration_penalty:
            return penalised_codes(self.vectors(waveform).cpu().numpy(), self.codebook, penalty=duration_penalty)
        if speaker is None:
            return self.encode_waveforms([waveform])[0]
        track = self.f0(waveform) if self.network.config.encoder.f0_warp else None
        return self._encoder.adapted(waveform, self._blend(speaker), track)

    def adapt(
        self, waveform: NDArray[np.float32], speaker: str, *, f0: Intonation = "source", f0_shift: float = 0.0
    ) -> tuple[NDArray[np.int32], NDArray[np.float32] | None]:
        """The codes and the intonation of what ``read`` gave, brought to a voice: what ``decode`` takes to convert it.

        Args:
            waveform: what ``read`` gave.
            speaker: the voice, as for ``decode``.
            f0: as for ``pitch``.
            f0_shift: as for ``pitch``.

        Returns:
            As ``encode_waveform`` and ``pitch``; F0 is computed once for both.

        Raises:
            InputError: as ``encode_waveform`` and ``pitch``.
        """
        pitched = takes_pitch(self.network.config, f0, f0_shift)
        track = self.f0(waveform) if pitched or self.network.config.encoder.f0_warp else None
        pitch = None if track is None else self.relative_pitch(track, speaker, f0=f0, f0_shift=f0_shift)
        return self._encoder.adapted(waveform, self._blend(speaker), track), pitch

    def encode_many(self, recordings: Sequence[Recording]) -> list[NDArray[np.int32]]:
        """The codes of several recordings, each what ``encode`` gives for it alone, to the code.

        Args:
            recordings: see ``Recording``.

        Returns:
            One ``(frames,)`` for each.

        Raises:
            InputError: as ``read``.
        """
        return self.encode_waveforms([self.read(recording) for recording in recordings])

    def encode_waveforms(self, waveforms: Sequence[NDArray[np.float32]]) -> list[NDArray[np.int32]]:
        """The nearest codes of several of what ``read`` gave, computed together; see ``encode_many``.

        Args:
            waveforms: each ``(samples,)`` at the model's rate and level.

        Returns:
            One ``(frames,)`` for each.
        """
        return self._encoder.nearest(waveforms)

    def vectors(self, waveform: NDArray[np.float32], alter: Callable[[Tensor], Tensor] | None = None) -> Tensor:
        """The encoder's output, not quantised.

        Args:
            waveform: what ``read`` gave, ``(samples,)``.
            alter: applied to the power spectra of a log-mel front end, see ``vqspeech.melspectrogram.log_mel``.

        Returns:
            ``(frames, dimension)``.
        """
        return self._encoder.vectors(waveform, alter)

    def pitch(
        self,
        waveform: NDArray[np.float32],
        speaker: str,
        *,
        f0: Intonation = "source",
        f0_shift: float = 0.0,
    ) -> NDArray[np.float32] | None:
        """The intonation of what ``read`` gave, brought to the mean and range of a voice.

        Args:
            waveform: what ``read`` gave.
            speaker: the voice, as for ``decode``.
            f0: ``source`` follows the recording; ``flat`` keeps its voicing at the voice's mean; ``target``
                leaves intonation to the model.
            f0_shift: semitones by which all of it is moved.

        Returns:
            ``(frames x frames per code, 3)``, see ``vqspeech.pitch.relative``; None for a model that pitch does not
            condition, and for ``target``.

        Raises:
            InputError: no such intonation, or a shift that the model cannot make.
        """
        return self.relative_pitch(self.f0(waveform), speaker, f0=f0, f0_shift=f0_shift)

    @property
    def f0_times(self) -> FrameTimes:
        """The times of the values of ``f0``, for ``f0.json``."""
        period = self.network.config.conditioner.hop / self.sample_rate
        return FrameTimes(frame_period=period, offset=period / 2)

    def f0(self, waveform: NDArray[np.float32]) -> NDArray[np.float32]:
        """F0 of what ``read`` gave, ``(samples,)`` -> ``(frames x frames per code,)`` in Hz, 0 where unvoiced."""
        return f0_of(waveform, self.network)

    def relative_pitch(
        self, track: NDArray[np.float32], speaker: str, *, f0: Intonation = "source", f0_shift: float = 0.0
    ) -> NDArray[np.float32] | None:
        """A whole utterance's F0 brought to the mean and range of a voice.

        Args:
            track: as ``f0`` gives it.
            speaker: as for ``pitch``.
            f0: as for ``pitch``.
            f0_shift: as for ``pitch``.

        Returns:
            As ``pitch``.

        Raises:
            InputError: as ``pitch``.
        """
        if not takes_pitch(self.network.config, f0, f0_shift):
            return None
        return relative_pitch(track, self.network, self._blend(speaker), f0=f0, f0_shift=f0_shift)

    def decode(
        self,
        codes: ArrayLike,
        speaker: str,
        *,
        pitch: ArrayLike | None = None,
        seed: int = 0,
        temperature: float = 1.0,
        progress: Progress | None = None,
    ) -> NDArray[np.float32]:
        """Decode codes in a voice.

        Args:
            codes: ``(frames,)`` integers.
            speaker: one of ``speakers``, or a blend, see ``voice``.
            pitch: intonation, as the method ``pitch`` gives it; None leaves it to the model.
            seed: the same seed gives the same samples.
            temperature: below 1 for calmer, above 1 for livelier sampling; 0 takes the most likely sample always.
            progress: called with samples drawn and samples to be drawn, a few more than are returned: the chunks
                that long sequences are split into begin with some that are not kept.

        Returns:
            ``(frames x hop,)`` float32.

        Raises:
            InputError: an unknown speaker, a bad blend, or a code outside the codebook.
        """
        return self.decode_many([codes], speaker, pitch=[pitch], seed=seed, temperature=temperature, progress=progress)[
            0
        ]

    def decode_many(
        self,
        sequences: Sequence[ArrayLike],
        speaker: str | Sequence[str],
        *,
        pitch: Sequence[ArrayLike | None] | None = None,
        through: Through = "decoder",
        seed: int = 0,
        temperature: float = 1.0,
        progress: Progress | None = None,
        partial_outputs: Sequence[PartialOutput | None] | None = None,
    ) -> list[NDArray[np.float32]]:
        """Decode several code sequences, in streams that run together.

        Args:
            sequences: each ``(frames,)`` integers.
            speaker: one of ``speakers`` or a blend for all sequences, or one for each.
            pitch: as for ``decode``, one for each sequence; None for none.
            through: ``decoder``, or ``mel``: the waveform is made of the bands that the mel head predicts, by Griffin
                and Lim's iteration, a fast way to check what the codes keep.
            seed: as for ``decode``; each sequence becomes what it becomes alone.
            temperature: as for ``decode``.
            progress: as for ``decode``.
            partial_outputs: of the decoder, a file for each sequence (None for none) that keeps its finished chunks:
                after an interruption the same call takes them from there. Remove it when the waveform is stored.

        Returns:
            One ``(frames x hop,)`` float32 for each sequence.

        Raises:
            InputError: as ``decode``, or the speakers are not as many as the sequences.
            OSError: a partial output cannot be read or written.
        """
        ranges.SEED.check(seed, "seed")
        ranges.TEMPERATURE.check(temperature, "temperature")
        names = [speaker] * len(sequences) if isinstance(speaker, str) else list(speaker)
        if len(names) != len(sequences):
            raise InputError(
                f"{counted(len(names), 'speaker')} for {counted(len(sequences), 'sequence')}",
                hint="give one for each, or one",
            )
        pitches = [None] * len(sequences) if pitch is None else list(pitch)
        if len(pitches) != len(sequences):
            raise InputError(
                f"{len(pitches)} pitch contours for {counted(len(sequences), 'sequence')}", hint="give one for each"
            )
        plans = []
        for codes, name, given in zip(sequences, names, pitches, strict=True):
            checked = self._on_frames(codes)
            plans.append(
                ConditioningPlan(self.network, checked, self.voice(name), self._checked_pitch(given, len(checked)))
            )
        if through == "mel":
            return self._invert(plans, seed=seed)
        return synthesise(
            self.network,
            plans,
            engine=self.engine,
            seed=seed,
            temperature=temperature,
            post_filter=self.post_filter,
            progress=progress,
            partial_outputs=partial_outputs,
        )

    def _invert(self, plans: Sequence[ConditioningPlan], *, seed: int) -> list[NDArray[np.float32]]:
        from vqspeech.generation.mel_inversion import invert_mel

        made = []
        for plan in plans:
            bands = plan.mel(0, len(plan))
            if bands is None:
                raise InputError("the model has no mel head", where=self.folder, hint="go through the decoder")
            hop = self.network.config.conditioner.hop
            made.append(invert_mel(bands, sample_rate=self.sample_rate, hop=hop, seed=seed))
        return made

    def _checked_pitch(self, pitch: ArrayLike | None, codes: int) -> Tensor | None:
        """Pitch as ``(frames, 3)`` float32 where the network is; None for a model that it does not condition."""
        if pitch is None or not self.network.config.conditioner.pitch:
            return None
        shape = codes * self.network.conditioner.frames_per_code, PITCH_FEATURES
        return torch.from_numpy(checked_pitch(pitch, shape)).to(self.network.device)

    def _on_frames(self, codes: ArrayLike) -> Tensor:
        """Codes, one per frame of the model, as ``(frames,)`` int64 where the network is."""
        config = self.network.config
        return torch.from_numpy(on_frames(checked_codes(codes, config.quantizer.codes), config)).to(self.network.device)

    def frames_of(self, codes: int) -> int:
        """How many frames of the model so many codes last: as many, but for a model of another system's codes."""
        return frames_of(codes, self.network.config)

    def voice(self, speaker: str) -> Voice:
        """Conditioning of the decoder on a voice: a speaker's, or a blend of several.

        Args:
            speaker: one of ``speakers``, or ``NAME:WEIGHT,NAME:WEIGHT``; weights are made to add up to 1.

        Raises:
            InputError: an unknown speaker, or a weight that is not a positive number.
        """
        return self.network.voice(self._blend(speaker))

    def convert(
        self,
        recording: Recording,
        speaker: str,
        *,
        f0: Intonation = "source",
        f0_shift: float = 0.0,
        seed: int = 0,
        temperature: float = 1.0,
        progress: Progress | None = None,
    ) -> NDArray[np.float32]:
        """Say the words of a recording in another voice.

        Args:
            recording: see ``Recording``.
            speaker: one of ``speakers``, or a blend, see ``voice``.
            f0: where the intonation comes from, as for ``pitch``.
            f0_shift: semitones, as for ``pitch``.
            seed: as for ``decode``.
            temperature: as for ``decode``.
            progress: as for ``decode``.

        Returns:
            As many samples as the recording has at the model's sample rate, ``(samples,)`` float32.

        Raises:
            InputError: as ``read`` and ``decode``.
        """
        self.voice(speaker)
        waveform = self.read(recording)
        codes, pitch = self.adapt(waveform, speaker, f0=f0, f0_shift=f0_shift)
        spoken = self.decode(codes, speaker, pitch=pitch, seed=seed, temperature=temperature, progress=progress)
        return spoken[: len(waveform)]

    def stream(
        self,
        speaker: str,
        *,
        f0: Intonation = "source",
        f0_shift: float = 0.0,
        seed: int = 0,
        temperature: float = 1.0,
    ) -> Stream:
        """Convert a recording while it goes on.

        Args:
            speaker: as for ``convert``; may be changed in the middle.
            f0: as for ``convert``.
            f0_shift: as for ``convert``.
            seed: as for ``convert``.
            temperature: as for ``convert``.

        Returns:
            What takes chunks of waveform and gives waveform, ``latency`` seconds later; see ``Stream``.

        Raises:
            InputError: as ``convert``, or the model's codes depend on whole recordings.

        Example:
            >>> with model.stream("slt") as stream:
            ...     for chunk in microphone:
            ...         play(stream.push(chunk))
            ...     play(stream.finish())
        """
        takes_pitch(self.network.config, f0, f0_shift)
        return Stream(
            self.network,
            self.engine,
            self._blend,
            speaker,
            f0=f0,
            f0_shift=f0_shift,
            seed=seed,
            temperature=temperature,
            post_filter=self.post_filter,
        )

    def speaker_index(self, name: str) -> int:
        """The place of a voice among ``speakers``.

        Raises:
            InputError: there is none of that name; the hint has the nearest.
        """
        require_speaker(name, self.speakers, where=self.folder)
        return self.speakers.index(name)

    def _blend(self, speaker: str) -> dict[int, float]:
        """Places of the speakers of a voice, and the share that each has in it."""
        shares = parse_voice(speaker, self.speakers, where=self.folder)
        return {self.speakers.index(name): share for name, share in shares.items()}

    @cached_property
    def _encoder(self) -> WaveformEncoder:
        return WaveformEncoder(self.network, compiled=native_blocks)
