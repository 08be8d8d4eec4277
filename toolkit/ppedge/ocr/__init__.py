"""Everything that happens on the phone too, in NumPy and OpenCV: the one specification of pre- and post-processing."""
