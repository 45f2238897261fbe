"""Which values are float32, whatever the dtype of the model."""
