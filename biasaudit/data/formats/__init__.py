"""Readers of datasets on disk: one file a format; each registers itself."""
