"""What trains: losses, metrics, optimizers, schedules, initialisers, adapters."""
