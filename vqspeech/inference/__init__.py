"""What ``vqspeech.api.Model`` computes around its network: inputs checked, waveforms encoded, F0 made relative."""
