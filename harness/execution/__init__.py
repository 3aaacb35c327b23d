"""How a run is carried out: clips generated and stored, in the process or by workers."""
