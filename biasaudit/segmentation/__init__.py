"""Weakly supervised segmentation: cues from attention, SEC's losses, the dense CRF, mean IoU."""
