"""Frame judges: what a frame shows that a policy forbids, and how often the judge itself errs."""
