"""Text to text over a vLLM server: prompts, answer clean-up, the HTTP client and the life of the server."""
