"""One page on a run: what the network is, how it came about, what it costs, and the commands that made it."""
