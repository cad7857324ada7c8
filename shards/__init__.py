"""The on-disk contract between whoever writes a dataset and whoever trains on it: schema, writer, reader, proof."""
