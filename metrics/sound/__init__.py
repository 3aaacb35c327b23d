"""Measures of the sound of clips: whether there is any, how loud and whole it is, and what it goes with."""
