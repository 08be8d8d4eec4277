"""What published and slimmed models cost on a phone's core and what they measure, in one table."""
