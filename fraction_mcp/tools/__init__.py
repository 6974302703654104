"""What the assistant sees: tools, declared as values. `catalogue` has them all; this floor holds no logic."""
