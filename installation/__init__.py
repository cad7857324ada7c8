"""Sets up .venv, and says what a machine lacks. Needs nothing but Python itself, since it runs before all else is
there."""
