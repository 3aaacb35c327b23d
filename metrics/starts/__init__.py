"""How a clip keeps to what it starts from: its first frame, its seams, what an edit leaves."""
