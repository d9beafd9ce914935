"""The only package that knows torch and carla: agents, environment, simulator and the trainer process."""
