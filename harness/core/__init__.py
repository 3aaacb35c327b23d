"""The lowest layer: every other package may import it, and it imports none of them."""
