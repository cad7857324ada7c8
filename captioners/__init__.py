"""Image to English caption. One file per kind of model."""
