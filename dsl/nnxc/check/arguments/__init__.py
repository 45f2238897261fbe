"""Arguments and inputs: what a call writes, as what is called takes it."""
