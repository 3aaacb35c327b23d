"""Physics-IQ: generated continuations against two real takes of each scene."""
