"""Shards to batches: order, mix, stream, and what makes tensors of texts and pictures."""
