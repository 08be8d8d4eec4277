"""What each operator of a network costs on an ARM core: measured on Paddle Lite's runtime, or predicted by a table."""
