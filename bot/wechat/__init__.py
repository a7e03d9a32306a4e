"""WeChat as a channel: its webhook, its API, its menu and its pages' signatures."""
