"""One server for a team: who may come in, who is asking, and what it takes to stand on a network. A server on one desk
loads nothing of it."""
