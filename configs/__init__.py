"""Recipes: one TOML file is one run. `sections.py` reads them, for the pipeline and for the trainer."""
