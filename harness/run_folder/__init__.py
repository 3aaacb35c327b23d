"""The run folder: its database and files, what its numbers rest on, and the jobs it waits for."""
