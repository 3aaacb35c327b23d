"""The runner: suites, plans, the store, media, scoring, comparison and gates."""
