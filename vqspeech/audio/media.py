"""What phones and browsers record: m4a, webm, amr, the sound of videos; by FFmpeg's libraries (extra ``media``).

``vqspeech.audio`` comes here with what libsndfile does not read. A file is given as an open stream, never by name, and
only formats that hold their sound themselves are opened: a playlist cannot name other files or addresses.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vqspeech.errors import InputError, decoding

if TYPE_CHECKING:
    import av

#: Formats by FFmpeg's names. None of them refers to anything outside the file.
FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,amr,amrnb,amrwb,aac,ogg,mpegts,avi,flv,asf,ac3,eac3,caf,wv,ape,tta,mp3"
#: Channels, seconds and seconds of decoding, at most.
CHANNELS, SECONDS, PATIENCE = 64, 24 * 3600, 900
#: Seconds before a place from which decoding begins: Opus settles in 80 ms, AAC in one or two frames of 21 to 64 ms.
_PREROLL = 0.2


def available() -> bool:
    """Whether the package of the extra is installed."""
    try:
        import av  # noqa: F401
    except ImportError:
        return False
    return True


class MediaFile:
    """The first sound of a media file; has what ``vqspeech.audio`` uses of ``soundfile.SoundFile``.

    Args:
        stream: seekable, at its beginning.
        where: for messages.

    Attributes:
        samplerate: in Hz.
        channels: how many.
        frames: samples of each channel by the header; 0 where it does not say.

    Raises:
        InputError: it is no media file, has no sound, or too many channels.
    """

    def __init__(self, stream: IO[bytes], where: str) -> None:
        import av

        self._where = where
        self._deadline = time.monotonic() + PATIENCE
        with self._decoding("not a media file"):
            self._container: Any = av.open(
                stream,
                mode="r",
                metadata_errors="replace",
                # No protocol at all: the bytes come from the stream.
                container_options={"format_whitelist": FORMATS, "protocol_whitelist": "none"},
            )
        try:
            if not self._container.streams.audio:
                raise InputError("has no sound", where=where, hint="give a recording, or a video with sound")
            self._stream: Any = self._container.streams.audio[0]
            self._decoder = self._decoded()
            self._first = next(self._decoder, None)
            if self._first is None:
                raise InputError("no samples", where=where, hint="record it again or leave it out")
            self.samplerate = int(self._first.sample_rate)
            self.channels = len(self._first.layout.channels)
            if not 1 <= self.channels <= CHANNELS:
                raise InputError(f"{self.channels} channels", where=where, hint=f"give at most {CHANNELS}")
            self._origin = self._time(self._first)
            with self._decoding("not a media file"):
                self._resampler = av.AudioResampler("fltp", self._first.layout, self.samplerate)
            self.frames = self._length()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> MediaFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the container; the stream stays open."""
        self._container.close()

    def seek(self, frame: int) -> int:
        """Go to a place, or somewhat before it.

        Args:
            frame: sample.

        Returns:
            The sample from which ``blocks`` goes on.
        """
        target = self._origin + frame / self.samplerate - _PREROLL
        if self._first is None or target <= self._origin or not self._stream.time_base:
            return 0
        before = self._first
        with self._decoding("cannot be searched"):
            self._container.seek(
                math.floor(target / self._stream.time_base), stream=self._stream, backward=True, any_frame=False
            )
            self._stream.codec_context.flush_buffers()
        self._decoder = self._decoded()
        self._first = next(self._decoder, None)
        if self._first is None or self._first.pts is None:
            self._first = before
            raise InputError("cannot be searched", where=self._where, hint="convert it to WAV, or read all of it")
        # What comes first after a jump is not yet what it would have been; it lies before the place.
        return max(0, round((self._time(self._first) - self._origin) * self.samplerate))

    def blocks(self) -> Iterator[NDArray[np.float32]]:
        """``(frames, channels)`` blocks, to the end."""
        done = 0
        while self._first is not None:
            frame, self._first = self._first, None
            for block in self._floats(frame):
                done += len(block)
                if done > SECONDS * self.samplerate:
                    raise InputError(
                        f"longer than {SECONDS // 3600} hours", where=self._where, hint="cut it into parts"
                    )
                yield block
            if time.monotonic() > self._deadline:
                raise InputError("takes too long to decode", where=self._where, hint="convert it to WAV first")
            self._first = next(self._decoder, None)

    def _floats(self, frame: av.AudioFrame) -> Iterator[NDArray[np.float32]]:
        with self._decoding("damaged", hint="copy it again from its source"):
            if frame.sample_rate != self.samplerate or len(frame.layout.channels) != self.channels:
                raise ValueError("its rate or its channels change")
            blocks = [block.to_ndarray() for block in self._resampler.resample(frame)]  # (channels, frames) each
        for block in blocks:
            yield np.ascontiguousarray(block.reshape(self.channels, -1).T, np.float32)

    def _decoded(self) -> Iterator[Any]:
        frames = self._container.decode(self._stream)
        while True:
            with self._decoding("damaged", hint="copy it again from its source"):
                frame = next(frames, None)
            if frame is None:
                return
            if frame.samples:
                yield frame

    def _time(self, frame: Any) -> float:
        return float(frame.pts * frame.time_base) if frame.pts is not None and frame.time_base else 0.0

    def _length(self) -> int:
        stream = self._stream
        if not stream.duration or not stream.time_base or stream.duration < 0:
            return 0
        seconds = float(stream.duration * stream.time_base)
        return round(seconds * self.samplerate) if seconds < SECONDS else 0

    def _decoding(self, problem: str, hint: str = "convert it to WAV first, for example with ffmpeg") -> Any:
        return decoding(problem, where=self._where, hint=hint)
