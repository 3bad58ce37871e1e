"""pocket-flux, and how it was made: a FluxPipeline small enough to live in a repository."""
