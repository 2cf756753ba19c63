"""What comes in: received, verified, stored, applied."""
