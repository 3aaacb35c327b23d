"""The field's benchmarks by name: users' own copies of their prompt files, read as suites."""
