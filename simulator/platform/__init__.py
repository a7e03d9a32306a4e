"""The platform behind the phones: accounts, chats, pushes and the API."""
