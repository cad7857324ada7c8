"""Ledger to shards: filter, cover, write, and take over from the build before. No model is asked."""
