"""One file for each scheme of URLs that is not left to fsspec; `stores/contract.py` says what is in it."""
