"""(source, text, language) -> keep, or reject with a reason. One idea per file; `chain.py` puts them in order."""
