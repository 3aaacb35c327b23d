"""Puzzles whose solution is known: mazes, clocks, towers, read from the pictures and held against rules."""
