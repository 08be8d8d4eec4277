"""A new folder with recipes for data and weights of one's own, ready to be trained."""
