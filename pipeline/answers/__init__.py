"""What models are asked, and the ledger of what they answered: nothing is paid for twice."""
