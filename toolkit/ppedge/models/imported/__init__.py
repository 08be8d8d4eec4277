"""A network of an inference program that somebody else has exported, to be slimmed and trained as any other."""
