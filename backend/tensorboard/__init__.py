"""TensorBoard event files in and out."""
