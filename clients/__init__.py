"""Real clients of other makers, driven against the server without a model. See README.md here."""
