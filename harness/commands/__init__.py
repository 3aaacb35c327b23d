"""The command line: one module a topic, each a few lines over the module that does the work."""
