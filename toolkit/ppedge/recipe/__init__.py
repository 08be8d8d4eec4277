"""The recipe: declared section by section, read, upgraded and explained."""
