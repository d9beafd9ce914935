"""A light simulator that speaks the CARLA 0.9.16 wire protocol; imports nothing else of Pitwall."""
