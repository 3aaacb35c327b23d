"""Train the prompt filters on public files and our own scenes, and write their cards."""
