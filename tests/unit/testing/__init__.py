"""What backend.testing gives to tests does what it says."""
