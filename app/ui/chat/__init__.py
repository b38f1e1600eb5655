"""The middle of the window: messages, composer and what drives them."""
