"""The reference diffusion transformer: autoencoder, text model, transformer, sampler, second stage, files."""
