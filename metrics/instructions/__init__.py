"""Instruction following: whether a clip shows what its prompt asks for, skill by skill."""
