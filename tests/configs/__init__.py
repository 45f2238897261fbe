"""Every setting of a published model's configuration, changed: followed, or refused."""
