"""From label files and pictures to batches."""
