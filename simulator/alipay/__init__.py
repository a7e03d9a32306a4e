"""Alipay's platform of life accounts on this machine: the gateway, pushes, OAuth, and phones."""
