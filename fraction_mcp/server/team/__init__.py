"""One server for a team: who is asking, and what each of them may see. Nothing of it is loaded on a desk."""
