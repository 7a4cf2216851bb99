"""Conversion while the recording goes on: the causal forms of what offline conversion takes over whole recordings."""

from vqspeech.streaming.stream import Stream

__all__ = ["Stream"]
