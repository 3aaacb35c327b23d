"""The functions and classes of ``import screentest``; the module itself is in ``harness/screentest``."""
