"""Provenance: signed manifests and watermarks of clips, and what is left of them after delivery."""
