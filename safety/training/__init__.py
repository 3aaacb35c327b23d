"""Training of the prompt filters, on public files and scenes of our own, and their cards."""
