"""What worker processes do besides the steps themselves: they prove that they fit to the launcher."""
