"""Pixel labels and boxes: which images are labelled, and in what form."""
