"""Backbones by name: network, classifier head, attention layer, weights."""
