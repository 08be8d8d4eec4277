"""Second heads, which only help networks while they are trained."""
