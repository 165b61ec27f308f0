"""What is true in the economy, and what follows from it.

State, ledger, feed, tasks, matching, proxy and payoff, as columns of numbers. This layer is pure: no files, no
network, no clock, no random numbers but those of `mesocosm.rng`, no transcendental functions but those of
`mesocosm.exact`. It may import errors, exact, rng, registry and config.
"""
