"""A small rendered world with exact captions in six languages, and the tiny models that were trained on it."""
