"""Where pictures come from, and how strangers' bytes become pixels; for the pipeline and the trainer alike."""
