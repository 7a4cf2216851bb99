"""How much the server takes of anyone."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """What is refused beyond.

    Attributes:
        upload_bytes: of one upload.
        upload_seconds: to send one.
        seconds: of speech in one recording.
        waiting: uploads that are received, decoded or wait for their turn at a time.
        job_seconds: a job may compute.
        decode_seconds: to decode one upload.
        decode_bytes: of memory that decoding may take beyond what its process begins with.
        decoders: uploads decoded at a time.
        live_seconds: of one live session.
        live_idle_seconds: of a live session in which nothing comes.
        text: characters of a transcript, which comes in the address of a request.
        drawn_seconds: of speech drawn from the prior.
    """

    upload_bytes: int = 50 << 20
    upload_seconds: float = 300.0
    seconds: float = 600.0
    waiting: int = 64
    job_seconds: float = 1800.0
    decode_seconds: float = 60.0
    decode_bytes: int = 1 << 30
    decoders: int = 2
    live_seconds: float = 3600.0
    live_idle_seconds: float = 30.0
    text: int = 5000
    drawn_seconds: float = 30.0
