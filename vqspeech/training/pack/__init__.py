"""The pack: speech to train from, in one file or a folder of such files, memory-mapped; no audio library reads it.

A file of it is a safetensors file, to be read by anything that reads those:

- ``samples``: int16 ``(total,)``, every utterance at the working level, those of a speaker one after another;
- ``perturbed``: int16 ``(copies, total)``, the same with pitch and formants changed (see ``perturb_speaker``);
- ``pitch``: int16 ``(ceil(total / PITCH_HOP),)``, F0 in tenths of a hertz, 0 where unvoiced, at the middle of each hop;
  empty where the pack was made without;
- ``ends``: int64 ``(utterances,)``, where each utterance ends;
- ``speaker_ends``: int64 ``(speakers,)``, where each speaker ends;
- ``speaker_utterances``: int64 ``(speakers,)``, how many utterances there are up to the end of each speaker;
- ``ids``, ``id_ends``: uint8 and int64, the ids of the utterances in UTF-8 and where each ends;
- metadata: format, sample rate, level, seed of the perturbation, names of speakers.

What is read when training starts is the metadata and what there is per speaker, so that the start takes as long for a
hundred hours as for one.
"""

from vqspeech.training.pack.folder import pack_files, read_pack
from vqspeech.training.pack.speech import PITCH_HOP, PITCH_UNIT, Pack
from vqspeech.training.pack.writing import failed_file, recordings_of, write_pack

__all__ = ["PITCH_HOP", "PITCH_UNIT", "Pack", "failed_file", "pack_files", "read_pack", "recordings_of", "write_pack"]
