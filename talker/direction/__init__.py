"""What a director says: emotions over time, action units, regions; and how a take follows."""
