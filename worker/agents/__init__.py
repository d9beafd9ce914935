"""TD3 and DDPG."""
