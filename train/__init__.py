"""Florenz: the model family, and the trainer that streams the shards into it."""
