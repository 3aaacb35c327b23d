"""Validation: trials of laws and skills on clips of known truth, and their validity cards."""
