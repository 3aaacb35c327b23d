"""Signs of generated physics: what no scene and no camera explains, seen in a clip alone."""
