"""Gates: a policy applied to a run, planned beforehand, and its signed record."""
