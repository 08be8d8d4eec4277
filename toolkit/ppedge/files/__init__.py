"""Reading model files with the standard library alone."""
