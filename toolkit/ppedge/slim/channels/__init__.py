"""Which channels of a network are one and the same, and which of them go."""
