"""Safety measurement: what a generator shows that its policy forbids, and how well its filters work."""

__all__: list[str] = []
