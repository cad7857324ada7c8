"""Answers, and a number for each: how good a translation is, how well a text fits its image."""
