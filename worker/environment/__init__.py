"""The driving task as a Gymnasium environment over the carla package."""
