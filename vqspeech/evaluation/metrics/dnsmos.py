"""How clean it sounds: DNSMOS P.835, overall (Reddy et al. 2022), with the weights that come with speechmos."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vqspeech.audio import SAMPLE_RATE
from vqspeech.errors import MissingExtraError


class DNSMOS:
    """A network's guess of the mean opinion score, 1 to 5; clean recordings get about 3.2.

    Args:
        threads: onnxruntime's.

    Raises:
        MissingExtraError: speechmos or onnxruntime is not installed.
    """

    name = "DNSMOS overall"

    def __init__(self, *, threads: int = 1) -> None:
        try:
            import onnxruntime
            from speechmos import dnsmos
        except ImportError as error:
            raise MissingExtraError("speechmos", extra="judge", purpose="DNSMOS") from error
        folder = Path(dnsmos.__file__).parent / "dnsmos_models"
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = threads
        session = onnxruntime.InferenceSession

        def limited(path: str) -> object:
            return session(path, options)

        # speechmos opens its sessions with a thread for each core that spin while they wait, which on a busy machine
        # takes ten times as long.
        dnsmos.ort.InferenceSession = limited
        try:
            self._model = dnsmos.DNSMOS(str(folder / "sig_bak_ovr.onnx"), str(folder / "model_v8.onnx"))
        finally:
            dnsmos.ort.InferenceSession = session

    def score(self, waveform: NDArray[np.float32]) -> float:
        """``(samples,)`` at 16 kHz -> overall score; less than 9 s are repeated to fill them, as its authors do."""
        clipped = np.clip(waveform, -1, 1).astype(np.float32)
        return float(self._model(clipped, SAMPLE_RATE, False)["ovrl_mos"])
