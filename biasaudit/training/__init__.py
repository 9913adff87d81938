"""Training: the plan of a run, the loop, the run directory."""
