"""What whoever runs the marketplace sees and does: requesters, their keys, what could not be delivered."""
