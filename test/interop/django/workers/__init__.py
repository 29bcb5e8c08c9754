"""A site that has nothing but a worker, which talks to one of linod/channels."""
