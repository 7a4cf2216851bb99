"""Drawing samples from a WaveNet: one interface, a reference engine and a compiled one."""

from vqspeech.generation.engine import Engine, EngineName, Precision, Session
from vqspeech.generation.sampler import describe_engine, generate, make_engine
from vqspeech.generation.stream import Generator

__all__ = ["Engine", "EngineName", "Generator", "Precision", "Session", "describe_engine", "generate", "make_engine"]
