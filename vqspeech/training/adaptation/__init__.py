"""One more voice for a trained model, from a minute of recordings: ``VoiceFit`` learns it, ``add_voice`` adds it."""

from vqspeech.training.adaptation.added_voice import add_voice
from vqspeech.training.adaptation.fit import Fitted, VoiceFit, voice_of

__all__ = ["Fitted", "VoiceFit", "add_voice", "voice_of"]
