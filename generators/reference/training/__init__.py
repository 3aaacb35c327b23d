"""Training of the reference generator's parts and of the tiny encoders, resumable."""
