"""Runs under attack: how each attempt came out, rates of it, and what safeguards and disguises change."""
