"""Generated code under each release of Flax that it is generated for (`make targets`)."""
