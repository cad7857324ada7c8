"""The keys of a training's recipe: one frozen dataclass for each section, each key with a line of documentation.

`train/recipe.py` reads them from TOML. Nothing here needs torch.
"""
