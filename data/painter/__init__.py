"""A small painter: draws the practice album pages in `data/sample_mughal`."""
