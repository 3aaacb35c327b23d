"""Runs under attack: outcomes of attempts, their rates, and the effect of safeguards and disguises."""
