"""Train sections: losses, settings, which weights learn."""
