"""What a run amounts to: its summary, its tables as files, boards and other tools' formats."""
