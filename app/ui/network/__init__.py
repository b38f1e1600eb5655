"""The page about the network: the switch that closes it, the ledger of what went over it, how to connect."""
