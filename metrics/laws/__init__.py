"""Physical laws: how severely the trajectories of a clip break them, and from when on that counts."""
