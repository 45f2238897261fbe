"""Every setting of a published model's configuration, changed and left out: followed, or refused."""
