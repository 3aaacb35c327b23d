"""Validation: trials of laws and skills on clips of known truth, and the validity cards made from them."""
