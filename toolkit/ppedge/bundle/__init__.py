"""The bundle: one folder with everything a phone needs, and the evidence that it reads as the PC does."""
