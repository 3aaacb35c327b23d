"""Flashes that can provoke seizures in photosensitive viewers: WCAG 2.3.1, from decoded frames."""
