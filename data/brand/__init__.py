"""Halfnoon, a made-up brand: palette, mark and two rules of drawing; draws `data/sample_brand`."""
