"""pocket-flux, a FluxPipeline small enough to live in a repository, and how it was made.

The stages in the order in which they run; each reads what the ones before it left in the cache:

    corpus       drawings with names, fetched from package registries
    vae          the autoencoder
    latents      scenes, painted and encoded
    text         the text encoders, alone
    flow         the transformer, together with the text encoders
    guidance     one pass a step in place of two
    assemble     all parts as `model/`
    clip         pocket-clip, which judges pictures against captions
    schnell      four steps in place of twenty, as an adapter
    evaluate     what it can draw
    adaptation   how well it takes up a style and keeps the thing; comparison reads it off

The next weights, in one run on a rented GPU (RENTED.md):

    things       several makers' drawings of 470 things
    looks        looks at random, from palettes; held_out has those that are never trained
                 on, look_distance says how far they are from the others
    composer     scenes of things in looks, by way of placing, wording (phrases, captions) and painting
                 (drawings, grounds, brushes)
    pack         one archive with what travels
    pool         scenes painted once and seen several times, for a run on a CPU
    rented       the run (options): stages, fed by feed, against the clock of timing; parts and samples
                 are what comes back
    joining      the returned parts as a pipeline

What they share: styles and manner (how pictures look), scenes (what they show and their captions), bank
(pictures for the VAE), tokenizer, networks, batch_rng, muon (the optimizer), training (the loops' parts),
judges (networks that judge), provenance, weights (where they lie).
"""
