"""The formats of `make export`: FORMAT=mds selects the module mds of this folder; one more format is one more file."""
