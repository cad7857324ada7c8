"""What a Florenz is scored on. One file for each evaluation set; `contract.py` says what is in it."""
