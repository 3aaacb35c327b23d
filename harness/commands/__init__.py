"""The command line: one module per topic, which calls the module that does the work."""
