"""Alipay's life account as a channel: its webhook, its gateway, and their signatures."""
