"""From a configuration of PaddleOCR 2.x to a recipe, with a finding for each of its lines."""
