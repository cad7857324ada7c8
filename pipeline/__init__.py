"""Orders the seven steps, counts what passes through them and routes what is dropped. Nothing imports it."""
