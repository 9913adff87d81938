"""From files to batches: decoding, the cache, tensors."""
