"""The window about models: those here, the catalogue, the hub, downloads, and settings of one."""
