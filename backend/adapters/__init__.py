"""Floor 3: what stands behind the ports. Only the wiring knows which one."""
