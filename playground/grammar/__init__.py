"""One file per language: its words, and the rules that make a scene's caption of them."""
