"""How good answers are, and pictures of that."""
