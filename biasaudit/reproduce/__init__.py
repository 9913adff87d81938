"""Tables of the GAIN paper, run anew: what they train, what the paper reports, ours beside it."""
