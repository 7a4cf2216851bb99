"""The VQ-VAE of speech: encoder, quantiser, conditioning network and WaveNet decoder. Tensors in, tensors out."""
