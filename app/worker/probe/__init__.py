"""The process that looks at the computer once and exits: a driver that crashes takes nothing else along."""
