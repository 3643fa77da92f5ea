"""Training: the loop, its schedule and history, checkpoints, seeding."""
