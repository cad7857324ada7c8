"""TOML recipes into frozen dataclasses, for the pipeline and for the trainer; knows no step."""
