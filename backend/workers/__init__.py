"""Workers and simulators: who is alive, and which run holds which simulator."""
