"""Florenz as a model: encoder, decoders, sizes, and how it starts from the weights of others."""
