"""What each venue says: one file a venue, and the registry of them."""
