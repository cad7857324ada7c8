"""Codes, names, scripts and language identification: everything that is known about a language, in one place."""
