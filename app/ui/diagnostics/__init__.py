"""The page that shows what the computer has and answers why a graphics card is not used."""
