"""One server for a team: who is asking, and what stands round it on a network."""
