"""What others read: a build's index, other formats, a dataset card, opt-outs. Made of shards and manifest alone."""
